//! `GET /v1/connect/ca/roots`: the root by which peers know this cluster, public as in Consul.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking, if_known};
use crate::service::access::{Action, Actor};
use crate::service::roots::RootView;
use crate::store::key;

#[derive(Serialize)]
struct Roots<'a> {
    #[serde(rename = "ActiveRootID")]
    active_root_id: &'a str,
    #[serde(rename = "TrustDomain")]
    trust_domain: &'a str,
    #[serde(rename = "Roots")]
    roots: [Root<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Root<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    serial_number: u64,
    #[serde(rename = "SigningKeyID")]
    signing_key_id: &'a str,
    external_trust_domain: &'a str,
    not_before: Timestamp,
    not_after: Timestamp,
    root_cert: &'a str,
    intermediate_certs: Option<()>,
    active: bool,
    private_key_type: &'a str,
    private_key_bits: u16,
    create_index: u64,
    modify_index: u64,
}

pub(crate) async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    let options = ReadOptions::of(&parts)?;
    // Public, so a wrong token is as good as none.
    let stranger = Actor { token: None, ..asked.actor.clone() };
    let options = match if_known(&app, &asked.actor, Action::PeeringRead, options).await {
        Ok(options) => options,
        Err(_) => if_known(&app, &stranger, Action::PeeringRead, options).await?,
    };
    let root = blocking(&app, options, key::PEERING_CA, || app.service.root()).await?;
    // Every spelling of a flag in Go.
    if matches!(asked.query("pem"), Some("1" | "t" | "T" | "true" | "TRUE" | "True")) {
        return Ok(answer::text("application/pem-certificate-chain", root.value.pem));
    }
    let trust_domain = app.service.cluster().trust_domain().as_str();
    let response = answer::json(&app, &asked, &render(&root.value, trust_domain));
    Ok(answer::with_index(response, root.index))
}

fn render<'a>(root: &'a RootView, trust_domain: &'a str) -> Roots<'a> {
    Roots {
        active_root_id: &root.id,
        trust_domain,
        roots: [Root {
            id: &root.id,
            name: &root.name,
            serial_number: root.serial_number,
            signing_key_id: &root.signing_key_id,
            external_trust_domain: trust_domain.split('.').next().unwrap_or_default(),
            not_before: root.not_before,
            not_after: root.not_after,
            root_cert: &root.pem,
            intermediate_certs: None,
            active: true,
            // The one kind of key that our authorities have.
            private_key_type: "ec",
            private_key_bits: 256,
            create_index: root.create_index,
            modify_index: root.modify_index,
        }],
    }
}
