//! `GET /v1/status/leader` and `/v1/status/peers`: who answers; one server is always its own leader and only member.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::ReadOptions;

pub(crate) async fn leader(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = asked(&app, request)?;
    Ok(answer::json(&app, &asked, &app.leader))
}

pub(crate) async fn peers(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = asked(&app, request)?;
    Ok(answer::json(&app, &asked, &[&app.leader]))
}

fn asked(app: &App, request: Request) -> Result<Asked, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    // Read as for any read, though there is nothing to wait for.
    ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    Ok(asked)
}
