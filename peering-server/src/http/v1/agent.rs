//! `GET /v1/agent/self`: this server, as far as a client of Consul asks about it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::service::access::Action;

/// The release of Consul whose API this server speaks: clients choose by it what they ask for.
const CONSUL_VERSION: &str = "1.21.0";
/// Consul's own answer where a build has no date.
const BUILD_DATE: &str = "1970-01-01T00:00:01Z";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct This<'a> {
    config: Config<'a>,
    debug_config: Value,
    coord: Value,
    member: Value,
    stats: Value,
    meta: Value,
    #[serde(rename = "xDS")]
    xds: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config<'a> {
    datacenter: &'a str,
    primary_datacenter: &'a str,
    node_name: &'a str,
    #[serde(rename = "NodeID")]
    node_id: &'a str,
    revision: &'a str,
    server: bool,
    version: &'a str,
    build_date: &'a str,
}

pub(crate) async fn this(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    app.service.require(&asked.actor, Action::AgentRead).await?;
    Ok(answer::json(&app, &asked, &describe(&app)))
}

fn describe(app: &App) -> This<'_> {
    let cluster = app.service.cluster();
    let datacenter = cluster.datacenter().as_str();
    // A cluster of one server: its id names the server too.
    let node_id = cluster.trust_domain().as_str().split('.').next().unwrap_or_default();
    let (own, port) = (env!("CARGO_PKG_VERSION"), app.peer_address.port());
    This {
        config: Config {
            datacenter,
            primary_datacenter: datacenter,
            node_name: &app.node_name,
            node_id,
            revision: "",
            server: true,
            version: CONSUL_VERSION,
            build_date: BUILD_DATE,
        },
        debug_config: json!({
            "ConnectEnabled": true,
            "Datacenter": datacenter,
            "DevMode": app.always_pretty,
            "GRPCTLSPort": port,
            "NodeID": node_id,
            "NodeName": app.node_name,
            "PeeringEnabled": true,
            "PrimaryDatacenter": datacenter,
            "ServerMode": true,
            "Version": CONSUL_VERSION,
        }),
        // Where a node is that has not measured it.
        coord: json!({ "Vec": [0, 0, 0, 0, 0, 0, 0, 0], "Error": 1.5, "Adjustment": 0, "Height": 0.00001 }),
        member: json!({
            "Name": app.node_name,
            "Addr": app.peer_address.ip().to_string(),
            "Port": port,
            "Tags": { "dc": datacenter, "grpc_tls_port": port.to_string(), "id": node_id, "role": "consul" },
            "Status": 1,
            "ProtocolMin": 1,
            "ProtocolMax": 5,
            "ProtocolCur": 2,
            "DelegateMin": 2,
            "DelegateMax": 5,
            "DelegateCur": 4,
        }),
        stats: json!({
            "build": { "prerelease": "", "revision": "", "version": CONSUL_VERSION, "version_metadata": format!("peering-{own}") },
            "consul": { "known_datacenters": "1", "leader": "true", "leader_addr": app.leader, "server": "true" },
        }),
        meta: json!({ "consul-version": CONSUL_VERSION, "peering-version": own }),
        // There is no mesh here that proxies could be told of.
        xds: json!({ "SupportedProxies": {}, "Port": -1, "Ports": { "Plaintext": -1, "TLS": -1 } }),
    }
}
