//! Why a command is refused: typed inside, in Consul's words outside.

use thiserror::Error;

use crate::id::{PeeringId, TokenId};
use crate::life::TokenState;
use crate::name::PeerName;

/// Why an establishment secret was not accepted. Operators may know; callers get one text for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretCause {
    /// Nothing was presented.
    Empty,
    /// No token with this secret was ever issued for this peering, or it was swept.
    Unknown,
    /// Another dialer used it, or the same one asked again too late.
    Spent,
    /// A newer token took its place.
    Superseded,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// The peering was deleted or terminated.
    PeeringEnded,
}

impl SecretCause {
    /// Returns the cause in one word, for logs and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unknown => "unknown",
            Self::Spent => "spent",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::PeeringEnded => "peering_ended",
        }
    }
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The establishment secret is not accepted. One text, whatever the cause.
    #[error("invalid peering establishment secret")]
    Establishment(SecretCause),
    /// Neither the active nor the pending stream secret.
    #[error("invalid peering stream secret")]
    Stream,
    /// The peering holds no secret at all.
    #[error("unable to authorize connection, peering must be re-established")]
    NoSecrets,
    /// The stream secret is right, but it is we who dial.
    #[error("expected PeerID to be empty; the wrong end of peering is being dialed")]
    WrongEnd,
    /// An open for a peering that was deleted or terminated.
    #[error("peering is marked as deleted: {id}")]
    Ended {
        /// The peering.
        id: PeeringId,
        /// Whether the peer ended it, so that it need not be told.
        by_peer: bool,
    },
    /// A token was asked for a peering that we dial.
    #[error("cannot create peering with name: {:?}; there is already an established peering", .0.as_str())]
    AlreadyDialed(PeerName),
    /// A token is to be used under a name for which we issued tokens.
    #[error(
        "cannot create peering with name: {:?}; there is an existing peering expecting to be dialed", .0.as_str()
    )]
    ExpectsDialing(PeerName),
    /// A write to a peering that is being deleted.
    #[error("failed to write peering: cannot write to peering that is marked for deletion")]
    MarkedForDeletion,
    /// The peering was deleted while the exchange was under way.
    #[error(
        "failed to write peering: it was deleted while it was being established; the token is spent, generate another"
    )]
    DeletedMeanwhile,
    /// There is no such peering.
    #[error("there is no such peering")]
    NoPeering,
    /// There is no such token.
    #[error("no token {0} was issued here, or its record was swept")]
    NoToken(TokenId),
    /// The token's stream secret was used, or replaced by that of a newer token; there is nothing to take back.
    #[error("token {0} was redeemed and its stream secret was used or replaced; delete the peering to end it")]
    TokenInUse(TokenId),
    /// The token ended already.
    #[error("token {token} is {} already; there is nothing left to revoke", .state.as_str())]
    TokenEnded {
        /// Which.
        token: TokenId,
        /// How.
        state: TokenState,
    },
    /// The token's peering was deleted, and every secret with it.
    #[error("the peering that token {0} was for was deleted; there is nothing left to revoke")]
    TokenOfDeleted(TokenId),
    /// A trust bundle for another trust domain than this peer's.
    #[error(
        "trust bundle is for trust domain {got:?}, expected {expected:?}; re-establish the peering if the peer was rebuilt"
    )]
    ForeignTrustDomain {
        /// The peer's domain.
        expected: String,
        /// The bundle's.
        got: String,
    },
    /// Addresses for an acceptor, or none for a dialer: that would turn one into the other. The text is Consul's.
    #[error("Cannot switch peering dialing mode from {from} to {to}")]
    DialingMode {
        /// Whether we dial.
        from: bool,
        /// Whether we would.
        to: bool,
    },
}
