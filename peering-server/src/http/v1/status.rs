//! `GET /v1/status/leader`: who answers; one server is always its own leader.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::ReadOptions;

pub(crate) async fn leader(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    // Read as for any read, though there is nothing to wait for.
    ReadOptions::of(&parts)?;
    Ok(answer::json(&app, &asked, &app.leader))
}
