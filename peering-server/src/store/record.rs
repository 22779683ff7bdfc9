//! Stored shapes: what core's types look like in the store, versioned, so that both may change.
//!
//! Every value is a JSON object with a version `v`, the id of the transaction that wrote it (`txn`, by which an
//! uncertain commit is recognised when it is read back), and `data`.

use jiff::Timestamp;
use peering_core::acl::{AclEvent, Policy, Token};
use peering_core::audit::Head;
use peering_core::config_entry::ConfigEntry;
use peering_core::id::{PeeringId, TokenId};
use peering_core::meta::Meta;
use peering_core::name::{Datacenter, PeerName, TrustDomain};
use peering_core::peering::{PeerDomain, Peering, Side, Stored};
use peering_core::remote::RemoteInfo;
use peering_core::secret::SecretHash;
use peering_core::secrets::{IssuedToken, PeeringSecrets};
use peering_core::transition::Event;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::keyring::Sealed;

mod sealed_by;

pub use sealed_by::{SEALED_DIRECTORIES, sealed_by};

/// The version that is written.
pub const RECORD_VERSION: u32 = 1;

/// Says why a stored value cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by a newer release.
    #[error(
        "record {key} has version {got}, this release reads up to {RECORD_VERSION}; start the release that wrote it"
    )]
    Newer {
        /// Its key.
        key: String,
        /// Its version.
        got: u32,
    },
    /// Not what this release writes under such a key.
    #[error("record {key} cannot be read; restore the store from a backup")]
    Malformed {
        /// Its key.
        key: String,
        /// Where reading stopped. Stored values hold no secret in clear, so this may be shown.
        #[source]
        source: serde_json::Error,
    },
    /// Something sealed, or the id of the key that sealed it, is not what this release writes.
    #[error("{what} in the store cannot be read; restore the store from a backup")]
    Sealed {
        /// What it should be.
        what: &'static str,
    },
}

#[derive(Serialize)]
struct EnvelopeOut<'a, T> {
    v: u32,
    txn: Uuid,
    data: &'a T,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
    txn: Uuid,
}

#[derive(Deserialize)]
struct EnvelopeIn<T> {
    data: T,
}

/// A core type that has a stored shape.
pub trait Kept: Sized {
    /// Its shape in the present version.
    type Shape: Serialize + DeserializeOwned;

    /// Converts for writing.
    fn to_shape(&self) -> Self::Shape;

    /// Converts what was read.
    fn from_shape(shape: Self::Shape) -> Self;
}

/// Writes a value.
///
/// # Errors
/// [`RecordError::Malformed`] if the value has no JSON form, which none of ours lacks.
pub fn encode<T: Kept>(key: &str, value: &T, txn: Uuid) -> Result<Vec<u8>, RecordError> {
    let envelope = EnvelopeOut { v: RECORD_VERSION, txn, data: &value.to_shape() };
    let written = serde_json::to_vec(&envelope);
    let mut bytes = written.map_err(|source| RecordError::Malformed { key: key.to_owned(), source })?;
    // Stores keep recent values for their watchers, bounded by length: what was set aside for writing goes back.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Reads a value.
///
/// # Errors
/// [`RecordError`] if it is newer than this release or malformed.
pub fn decode<T: Kept>(key: &str, bytes: &[u8]) -> Result<T, RecordError> {
    let malformed = |source| RecordError::Malformed { key: key.to_owned(), source };
    let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
    if version.v > RECORD_VERSION {
        return Err(RecordError::Newer { key: key.to_owned(), got: version.v });
    }
    let envelope: EnvelopeIn<T::Shape> = serde_json::from_slice(bytes).map_err(malformed)?;
    Ok(T::from_shape(envelope.data))
}

/// Returns the id of the transaction that wrote a value, if it can be read.
#[must_use]
pub fn written_by(bytes: &[u8]) -> Option<Uuid> {
    serde_json::from_slice::<Version>(bytes).ok().map(|version| version.txn)
}

/// Stored shape of a peering.
#[derive(Serialize, Deserialize)]
pub struct PeeringShape {
    local_id: PeeringId,
    name: PeerName,
    state: Stored,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    #[serde(default)]
    meta: Meta,
    #[serde(default)]
    remote: RemoteInfo,
    #[serde(default)]
    roots: Vec<String>,
    #[serde(default)]
    domain: PeerDomain,
    #[serde(flatten)]
    side: Side,
}

impl Kept for Peering {
    type Shape = PeeringShape;

    fn to_shape(&self) -> PeeringShape {
        let Self { local_id, name, state, deleted_at, meta, remote, roots, domain, side } = self.clone();
        PeeringShape { local_id, name, state, deleted_at, meta, remote, roots, domain, side }
    }

    fn from_shape(shape: PeeringShape) -> Self {
        let PeeringShape { local_id, name, state, deleted_at, meta, remote, roots, domain, side } = shape;
        Self { local_id, name, state, deleted_at, meta, remote, roots, domain, side }
    }
}

/// An ACL token as it is kept: with its secret sealed, to show it to whoever may change tokens. That of the anonymous
/// token is known to all and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAclToken {
    /// The token.
    pub token: Token,
    /// Its secret, sealed.
    pub sealed: Option<Sealed>,
}

/// Stored shape of an ACL token.
#[derive(Serialize, Deserialize)]
pub struct AclTokenShape {
    accessor: Uuid,
    secret: SecretHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
    description: String,
    policies: Vec<Uuid>,
    local: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    created: Timestamp,
}

impl Kept for StoredAclToken {
    type Shape = AclTokenShape;

    fn to_shape(&self) -> AclTokenShape {
        let Self { token, sealed } = self.clone();
        let Token { accessor, secret, description, policies, local, expires, created } = token;
        AclTokenShape { accessor, secret, sealed, description, policies, local, expires, created }
    }

    fn from_shape(shape: AclTokenShape) -> Self {
        let AclTokenShape { accessor, secret, sealed, description, policies, local, expires, created } = shape;
        Self { token: Token { accessor, secret, description, policies, local, expires, created }, sealed }
    }
}

/// Stored shape of an ACL policy.
#[derive(Serialize, Deserialize)]
pub struct AclPolicyShape {
    id: Uuid,
    name: String,
    description: String,
    rules: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    datacenters: Vec<String>,
}

impl Kept for Policy {
    type Shape = AclPolicyShape;

    fn to_shape(&self) -> AclPolicyShape {
        let Self { id, name, description, rules, datacenters } = self.clone();
        AclPolicyShape { id, name, description, rules, datacenters }
    }

    fn from_shape(shape: AclPolicyShape) -> Self {
        let AclPolicyShape { id, name, description, rules, datacenters } = shape;
        Self { id, name, description, rules, datacenters }
    }
}

/// Leads from a secret to an ACL token, or from a name to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclPointer {
    /// Accessor of the token, or id of the policy.
    pub id: Uuid,
}

/// The first management token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclBootstrap {
    /// Its accessor.
    pub accessor: Uuid,
    /// Whether it was handed out over the API.
    pub done: bool,
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OutboxRow {
    /// Of a peering.
    Peering(Event),
    /// Of tokens and policies.
    Acl(AclEvent),
}

/// Who a cluster is: drawn once, in the store's first transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// Its trust domain.
    pub trust_domain: TrustDomain,
    /// Its datacenter's name; part of every certificate and token, so it never changes.
    pub datacenter: Datacenter,
}

/// An authority: its root certificate, and its key sealed by the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAuthority {
    /// The root certificate in PEM.
    pub root_pem: String,
    /// The private key in PEM, sealed.
    pub sealed_key: Sealed,
}

/// Which token carries an establishment secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPointer {
    /// The peering it is for.
    pub peering: PeeringId,
    /// The token.
    pub token: TokenId,
}

/// A peering that was deleted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// When.
    pub deleted_at: Timestamp,
}

/// How far a consumer of events has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Revision of the last event it has seen.
    pub revision: u64,
}

/// How far the audit trail has come: its last line, and the events that it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last line.
    pub head: Head,
    /// Revision of the last event that is in the trail.
    pub revision: u64,
}

/// These are their own shape in version 1: what was made for the store, and core's types that are plain data. One that
/// changes in core gets a shape of its own here, with the old form.
macro_rules! kept_as_is {
    ($($name:ty),+) => {
        $(impl Kept for $name {
            type Shape = Self;

            fn to_shape(&self) -> Self {
                self.clone()
            }

            fn from_shape(shape: Self) -> Self {
                shape
            }
        })+
    };
}

kept_as_is!(
    ClusterIdentity,
    StoredAuthority,
    TokenPointer,
    Tombstone,
    Cursor,
    AuditHead,
    PeerName,
    PeeringSecrets,
    IssuedToken,
    ConfigEntry,
    Event,
    AclPointer,
    AclBootstrap,
    OutboxRow
);

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_round_trips_and_tells_who_wrote_it() {
        let txn = Uuid::from_u128(7);
        let tombstone = Tombstone { deleted_at: "2026-01-01T00:00:00Z".parse().unwrap() };
        let bytes = encode("tombstones/x", &tombstone, txn).unwrap();
        assert_eq!(decode::<Tombstone>("tombstones/x", &bytes).unwrap(), tombstone);
        assert_eq!(written_by(&bytes), Some(txn));
    }

    #[test]
    fn a_newer_record_is_refused_by_name_and_version() {
        let bytes = br#"{"v":2,"txn":"00000000-0000-0000-0000-000000000000","data":{"other":1}}"#;
        let error = decode::<Tombstone>("tombstones/x", bytes).unwrap_err();
        assert!(matches!(error, RecordError::Newer { got: 2, .. }), "{error}");
    }

    #[test]
    fn a_malformed_record_is_refused_by_name() {
        let error = decode::<Tombstone>("tombstones/x", b"{").unwrap_err();
        assert!(error.to_string().contains("tombstones/x"));
    }
}
