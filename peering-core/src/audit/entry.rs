//! What one line of the audit trail tells.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::acl::{AclChange, AclEvent};
use crate::id::{PeeringId, TokenId};
use crate::transition::{Event, Origin, What};

/// Names of events that are not those of a peering, an ACL token or a policy.
pub mod event {
    /// The first line of a trail.
    pub const TRAIL_BEGUN: &str = "trail_begun";
    /// A server begins to write, again or for the first time.
    pub const STARTED: &str = "started";
    /// An event that this release cannot read.
    pub const UNREADABLE: &str = "unreadable";
    /// Half a line, left by a crash, was cut off before this one.
    pub const RECOVERED: &str = "recovered";
    /// A secret or a token was refused, perhaps many times.
    pub const REFUSED: &str = "refused";
    /// All lines before this one are vouched for.
    pub const CHECKPOINT: &str = "checkpoint";
}

/// How something ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It was done.
    #[default]
    Done,
    /// It was refused.
    Refused,
    /// It was tried and did not succeed.
    Failed,
    /// What a newer release knows.
    #[serde(other)]
    Unknown,
}

/// What one line tells: names only, never a secret. What does not apply is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub event: Cow<'static, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Public name of the peering token concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// The token that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<TokenId>,
    /// When the token ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The peering concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering: Option<PeeringId>,
    /// Our name for the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Accessor of the ACL token of whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Uuid>,
    /// Address of whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// User of this machine who asked for it over a unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// Why, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cow<'static, str>>,
    /// How often, for refusals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The peer's trust domain before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_domain_before: Option<String>,
    /// The peer's trust domain now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// How many roots or addresses were stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<usize>,
    /// Accessor of the ACL token concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl_token: Option<Uuid>,
    /// Id of the ACL policy concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl_policy: Option<Uuid>,
    /// Name of that policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl_policy_name: Option<String>,
    /// What the first line calls its trail: drawn once, so that no two trails are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<Uuid>,
    /// The server that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Bytes of half a line that were cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_bytes: Option<u64>,
    /// Public name of the key that signed a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The signature in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The store's revision that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Which row of the outbox it was, so that none is written twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
}

impl Entry {
    /// Begins an entry of something that was done.
    #[must_use]
    pub fn new(time: Timestamp, event: &'static str) -> Self {
        Self {
            time,
            event: Cow::Borrowed(event),
            outcome: Outcome::Done,
            token: None,
            superseded_by: None,
            expires: None,
            peering: None,
            peer: None,
            actor: None,
            source: None,
            user: None,
            cause: None,
            count: None,
            first: None,
            last: None,
            trust_domain_before: None,
            trust_domain: None,
            stored: None,
            acl_token: None,
            acl_policy: None,
            acl_policy_name: None,
            trail: None,
            node: None,
            dropped_bytes: None,
            key: None,
            signature: None,
            revision: None,
            row: None,
        }
    }

    /// Says who asked for it.
    #[must_use]
    pub fn asked_by(self, origin: Origin) -> Self {
        let Origin { actor, source, user } = origin;
        Self { actor, source, user, ..self }
    }

    /// Says whether this is part of a token's story.
    #[must_use]
    pub fn concerns(&self, token: TokenId) -> bool {
        self.token == Some(token) || self.superseded_by == Some(token)
    }
}

impl From<&Event> for Entry {
    fn from(event: &Event) -> Self {
        let about = |name| Self {
            peering: Some(event.peering),
            peer: Some(event.name.as_str().to_owned()),
            ..Self::new(event.at, name).asked_by(event.origin)
        };
        match &event.what {
            What::TokenGenerated { token, expires } => {
                Self { token: Some(*token), expires: *expires, ..about("token_generated") }
            }
            What::TokenSuperseded { token, by } => {
                Self { token: Some(*token), superseded_by: Some(*by), ..about("token_superseded") }
            }
            What::TokenRedeemed { token, from } => {
                let entry = about("token_redeemed");
                Self { token: Some(*token), source: from.or(entry.source), ..entry }
            }
            What::TokenRevoked { token, reason } => {
                let cause = Some(Cow::Borrowed(reason.as_str()));
                Self { token: Some(*token), cause, ..about("token_revoked") }
            }
            What::StreamSecretPromoted { token } => Self { token: *token, ..about("stream_secret_promoted") },
            What::TrustDomainChanged { from, to } => Self {
                trust_domain_before: Some(from.clone()),
                trust_domain: Some(to.clone()),
                ..about("trust_domain_changed")
            },
            What::EstablishBegun { token } => Self { token: *token, ..about("establish_begun") },
            What::Established { token } => Self { token: *token, ..about("established") },
            What::TrustBundleStored { roots } => Self { stored: Some(*roots), ..about("trust_bundle_stored") },
            What::ServerAddressesStored { addresses } => {
                Self { stored: Some(*addresses), ..about("server_addresses_stored") }
            }
            What::Deleted => about("peering_deleted"),
            What::Removed => about("peering_removed"),
            What::Terminated => about("peering_terminated"),
        }
    }
}

impl From<&AclEvent> for Entry {
    fn from(event: &AclEvent) -> Self {
        let begun = |name| Self::new(event.at, name).asked_by(event.origin);
        let of_token = |name, accessor| Self { acl_token: Some(accessor), ..begun(name) };
        let of_policy = |name, id, policy: &String| Self {
            acl_policy: Some(id),
            acl_policy_name: Some(policy.clone()),
            ..begun(name)
        };
        match &event.acl {
            AclChange::ManagementTokenMade { accessor } => of_token("acl_management_token_made", *accessor),
            AclChange::Bootstrapped { accessor } => of_token("acl_bootstrapped", *accessor),
            AclChange::TokenCreated { accessor } => of_token("acl_token_created", *accessor),
            AclChange::TokenUpdated { accessor } => of_token("acl_token_updated", *accessor),
            AclChange::TokenDeleted { accessor } => of_token("acl_token_deleted", *accessor),
            AclChange::TokenExpired { accessor } => of_token("acl_token_expired", *accessor),
            AclChange::PolicyCreated { id, name } => of_policy("acl_policy_created", *id, name),
            AclChange::PolicyUpdated { id, name } => of_policy("acl_policy_updated", *id, name),
            AclChange::PolicyDeleted { id, name } => of_policy("acl_policy_deleted", *id, name),
        }
    }
}
