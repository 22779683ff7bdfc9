//! The catalogue that there is not: whoever asks is told that it is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;

/// The index of what never changes.
const INDEX: u64 = 1;

pub(crate) async fn none(State(app): State<Arc<App>>, request: Request) -> Response {
    empty(&app, request, &[(); 0])
}

pub(crate) async fn no_services(State(app): State<Arc<App>>, request: Request) -> Response {
    empty(&app, request, &BTreeMap::<String, ()>::new())
}

pub(crate) async fn no_node(State(app): State<Arc<App>>, request: Request) -> Response {
    empty(&app, request, &())
}

pub(crate) async fn without_name() -> HttpError {
    HttpError::bad_request("Missing service name")
}

pub(crate) async fn datacenters(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request.into_parts().0);
    answer::json(&app, &asked, &[app.service.cluster().datacenter().as_str()])
}

fn empty(app: &App, request: Request, nothing: &impl Serialize) -> Response {
    let asked = Asked::of(&request.into_parts().0);
    answer::with_index(answer::json(app, &asked, nothing), INDEX)
}
