//! Issued peering tokens as they are listed: `/v1/peering-tokens`. Ours; Consul lists none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One issued peering token, without its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeeringToken {
    /// Its public name.
    #[serde(rename = "TokenID")]
    pub token_id: String,
    /// Our name for the cluster that it is meant for.
    #[serde(rename = "PeerName")]
    pub peer_name: String,
    /// Our id of the peering, which may have been deleted.
    #[serde(rename = "PeeringID")]
    pub peering_id: String,
    /// Accessor of the ACL token with which it was asked for; empty without access control.
    #[serde(rename = "CreatedBy")]
    pub created_by: String,
    /// When it was issued.
    #[serde(rename = "CreatedAt")]
    pub created_at: Option<Timestamp>,
    /// When it ends by itself, if it does.
    #[serde(rename = "ExpiresAt", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// `unused`, `redeemed`, `superseded`, `expired` or `revoked`.
    #[serde(rename = "State")]
    pub state: String,
    /// Whether revoking it would void something: it is unused, or its stream secret is.
    #[serde(rename = "Revocable")]
    pub revocable: bool,
    /// When it was redeemed, if it was.
    #[serde(rename = "RedeemedAt", skip_serializing_if = "Option::is_none")]
    pub redeemed_at: Option<Timestamp>,
    /// By which address.
    #[serde(rename = "RedeemedFrom", skip_serializing_if = "String::is_empty")]
    pub redeemed_from: String,
    /// The token that took its place.
    #[serde(rename = "SupersededBy", skip_serializing_if = "String::is_empty")]
    pub superseded_by: String,
    /// When it was taken back.
    #[serde(rename = "RevokedAt", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// `operator`, `peering_deleted` or `restored`.
    #[serde(rename = "RevokeReason", skip_serializing_if = "String::is_empty")]
    pub revoke_reason: String,
    /// Index of the write that made it; no two tokens have the same.
    #[serde(rename = "CreateIndex")]
    pub create_index: u64,
    /// Index of the last write to it.
    #[serde(rename = "ModifyIndex")]
    pub modify_index: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_prints_in_consuls_style_with_what_there_is() {
        let token = PeeringToken {
            token_id: "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d".into(),
            peer_name: "cluster-02".into(),
            peering_id: "11111111-2222-3333-4444-555555555555".into(),
            created_at: Some("2026-01-01T00:00:00.5Z".parse().unwrap()),
            state: "unused".into(),
            revocable: true,
            create_index: 7,
            modify_index: 7,
            ..PeeringToken::default()
        };
        let text = serde_json::to_string(&token).unwrap();
        assert_eq!(
            text,
            r#"{"TokenID":"5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d","PeerName":"cluster-02","PeeringID":"11111111-2222-3333-4444-555555555555","CreatedBy":"","CreatedAt":"2026-01-01T00:00:00.5Z","State":"unused","Revocable":true,"CreateIndex":7,"ModifyIndex":7}"#
        );
        assert_eq!(serde_json::from_str::<PeeringToken>(&text).unwrap(), token);
    }
}
