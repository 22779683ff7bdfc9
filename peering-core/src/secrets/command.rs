//! What may be asked of a peering record. Ids, secrets and times are drawn by the caller.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::{RedemptionClaim, SealedSecret};
use crate::id::{PeeringId, TokenId};
use crate::life::RevokeReason;
use crate::meta::Meta;
use crate::name::PeerName;
use crate::peering::Dialed;
use crate::remote::RemoteInfo;
use crate::secret::SecretHash;

/// A request to change a peering record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// An operator wants a token.
    GenerateToken(GenerateToken),
    /// A dialer presents an establishment secret.
    ExchangeSecret(ExchangeSecret),
    /// A dialer presents a stream secret. A pending one is promoted.
    Open(Open),
    /// An operator gave us a token: the write before the exchange.
    BeginEstablish(BeginEstablish),
    /// The exchange succeeded.
    CompleteEstablish(CompleteEstablish),
    /// The peer sent its root certificates.
    StoreTrustBundle {
        /// On an acceptor: the hash of the secret that admitted the stream it came on.
        admitted_by: Option<SecretHash>,
        /// The domain that the bundle names.
        trust_domain: String,
        /// The roots, checked and in PEM.
        roots: Vec<String>,
    },
    /// The acceptor sent its addresses.
    StoreServerAddresses(Vec<crate::address::ServerAddress>),
    /// An operator takes a token back.
    RevokeToken {
        /// Which.
        token: TokenId,
        /// Why.
        reason: RevokeReason,
    },
    /// A token that expired a while ago is swept, if the peering still waits with it.
    ForgetExpired(TokenId),
    /// An operator ends the peering.
    Delete,
    /// Everything that hung on a deleted peering is gone.
    FinishDelete,
    /// The peer ended the peering.
    PeerTerminated {
        /// On an acceptor: the hash of the secret that admitted the stream that said so.
        admitted_by: Option<SecretHash>,
    },
}

impl Command {
    /// Says whether this only takes trust away. Where there is little room, what does has precedence.
    ///
    /// # Examples
    /// ```
    /// use peering_core::secrets::Command;
    ///
    /// assert!(Command::Delete.takes_trust_away());
    /// assert!(!Command::StoreServerAddresses(Vec::new()).takes_trust_away());
    /// ```
    #[must_use]
    pub const fn takes_trust_away(&self) -> bool {
        match self {
            Self::RevokeToken { .. }
            | Self::ForgetExpired(_)
            | Self::Delete
            | Self::FinishDelete
            | Self::PeerTerminated { .. } => true,
            Self::GenerateToken(_)
            | Self::ExchangeSecret(_)
            | Self::Open(_)
            | Self::BeginEstablish(_)
            | Self::CompleteEstablish(_)
            | Self::StoreTrustBundle { .. }
            | Self::StoreServerAddresses(_) => false,
        }
    }
}

/// Asks for a new establishment secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateToken {
    /// The peering's id, should there be none yet.
    pub candidate_id: PeeringId,
    /// The peer's name.
    pub name: PeerName,
    /// Metadata; ignored if the peering exists.
    pub meta: Meta,
    /// Public name of the new token.
    pub token: TokenId,
    /// Hash of the new establishment secret.
    pub secret: SecretHash,
    /// When the token ends by itself.
    pub expires: Option<Timestamp>,
    /// The accessor of whoever asks for it.
    pub by: Option<Uuid>,
}

/// Presents an establishment secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeSecret {
    /// Hash of what was presented.
    pub establishment: SecretHash,
    /// Hash of the stream secret that the dialer gets if it is accepted.
    pub candidate: SecretHash,
    /// The dialer's claim to ask again.
    pub redemption: Option<RedemptionClaim>,
    /// Where it comes from.
    pub from: Option<IpAddr>,
}

/// Presents a stream secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Hash of what was presented.
    pub secret: SecretHash,
    /// What the dialer says of itself; stored on promotion only.
    pub remote: RemoteInfo,
}

/// What a token told about the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerDetails {
    /// Public name of the token, if it has one.
    pub token: Option<TokenId>,
    /// Whom to dial, and where.
    pub dialed: Dialed,
    /// Roots to trust.
    pub roots: Vec<String>,
    /// Where the peer says it is.
    pub remote: RemoteInfo,
    /// What the operator attached.
    pub meta: Meta,
}

/// Asks whether a token may be used under this name, and makes the record if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginEstablish {
    /// The peering's id, should there be none yet.
    pub candidate_id: PeeringId,
    /// The peer's name.
    pub name: PeerName,
    /// What the token says.
    pub details: PeerDetails,
}

/// Stores what an exchange brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteEstablish {
    /// The peering for which the exchange was begun.
    pub id: PeeringId,
    /// What the token says.
    pub details: PeerDetails,
    /// The stream secret, sealed.
    pub sealed: SealedSecret,
    /// Its hash.
    pub secret: SecretHash,
    /// Whether a stream runs now: then the addresses that it brought are newer than the token's.
    pub is_connected: bool,
}
