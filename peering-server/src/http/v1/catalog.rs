//! The catalogue that there is not: whoever asks is told that it is empty.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking, if_known};
use crate::service::access::Action;
use crate::service::peerings::Indexed;

/// The index of what never changes.
const INDEX: u64 = 1;
/// What is watched for that: no key of the store begins so.
const NOTHING: &str = "nothing/";

pub(crate) async fn none(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    empty(&app, request, &[(); 0]).await
}

pub(crate) async fn no_services(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    empty(&app, request, &BTreeMap::<String, ()>::new()).await
}

pub(crate) async fn no_node(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    empty(&app, request, &()).await
}

pub(crate) async fn without_name() -> HttpError {
    HttpError::bad_request("Missing service name")
}

pub(crate) async fn datacenters(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request.into_parts().0);
    answer::json(&app, &asked, &[app.service.cluster().datacenter().as_str()])
}

/// Answers with nothing; whoever waits for something newer waits for as long as was asked, since nothing will come.
async fn empty(app: &App, request: Request, nothing: &impl Serialize) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    let options = if_known(app, &asked.actor, Action::PeeringRead, ReadOptions::of(&parts)?).await?;
    blocking(app, options, NOTHING, || ready(Ok(Indexed { value: (), index: INDEX }))).await?;
    Ok(answer::with_index(answer::json(app, &asked, nothing), INDEX))
}
