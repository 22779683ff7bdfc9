//! `GET /v1/status/leader`: who answers; one server is always its own leader.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;

pub(crate) async fn leader(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    Ok(answer::json(&app, &asked, &app.leader))
}
