//! The layout of keys: one function per kind of record, and nothing else builds a key.
//!
//! | key | value |
//! |---|---|
//! | `cluster/identity` | who this cluster is, for ever |
//! | `ca/peering` | the peering authority: root, and its key sealed |
//! | `peerings/<name>` | a peering; the list's index is the revision of this directory |
//! | `peering-ids/<id>` | the name that belongs to an id |
//! | `peering-secrets/<id>` | its secrets: hashes, or sealed |
//! | `acl-tokens/<accessor>` | an ACL token: hash of its secret, and the secret sealed |
//! | `acl-secrets/<hash>` | which ACL token has the secret with this hash |
//! | `acl-policies/<id>` | an ACL policy |
//! | `acl-policy-names/<name>` | the id of the policy with this name |
//! | `acl/bootstrap` | the first management token, and whether it was handed out |
//! | `tokens/<id>/<token id>` | a token issued for that peering |
//! | `token-secrets/<hash>` | which token carries the establishment secret with this hash |
//! | `config-entries/<kind>/<name>` | a config entry, such as what is exported |
//! | `tombstones/<id>` | a peering that was deleted here, so that its dialer can be told |
//! | `outbox/<time>-<place>-<random>` | an event that not every consumer has seen |
//! | `cursors/<consumer>` | the revision up to which a consumer has seen events |
//! | `audit/head` | the last line of the audit trail, and the revision up to which it tells events |

use peering_core::config_entry::Kind;
use peering_core::id::{PeeringId, TokenId};
use peering_core::name::PeerName;
use peering_core::secret::SecretHash;
use uuid::Uuid;

/// Directory of all peerings.
pub const PEERINGS: &str = "peerings/";
/// Directory of the tokens of all peerings.
pub const TOKENS: &str = "tokens/";
/// Directory of the secrets of all peerings.
pub const SECRETS: &str = "peering-secrets/";
/// Directory of all ACL tokens.
pub const ACL_TOKENS: &str = "acl-tokens/";
/// Directory of all ACL policies.
pub const ACL_POLICIES: &str = "acl-policies/";
/// The first management token.
pub const ACL_BOOTSTRAP: &str = "acl/bootstrap";
/// Directory of all config entries.
pub const CONFIG_ENTRIES: &str = "config-entries/";
/// Directory of all tombstones.
pub const TOMBSTONES: &str = "tombstones/";
/// Directory of all waiting events.
pub const OUTBOX: &str = "outbox/";
/// Who this cluster is.
pub const CLUSTER: &str = "cluster/identity";
/// The last line of the audit trail.
pub const AUDIT_HEAD: &str = "audit/head";
/// The peering authority.
pub const PEERING_CA: &str = "ca/peering";

/// Key of an ACL token.
#[must_use]
pub fn acl_token(accessor: Uuid) -> String {
    format!("{ACL_TOKENS}{accessor}")
}

/// Key that leads from the hash of a secret to its ACL token.
#[must_use]
pub fn acl_secret(hash: &SecretHash) -> String {
    format!("acl-secrets/{}", hash.to_hex())
}

/// Key of an ACL policy.
#[must_use]
pub fn acl_policy(id: Uuid) -> String {
    format!("{ACL_POLICIES}{id}")
}

/// Key that leads from the name of an ACL policy to its id. Names that differ in case alone are one, as in Consul.
#[must_use]
pub fn acl_policy_name(name: &str) -> String {
    format!("acl-policy-names/{}", name.to_ascii_lowercase())
}

/// Key of a peering.
#[must_use]
pub fn peering(name: &PeerName) -> String {
    format!("{PEERINGS}{name}")
}

/// Key that leads from an id to a name.
#[must_use]
pub fn peering_id(id: &PeeringId) -> String {
    format!("peering-ids/{id}")
}

/// Key of a peering's secrets.
#[must_use]
pub fn secrets(id: &PeeringId) -> String {
    format!("{SECRETS}{id}")
}

/// Directory of a peering's tokens.
#[must_use]
pub fn tokens(id: &PeeringId) -> String {
    format!("{TOKENS}{id}/")
}

/// Key of an issued token.
#[must_use]
pub fn token(peering: &PeeringId, token: &TokenId) -> String {
    format!("{TOKENS}{peering}/{token}")
}

/// Key that leads from an establishment secret's hash to its token.
#[must_use]
pub fn token_secret(hash: &SecretHash) -> String {
    format!("token-secrets/{}", hash.to_hex())
}

/// Key of a config entry.
#[must_use]
pub fn config_entry(kind: Kind, name: &str) -> String {
    format!("{CONFIG_ENTRIES}{}/{name}", kind.as_str())
}

/// Key of a tombstone.
#[must_use]
pub fn tombstone(id: &PeeringId) -> String {
    format!("{TOMBSTONES}{id}")
}

/// Key of an event; `nanoseconds` since 1970 come first so that a listing is roughly in order, then the event's place
/// in its commit.
#[must_use]
pub fn outbox(nanoseconds: i128, at: usize, random: &str) -> String {
    format!("{OUTBOX}{nanoseconds:020}-{at:03}-{random}")
}

/// Key of a consumer's cursor.
#[must_use]
pub fn cursor(consumer: &str) -> String {
    format!("cursors/{consumer}")
}
