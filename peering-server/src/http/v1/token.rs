//! `POST /v1/peering/token`: issues a peering token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use peering_core::api::body::decode_generate_token;
use peering_core::api::v1::GenerateTokenResponse;
use peering_core::duration::GoDuration;

use crate::http::answer;
use crate::http::body;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::{App, to_its_end};
use crate::service::access::Action;
use crate::service::peerings::TokenRequest;

pub(crate) async fn generate(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    let body = body::read(body).await?;
    let wanted = decode_generate_token(&body)?;
    if wanted.peer_name.is_empty() {
        return Err(HttpError::bad_request("PeerName is required in the payload when generating a new peering token."));
    }
    asked.refuse_partition()?;
    let ttl = match wanted.ttl.as_deref().map(GoDuration::parse).transpose() {
        Ok(None) => None,
        Ok(Some(ttl)) => match ttl.to_std() {
            Some(ttl) => Some(ttl),
            None => return Err(HttpError::bad_request(format!("TTL: expected at least 1s, got {ttl}"))),
        },
        Err(error) => return Err(HttpError::bad_request(format!("TTL: {error}"))),
    };
    let checked = app.service.check_token_request(TokenRequest {
        name: wanted.peer_name,
        partition: wanted.partition,
        meta: wanted.meta,
        external_addresses: wanted.server_external_addresses,
        ttl,
    })?;
    let origin = app.service.require(&asked.actor, Action::PeeringWrite).await?;
    let warnings = app.service.token_warnings(&checked);
    let service = Arc::clone(&app.service);
    let peering_token = to_its_end(async move { service.generate_token(checked, origin).await }).await?;
    let response = answer::json(&app, &asked, &GenerateTokenResponse { peering_token });
    Ok(answer::with_warnings(response, &warnings))
}
