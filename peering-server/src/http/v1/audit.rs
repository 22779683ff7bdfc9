//! `GET /v1/peering-audit/key` and `/v1/peering-audit/head`: what whoever verifies an audit trail asks its server.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use peering_core::api::audit::{AuditHead, AuditKey};

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::service::access::Action;

/// Tells the public halves of the keys that sign checkpoints.
pub(crate) async fn keys(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    app.service.require(&asked.actor, Action::OperatorRead).await?;
    let shown: Vec<AuditKey> = app.service.audit_keys()?.iter().map(shown).collect();
    Ok(answer::json(&app, &asked, &shown))
}

fn shown(key: &crate::keyring::PublicKey) -> AuditKey {
    AuditKey { id: key.id.to_string(), is_current: key.is_current, public_key: key.to_base64() }
}

/// Tells the last line of the trail.
pub(crate) async fn head(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    app.service.require(&asked.actor, Action::OperatorRead).await?;
    let head = app.service.audit_head()?;
    Ok(answer::json(&app, &asked, &AuditHead { seq: head.seq, hash: head.hash }))
}
