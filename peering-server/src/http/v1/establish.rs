//! `POST /v1/peering/establish`: uses a peering token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use peering_core::api::body::decode_establish;

use crate::http::answer;
use crate::http::body;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::{App, to_its_end};
use crate::service::access::Action;
use crate::service::establish::EstablishRequest;

pub(crate) async fn establish(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    let body = body::read(body).await?;
    let wanted = decode_establish(&body)?;
    if wanted.peer_name.is_empty() {
        return Err(HttpError::bad_request("PeerName is required in the payload when establishing a peering."));
    }
    if wanted.peering_token.is_empty() {
        return Err(HttpError::bad_request("PeeringToken is required in the payload when establishing a peering."));
    }
    asked.refuse_partition()?;
    let request = EstablishRequest { name: wanted.peer_name, token: wanted.peering_token, meta: wanted.meta };
    let checked = app.service.check_establish(request)?;
    let origin = app.service.require(&asked.actor, Action::PeeringWrite).await?;
    let service = Arc::clone(&app.service);
    to_its_end(async move { service.establish(checked, origin).await }).await?;
    Ok(answer::json(&app, &asked, &serde_json::Map::new()))
}
