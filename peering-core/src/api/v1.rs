//! Version 1 of the HTTP API: Consul's peering endpoints.
//!
//! Here `PeerID` of a [`Peering`] is the id that the *peer* gave the peering (`remote_id` elsewhere), and `ID` is ours
//! (`local_id`). Answers keep Consul's key order; a reader ignores keys that it does not know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::detail::Detail;

/// Asks for a peering token: `POST /v1/peering/token`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GenerateTokenRequest {
    /// Our name for the cluster that the token is meant for.
    pub peer_name: String,
    /// Admin partition; empty or `default`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// Metadata for a new peering.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Addresses that replace the discovered ones when the peer dials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_external_addresses: Vec<String>,
    /// How long the token shall live, such as `24h`. Not Consul's: sent only when asked for, and Consul refuses it.
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// Answers [`GenerateTokenRequest`].
///
/// # Security
/// This is the one answer that carries a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GenerateTokenResponse {
    /// The peering token.
    pub peering_token: String,
}

/// Asks the server to use a peering token: `POST /v1/peering/establish`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EstablishRequest {
    /// Our name for the cluster that made the token.
    pub peer_name: String,
    /// The token.
    pub peering_token: String,
    /// Admin partition.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// Metadata; replaces what a peering had.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
}

/// One peering, as read and listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peering {
    /// Our id of the peering.
    #[serde(rename = "ID")]
    pub id: String,
    /// Our name for the peer.
    #[serde(rename = "Name")]
    pub name: String,
    /// Our partition; absent outside Consul Enterprise.
    #[serde(rename = "Partition", default, skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// When deletion began.
    #[serde(rename = "DeletedAt", default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Metadata, sorted by key.
    #[serde(rename = "Meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<BTreeMap<String, String>>,
    /// Reported state, such as `ACTIVE`.
    #[serde(rename = "State", default)]
    pub state: String,
    /// The acceptor's id of the peering; on a dialer only.
    #[serde(rename = "PeerID", default, skip_serializing_if = "String::is_empty")]
    pub peer_id: String,
    /// Root certificates of the peer.
    #[serde(rename = "PeerCAPems", default, skip_serializing_if = "Option::is_none")]
    pub peer_ca_pems: Option<Vec<String>>,
    /// TLS name of the peer; on a dialer only.
    #[serde(rename = "PeerServerName", default, skip_serializing_if = "String::is_empty")]
    pub peer_server_name: String,
    /// Addresses of the peer, without the manual ones; on a dialer only.
    #[serde(rename = "PeerServerAddresses", default, skip_serializing_if = "Option::is_none")]
    pub peer_server_addresses: Option<Vec<String>>,
    /// What the peer stream is doing.
    #[serde(rename = "StreamStatus", default)]
    pub stream_status: StreamStatus,
    /// Index of the write that made the record.
    #[serde(rename = "CreateIndex", default)]
    pub create_index: u64,
    /// Index of the last write to the record.
    #[serde(rename = "ModifyIndex", default)]
    pub modify_index: u64,
    /// Where the peer says it is.
    #[serde(rename = "Remote", default)]
    pub remote: Remote,
    /// The peer's trust domain before it changed with a promotion: ours, absent unless it did.
    #[serde(rename = "TrustDomainChangedFrom", default, skip_serializing_if = "Option::is_none")]
    pub trust_domain_changed_from: Option<String>,
    /// Why the state is what it is: ours, absent where there is nothing to say, and at other servers.
    #[serde(
        rename = "Detail",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "Detail::if_it_is_ours"
    )]
    pub detail: Option<Detail>,
}

/// Live facts of a peer stream; every key is always written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StreamStatus {
    /// Services received from the peer; `null` if none.
    pub imported_services: Option<Vec<String>>,
    /// Services offered to the peer; `null` if none.
    pub exported_services: Option<Vec<String>>,
    /// Last heartbeat received.
    pub last_heartbeat: Option<Timestamp>,
    /// Last frame received; year 1 means never.
    pub last_receive: Option<Timestamp>,
    /// Last frame sent; year 1 means never.
    pub last_send: Option<Timestamp>,
}

/// Where a peer says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Remote {
    /// Admin partition.
    pub partition: String,
    /// Datacenter; empty until the first connection.
    pub datacenter: String,
    /// Region and zone, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<Locality>,
}

/// Region and zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Locality {
    /// Such as `us-west-1`.
    pub region: String,
    /// Such as `us-west-1a`.
    pub zone: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_peering_prints_as_consul_prints_it() {
        let peering = Peering {
            id: "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d".into(),
            name: "cluster-02".into(),
            partition: String::new(),
            deleted_at: None,
            meta: Some(BTreeMap::from([("env".into(), "production".into())])),
            state: "PENDING".into(),
            peer_id: String::new(),
            peer_ca_pems: None,
            peer_server_name: String::new(),
            peer_server_addresses: None,
            stream_status: StreamStatus::default(),
            create_index: 89,
            modify_index: 89,
            remote: Remote::default(),
            trust_domain_changed_from: None,
            detail: None,
        };
        assert_eq!(
            serde_json::to_string(&peering).unwrap(),
            r#"{"ID":"5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d","Name":"cluster-02","Meta":{"env":"production"},"State":"PENDING","StreamStatus":{"ImportedServices":null,"ExportedServices":null,"LastHeartbeat":null,"LastReceive":null,"LastSend":null},"CreateIndex":89,"ModifyIndex":89,"Remote":{"Partition":"","Datacenter":""}}"#
        );
    }

    #[test]
    fn the_zero_time_of_a_silent_stream_is_read_and_written() {
        let text = r#"{"ImportedServices":null,"ExportedServices":null,"LastHeartbeat":null,"LastReceive":"0001-01-01T00:00:00Z","LastSend":"0001-01-01T00:00:00Z"}"#;
        let status: StreamStatus = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), text);
    }
}
