//! What a decision amounts to: the next record, what it superseded, and the events to publish.
//!
//! Every dialect's rules return a [`Transition`]. A service commits it on condition that the record has not changed,
//! with the events in the same commit, and acts on them afterwards.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{PeeringId, TokenId};
use crate::life::RevokeReason;
use crate::name::PeerName;

/// The outcome of a rule that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition<R> {
    /// The record as it is to be stored.
    pub next: R,
    /// Whether the main record is written even if it is equal to the old one, so that its index moves.
    pub touched: bool,
    /// Tokens that lost their use to a newer one.
    pub superseded: Vec<TokenId>,
    /// What to tell others, in order.
    pub events: Vec<Event>,
}

impl<R> Transition<R> {
    /// Keeps the record as it is.
    #[must_use]
    pub const fn unchanged(record: R) -> Self {
        Self { next: record, touched: false, superseded: Vec::new(), events: Vec::new() }
    }
}

/// Something that happened, in words that may be logged and kept: no variant carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// The peering concerned.
    pub peering: PeeringId,
    /// Its local name.
    pub name: PeerName,
    /// What happened.
    pub what: What,
}

/// What happened to a peering or to one of its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// A peering token was issued.
    TokenGenerated {
        /// Its public name.
        token: TokenId,
        /// When it ends by itself.
        expires: Option<Timestamp>,
    },
    /// An unused token lost its use to a newer one.
    TokenSuperseded {
        /// The older token.
        token: TokenId,
        /// The newer one.
        by: TokenId,
    },
    /// A token was used: its establishment secret was exchanged.
    TokenRedeemed {
        /// Its public name.
        token: TokenId,
        /// By which address.
        from: Option<IpAddr>,
    },
    /// A token was taken back.
    TokenRevoked {
        /// Its public name.
        token: TokenId,
        /// Why.
        reason: RevokeReason,
    },
    /// A pending stream secret was used for the first time and is now the active one.
    StreamSecretPromoted,
    /// After a promotion the peer turned out to have another trust domain than before. Worth a warning.
    TrustDomainChanged {
        /// The domain before.
        from: String,
        /// The domain now.
        to: String,
    },
    /// We began to establish a peering: the record was made.
    EstablishBegun,
    /// We exchanged a token's secret and may dial.
    Established,
    /// The peer's root certificates were stored.
    TrustBundleStored {
        /// How many.
        roots: usize,
    },
    /// The peer's server addresses were stored.
    ServerAddressesStored {
        /// How many.
        addresses: usize,
    },
    /// We ended the peering.
    Deleted,
    /// The record of an ended peering is gone.
    Removed,
    /// The peer ended the peering.
    Terminated,
}
