//! Secrets of a peering and their supersession: the heart of the product.
//!
//! An acceptor keeps at most one establishment secret (E), one pending (P) and one active (A) stream secret, all as
//! hashes; a dialer keeps its stream secret sealed. [`apply`] is the only function that changes them:
//!
//! | before (E,P,A) | generate | exchange(E) | open(P) | open(A) |
//! |---|---|---|---|---|
//! | (·,·,·) | (e1,·,·) | refused | refused | refused |
//! | (e1,·,·) | (e2,·,·), e1 void | (·,p1,·) | – | – |
//! | (·,p1,·) | (e2,p1,·) | refused | (·,·,p1) | – |
//! | (e2,p1,·) | (e3,p1,·) | (·,p2,·), p1 void | (e2,·,p1) | – |
//! | (·,·,a1) | (e2,·,a1) | refused | – | (·,·,a1) |
//! | (e2,·,a1) | (e3,·,a1), e2 void | (·,p2,a1) | – | (e2,·,a1) |
//! | (·,p2,a1) | (e3,p2,a1) | refused | (·,·,p2), a1 void | (·,p2,a1) |
//! | (e3,p2,a1) | (e4,p2,a1) | (·,p3,a1), p2 void | (e3,·,p2), a1 void | (e3,p2,a1) |
//!
//! Rows and texts are those of Consul 1.21, except that a token is never issued which cannot work: generating for a
//! peering that is being deleted is refused, and generating for a terminated one begins anew.

mod acceptor;
mod apply;
mod command;
mod dialer;
#[cfg(test)]
mod invariants;
mod lifecycle;
mod refusal;
#[cfg(test)]
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use apply::apply;
pub use command::{BeginEstablish, Command, CompleteEstablish, ExchangeSecret, GenerateToken, Open, PeerDetails};
pub use refusal::{Refusal, SecretCause};

use crate::id::{PeeringId, TokenId};
use crate::life::TokenLife;
use crate::name::PeerName;
use crate::peering::Peering;
use crate::secret::SecretHash;

/// How long the dialer that redeemed a token may ask again for the same stream secret.
pub const REDEMPTION_WINDOW: Duration = Duration::from_secs(10 * 60);

/// Everything that one decision about a peering reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The peering, if there is one.
    pub peering: Option<Peering>,
    /// Its secrets.
    pub secrets: PeeringSecrets,
    /// Those of its tokens that the decision may concern: at least the ones that `secrets` names and the one whose
    /// secret a command presents.
    pub tokens: BTreeMap<TokenId, IssuedToken>,
}

/// A peering token that was issued: its life, and the hash of its establishment secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedToken {
    /// The peering that it is for.
    pub peering: PeeringId,
    /// The name of that peering, by which the token is listed when the peering is gone. The first releases did not keep
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PeerName>,
    /// Hash of its establishment secret.
    pub secret: SecretHash,
    /// What became of it.
    pub life: TokenLife,
    /// The accessor of the ACL token by which it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Uuid>,
}

/// The secrets of one peering.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringSecrets {
    /// E: the one token that may still be redeemed.
    pub establishment: Option<Establishment>,
    /// P: handed out, not yet used.
    pub pending: Option<Pending>,
    /// A: the secret of the running peering. On a dialer, the hash of [`PeeringSecrets::own`].
    pub active: Option<SecretHash>,
    /// A dialer's stream secret, sealed by its keyring.
    pub own: Option<SealedSecret>,
}

impl PeeringSecrets {
    /// Says whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An establishment secret that was not used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Establishment {
    /// Its hash.
    pub secret: SecretHash,
    /// The token that carries it.
    pub token: TokenId,
}

/// A stream secret that was handed out and not used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its hash.
    pub secret: SecretHash,
    /// The token that was redeemed for it.
    pub token: TokenId,
    /// Hash of that token's establishment secret.
    pub spent: SecretHash,
    /// Who may ask for it again, if the dialer said so.
    pub redemption: Option<RedemptionClaim>,
    /// When it was handed out.
    pub exchanged_at: Timestamp,
}

/// A dialer's claim to be told the same stream secret again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedemptionClaim {
    /// Hash of what the dialer sent along.
    pub hash: SecretHash,
    /// The keyring's key that the stream secret was derived with.
    pub key_id: String,
}

/// A secret that the server's keyring sealed; opaque here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(pub serde_json::Value);

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedSecret")
    }
}
