//! What a decision amounts to: the next record, what it superseded, and the events to publish.
//!
//! Every dialect's rules return a [`Transition`]. A service commits it on condition that the record has not changed,
//! with the events in the same commit, and acts on them afterwards.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// Notes on every event who asked for the change; rules do not care who asks.
    #[must_use]
    pub fn asked_by(mut self, origin: Origin) -> Self {
        for event in &mut self.events {
            event.origin = origin;
        }
        self
    }

    /// Keeps the record as it is.
    #[must_use]
    pub const fn unchanged(record: R) -> Self {
        Self { next: record, touched: false, superseded: Vec::new(), events: Vec::new() }
    }
}

/// Who asked for a change, and from where. Nobody did if the server acts by itself.
///
/// # Examples
/// ```
/// use peering_core::transition::Origin;
///
/// let over_tcp = Origin { source: Some("192.0.2.1".parse()?), ..Origin::default() };
/// assert_eq!(serde_json::to_string(&over_tcp)?, r#"{"source":"192.0.2.1"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The accessor of the ACL token that was presented; none without access control.
    #[serde(rename = "by", default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Uuid>,
    /// The address of the caller; none over a unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The user id of the caller over a unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
}

impl Origin {
    /// A peer at an address, who presents a secret and no ACL token.
    #[must_use]
    pub const fn of_peer(source: Option<IpAddr>) -> Self {
        Self { actor: None, source, user: None }
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
    /// Who asked for it.
    #[serde(flatten)]
    pub origin: Origin,
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
    StreamSecretPromoted {
        /// The token that it came from; not known of older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<TokenId>,
    },
    /// After a promotion the peer turned out to have another trust domain than before. Worth a warning.
    TrustDomainChanged {
        /// The domain before.
        from: String,
        /// The domain now.
        to: String,
    },
    /// We began to establish a peering: the record was made.
    EstablishBegun {
        /// The token, if it has a name; not known of older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<TokenId>,
    },
    /// We exchanged a token's secret and may dial.
    Established {
        /// The token, if it has a name; not known of older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<TokenId>,
    },
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
