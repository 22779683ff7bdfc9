//! Peerings and tokens in Consul's JSON.

use jiff::Timestamp;
use peering_core::address::ServerAddress;
use peering_core::api::issued::PeeringToken;
use peering_core::api::v1;
use peering_core::life::TokenEnd;
use peering_core::remote::RemoteInfo;

use super::detail;
use crate::service::issued::TokenView;
use crate::service::peerings::PeeringView;
use crate::service::status::StreamReport;

/// Go's zero time, by which Consul says "never" once a stream has been seen: 0001-01-01T00:00:00Z.
const GO_ZERO_TIME_SECONDS: i64 = -62_135_596_800;

pub(super) fn peering(view: &PeeringView) -> v1::Peering {
    let record = &view.peering;
    let dialed = record.dialed();
    let meta = record.meta.pairs();
    v1::Peering {
        id: record.local_id.to_string(),
        name: record.name.to_string(),
        partition: String::new(),
        deleted_at: record.deleted_at,
        meta: (!meta.is_empty()).then(|| meta.clone()),
        state: view.state.as_str().to_owned(),
        peer_id: dialed.map(|dialed| dialed.remote_id.clone()).unwrap_or_default(),
        peer_ca_pems: (!record.roots.is_empty()).then(|| record.roots.clone()),
        peer_server_name: dialed.map(|dialed| dialed.server_name.clone()).unwrap_or_default(),
        peer_server_addresses: dialed
            .map(|dialed| dialed.server_addresses.iter().map(ServerAddress::to_string).collect::<Vec<_>>())
            .filter(|addresses| !addresses.is_empty()),
        stream_status: view.stream.as_ref().map(stream).unwrap_or_default(),
        create_index: view.create_index,
        modify_index: view.modify_index,
        remote: remote(&record.remote),
        trust_domain_changed_from: record.domain.changed_from.clone(),
        detail: view.explanation.as_ref().map(|told| detail::detail(told, view.at)),
    }
}

pub(super) fn token(view: &TokenView) -> PeeringToken {
    let life = &view.issued.life;
    let mut token = PeeringToken {
        token_id: life.id().to_string(),
        peer_name: view.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        peering_id: view.issued.peering.to_string(),
        created_by: view.issued.by.map(|by| by.to_string()).unwrap_or_default(),
        created_at: Some(life.created()),
        expires_at: life.expires(),
        state: view.state.as_str().to_owned(),
        revocable: view.is_revocable,
        redeemed_at: life.redeemed().map(|redeemed| redeemed.at),
        redeemed_from: life.redeemed().and_then(|redeemed| redeemed.from).map(|ip| ip.to_string()).unwrap_or_default(),
        create_index: view.create_index,
        modify_index: view.modify_index,
        ..PeeringToken::default()
    };
    match life.end() {
        Some(TokenEnd::Superseded { by, .. }) => token.superseded_by = by.to_string(),
        Some(TokenEnd::Revoked { at, reason, .. }) => {
            token.revoked_at = Some(*at);
            reason.as_str().clone_into(&mut token.revoke_reason);
        }
        _ => {}
    }
    token
}

fn stream(report: &StreamReport) -> v1::StreamStatus {
    let or_null = |services: &[String]| (!services.is_empty()).then(|| services.to_vec());
    let never = Timestamp::from_second(GO_ZERO_TIME_SECONDS).ok();
    v1::StreamStatus {
        imported_services: or_null(&report.imported_services),
        exported_services: or_null(&report.exported_services),
        last_heartbeat: report.last_heartbeat,
        last_receive: report.last_receive.or(never),
        last_send: report.last_send.or(never),
    }
}

fn remote(info: &RemoteInfo) -> v1::Remote {
    v1::Remote {
        partition: info.partition.clone(),
        datacenter: info.datacenter.clone(),
        locality: info
            .locality
            .as_ref()
            .map(|locality| v1::Locality { region: locality.region.clone(), zone: locality.zone.clone() }),
    }
}
