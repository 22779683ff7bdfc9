//! `GET /v1/exported-services` and `GET /v1/internal/ui/exported-services`: what is exported, by service and to one peer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking, if_known};
use crate::service::ServiceError;
use crate::service::access::Action;
use crate::store::key;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    service: String,
    consumers: Consumers,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Consumers {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<String>,
}

/// What Consul's user interface shows of a service. Without a catalogue the name is all there is to tell.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    name: String,
    datacenter: &'a str,
    tags: Option<()>,
    nodes: Option<()>,
    external_sources: Option<()>,
    instance_count: u64,
    checks_passing: u64,
    checks_warning: u64,
    checks_critical: u64,
    gateway_config: Empty,
    transparent_proxy: bool,
    connect_native: bool,
    connected_with_proxy: bool,
    connected_with_gateway: bool,
}

#[derive(Serialize, Default)]
struct Empty {}

pub(crate) async fn by_service(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    asked.refuse_partition()?;
    let options = ReadOptions::of(&parts)?;
    let exports = blocking(&app, options, key::CONFIG_ENTRIES, || async {
        app.service.require(&asked.actor, Action::MeshRead).await?;
        app.service.exports().await
    })
    .await?;
    let listed = exports.value.by_service().into_iter();
    let listed =
        listed.map(|listed| Exported { service: listed.service, consumers: Consumers { peers: listed.peers } });
    let response = answer::json(&app, &asked, &listed.collect::<Vec<_>>());
    Ok(answer::with_index(response, exports.index))
}

pub(crate) async fn to_peer(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    asked.refuse_partition()?;
    let options = ReadOptions::of(&parts)?;
    let Some(peer) = asked.query("peer") else { return Err(HttpError::as_consul("must provide PeerName")) };
    let options = if_known(&app, &asked.actor, Action::MeshRead, options).await?;
    let exports = blocking(&app, options, key::CONFIG_ENTRIES, || app.service.exports()).await?;
    let names = exports.value.exported_to(peer);
    let datacenter = app.service.cluster().datacenter().as_str();
    let summary = |name| Summary { name, datacenter, ..Summary::default() };
    // Whoever may not see it gets an empty list, as in Consul.
    let response = match app.service.require(&asked.actor, Action::MeshRead).await {
        Ok(_) => answer::json(&app, &asked, &names.into_iter().map(summary).collect::<Vec<_>>()),
        Err(ServiceError::Denied(_)) if !names.is_empty() && asked.actor.token.is_some() => {
            answer::filtered(answer::json(&app, &asked, &[(); 0]))
        }
        Err(ServiceError::Denied(_)) => answer::json(&app, &asked, &[(); 0]),
        Err(other) => return Err(other.into()),
    };
    Ok(answer::with_index(response, exports.index))
}
