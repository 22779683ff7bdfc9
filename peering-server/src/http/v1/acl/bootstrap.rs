//! `PUT /v1/acl/bootstrap`: hands out the first management token, once.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use peering_core::api::acl::decode_bootstrap;
use peering_core::secret::AclSecret;

use super::{begin_without_partition, render};
use crate::http::error::HttpError;
use crate::http::{App, answer, body, to_its_end};

pub(crate) async fn bootstrap(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = begin_without_partition(&app, &parts)?;
    let body = body::read(body).await?;
    let given = if body.is_empty() { String::new() } else { decode_bootstrap(&body)? };
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    let view = to_its_end(async move { service.bootstrap_acl(&actor, &AclSecret::from_text(given)).await }).await?;
    let mut token = render::token(&view);
    token.id.clone_from(&token.secret_id);
    Ok(answer::json(&app, &asked, &token))
}
