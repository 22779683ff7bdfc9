//! Exchange establishment secrets, and admit dialers by their stream secrets.

use std::net::IpAddr;

use peering_core::id::{PeeringId, TokenId};
use peering_core::name::PeerName;
use peering_core::peering::{Peering, Stored};
use peering_core::remote::RemoteInfo;
use peering_core::secret::{EstablishmentSecret, Redemption, SecretHash, StreamSecret};
use peering_core::secrets::{Command, ExchangeSecret, Open, Record, RedemptionClaim, Refusal};
use peering_core::transition::Origin;
use thiserror::Error;
use tracing::warn;

use super::records::{By, Target};
use super::refusals::Refused;
use super::{Service, ServiceError};
use crate::keyring::{KeyId, Keyring, Label};
use crate::metrics;
use crate::store::key;
use crate::store::record::RecordError;

/// A dialer's question for a stream secret.
#[derive(Debug)]
pub struct Exchange {
    /// Our id of the peering, as text.
    pub peer_id: String,
    /// The secret of its token.
    pub establishment: EstablishmentSecret,
    /// What lets it ask again; checked to be 64 hexadecimal digits by the edge.
    pub redemption: Option<Redemption>,
    /// Where it comes from.
    pub from: Option<IpAddr>,
}

/// Why a dialer is not admitted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It named no peering.
    #[error("initial subscription request must specify a PeerID")]
    EmptyId,
    /// What it named is no id.
    #[error("failed to find PeerID: {0}")]
    MalformedId(String),
    /// There is no such peering.
    #[error("initial subscription for unknown PeerID: {0}")]
    UnknownId(PeeringId),
    /// The peering ended.
    #[error("peering is marked as deleted: {id}")]
    Ended {
        /// The peering.
        id: PeeringId,
        /// Whether the dialer is to be told by a Terminated frame first: it did not end the peering itself.
        tell: bool,
    },
    /// Core refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The promotion could not be stored.
    #[error("failed to persist peering: {0}")]
    Store(#[source] ServiceError),
}

impl OpenError {
    /// Returns the reason in one word, for counting.
    pub(crate) const fn cause(&self) -> &'static str {
        match self {
            Self::EmptyId => "empty_id",
            Self::MalformedId(_) => "malformed_id",
            Self::UnknownId(_) => "unknown_id",
            Self::Ended { .. } => "ended",
            Self::Refused(Refusal::Stream) => "stream_secret_wrong",
            Self::Refused(Refusal::NoSecrets) => "no_secrets",
            Self::Refused(Refusal::WrongEnd) => "wrong_end",
            Self::Refused(_) => "refused",
            Self::Store(_) => "store",
        }
    }
}

impl Service {
    /// Exchanges an establishment secret for a stream secret.
    ///
    /// The same dialer asking again with the same redemption gets the same answer until the stream secret is used.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] with one text, whatever the cause; the cause is logged.
    pub(crate) async fn exchange_secret(&self, ask: Exchange) -> Result<StreamSecret, ServiceError> {
        let _timed = self.metrics.time(&metrics::EXCHANGE_SECRET);
        let id = PeeringId::parse(&ask.peer_id).map_err(ServiceError::PeeringId)?;
        let establishment = ask.establishment.hash();
        let random = self.entropy.bytes16();
        let mut answer = None;
        let target = Target { by: By::Id(id), presented: Some(establishment), token: None };
        let mut presented = None;
        let outcome = self
            .transact(target, Origin::of_peer(ask.from), |record| {
                presented = Presented::of(record, establishment);
                let (candidate, redemption) = stream_secret_for(&self.keyring, &ask, id, record, random)?;
                let command = ExchangeSecret { establishment, candidate: candidate.hash(), redemption, from: ask.from };
                answer = Some(candidate);
                Ok(Command::ExchangeSecret(command))
            })
            .await;
        match (outcome, answer) {
            (Ok(_), Some(secret)) => Ok(secret),
            (Ok(_), None) => Err(ServiceError::OutcomeUnknown),
            (Err(error), _) => {
                if let ServiceError::Refused(Refusal::Establishment(cause)) = &error
                    && let Some(times) = self.note_refusal(of_token(cause.as_str(), ask.from, presented))
                {
                    let source = ask.from.map(|from| from.to_string());
                    warn!(peer_id = %id, cause = cause.as_str(), source, times, "establishment secret refused");
                }
                Err(error)
            }
        }
    }

    /// Admits a dialer, promoting its stream secret if it is the pending one.
    ///
    /// # Errors
    /// [`OpenError`] in the order of Consul's checks.
    pub(crate) async fn admit(
        &self,
        peer_id: &str,
        stream_secret: &StreamSecret,
        remote: RemoteInfo,
        from: Option<IpAddr>,
    ) -> Result<Peering, OpenError> {
        if peer_id.is_empty() {
            return Err(OpenError::EmptyId);
        }
        let id = PeeringId::parse(peer_id)
            .map_err(|_| OpenError::MalformedId(peering_core::foreign::echo(peer_id).to_owned()))?;
        let secret = stream_secret.hash();
        let outcome = self
            .transact(id, Origin::of_peer(from), |_| Ok(Command::Open(Open { secret, remote: remote.clone() })))
            .await;
        match outcome {
            Ok(transition) => transition.next.peering.ok_or(OpenError::UnknownId(id)),
            Err(ServiceError::Refused(Refusal::Ended { id, by_peer })) => Err(OpenError::Ended { id, tell: !by_peer }),
            Err(ServiceError::Refused(Refusal::NoPeering)) => Err(self.gone(id).await),
            Err(ServiceError::Refused(refusal)) => Err(OpenError::Refused(refusal)),
            Err(error) => Err(OpenError::Store(error)),
        }
    }

    /// Says why a peering is not there: deleted not long ago, or never known.
    async fn gone(&self, id: PeeringId) -> OpenError {
        match self.store.get(&key::tombstone(&id)).await {
            Ok(Some(_)) => OpenError::Ended { id, tell: true },
            Ok(None) => OpenError::UnknownId(id),
            Err(error) => OpenError::Store(error.into()),
        }
    }

    /// Checks that an admitted peering has not ended meanwhile.
    ///
    /// # Errors
    /// [`OpenError::Ended`] if it has.
    pub(crate) async fn still_live(&self, id: PeeringId) -> Result<(), OpenError> {
        let loaded = self.load(&Target::from(id)).await.map_err(OpenError::Store)?;
        match loaded.record.peering {
            Some(peering) if peering.is_live() => Ok(()),
            Some(peering) => Err(OpenError::Ended { id, tell: peering.state == Stored::Deleting }),
            None => Err(self.gone(id).await),
        }
    }
}

/// The token whose secret was presented. Its peering may be gone.
struct Presented {
    token: TokenId,
    peering: PeeringId,
    peer: Option<PeerName>,
}

impl Presented {
    fn of(record: &Record, secret: SecretHash) -> Option<Self> {
        let (token, issued) = record.tokens.iter().find(|(_, issued)| issued.secret == secret)?;
        let name = record.peering.as_ref().map(|peering| &peering.name).or(issued.name.as_ref());
        Some(Self { token: *token, peering: issued.peering, peer: name.cloned() })
    }
}

fn of_token(cause: &'static str, from: Option<IpAddr>, presented: Option<Presented>) -> Refused {
    let refused = Refused::of(cause, Origin::of_peer(from));
    let Some(Presented { token, peering, peer }) = presented else { return refused };
    let peer = peer.map(|name| name.as_str().to_owned());
    Refused { token: Some(token), peering: Some(peering), peer, ..refused }
}

/// Computes the stream secret that this question would get: derived from the question if it can be repeated, random
/// otherwise. A repeated question is answered with the key of the first answer.
pub(super) fn stream_secret_for(
    keyring: &Keyring,
    ask: &Exchange,
    id: PeeringId,
    record: &Record,
    random: [u8; 16],
) -> Result<(StreamSecret, Option<RedemptionClaim>), ServiceError> {
    let Some(redemption) = &ask.redemption else { return Ok((StreamSecret::from_random(random), None)) };
    let spent = ask.establishment.hash();
    let first = record.secrets.pending.as_ref().filter(|pending| pending.spent == spent);
    let claim = first.and_then(|pending| pending.redemption.as_ref());
    let key_id = claim.map(|claim| KeyId::parse(&claim.key_id)).transpose();
    let key_id = key_id.map_err(|_| RecordError::Sealed { what: "the key id of a redemption" })?;
    let parts = [id.to_string(), ask.establishment.expose().to_owned(), redemption.expose().to_owned()];
    let parts = parts.map(zeroize::Zeroizing::new);
    let (mac, used) = keyring.mac(
        Label::AcceptorRedemption,
        key_id.as_ref(),
        &[parts[0].as_bytes(), parts[1].as_bytes(), parts[2].as_bytes()],
    )?;
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mac[..16]);
    let claim = RedemptionClaim { hash: redemption.hash(), key_id: used.to_string() };
    Ok((StreamSecret::from_random(bytes), Some(claim)))
}
