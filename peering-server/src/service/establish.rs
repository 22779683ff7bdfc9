//! Use a peering token: check it, make the record, exchange the secret, store what came out.
//!
//! The order of effects is Consul's: a new peering is visible as PENDING before the peer is contacted and stays so if
//! the exchange fails. An existing peering is left alone until the exchange has succeeded.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use peering_core::address::ServerAddress;
use peering_core::foreign::echo;
use peering_core::gojson::go_quoted;
use peering_core::id::PeeringId;
use peering_core::meta::Meta;
use peering_core::name::PeerName;
use peering_core::peering::state::Liveness;
use peering_core::peering::{Dialed, Stored};
use peering_core::peerstream::Trouble;
use peering_core::secret::{EstablishmentSecret, Redemption, StreamSecret};
use peering_core::secrets::{BeginEstablish, Command, CompleteEstablish, PeerDetails, SealedSecret};
use peering_core::token::{UnverifiedToken, VerifiedToken};
use peering_core::transition::Origin;
use peering_core::trust::TrustAnchors;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::refusals::Refused;
use super::{Service, ServiceError};
use crate::bounds::STREAM_SECRET_BYTES_MAX;
use crate::causes::chain;
use crate::entropy::fraction;
use crate::keyring::{Keyring, Label};
use crate::metrics;

/// New attempts to exchange are started for this long, as Consul does.
pub const EXCHANGE_ATTEMPTS_FOR: Duration = Duration::from_secs(3);
/// Pause between two attempts, before jitter.
pub const EXCHANGE_PAUSE: Duration = Duration::from_millis(150);

/// What an operator asks for.
#[derive(Clone, Default)]
pub struct EstablishRequest {
    /// Our name for the peer.
    pub name: String,
    /// The token.
    pub token: String,
    /// Metadata; replaces what the peering had.
    pub meta: BTreeMap<String, String>,
}

/// A request whose name, token and metadata are in order.
#[derive(Debug, Clone)]
pub struct CheckedEstablish {
    name: PeerName,
    token: VerifiedToken,
    meta: Meta,
}

/// Everything needed to ask one address of an acceptor for a stream secret.
#[derive(Debug)]
pub struct ExchangeAsk<'a> {
    /// Whom to dial and how.
    pub dialed: &'a Dialed,
    /// The only roots to trust.
    pub roots: &'a [String],
    /// Which of its addresses.
    pub address: &'a ServerAddress,
    /// The secret to give.
    pub establishment: &'a EstablishmentSecret,
    /// What makes this dialer the one that may ask again.
    pub redemption: &'a Redemption,
}

/// Asks an acceptor for a stream secret.
#[async_trait]
pub trait ExchangeClient: Send + Sync {
    /// Asks once, at one address.
    async fn exchange(&self, ask: ExchangeAsk<'_>) -> Result<StreamSecret, CallError>;
}

/// How a call to a peer failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("rpc error: code = {} desc = {message}", code.as_str())]
pub struct CallError {
    /// What kind of failure.
    pub code: CallCode,
    /// The same more closely, for whoever looks at the peering later.
    pub trouble: Trouble,
    /// What the peer or the transport said; bounded and escaped.
    pub message: String,
}

/// Kinds of failures that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallCode {
    /// Nobody there, or no TLS with them.
    Unavailable,
    /// The secret was refused.
    PermissionDenied,
    /// The peer asks to slow down.
    ResourceExhausted,
    /// The peer failed.
    Internal,
    /// The token does not allow any dial at all.
    Setup,
    /// Anything else.
    Unknown,
}

impl CallCode {
    /// Returns the name that gRPC's Go library prints.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "Unavailable",
            Self::PermissionDenied => "PermissionDenied",
            Self::ResourceExhausted => "ResourceExhausted",
            Self::Internal | Self::Setup => "Internal",
            Self::Unknown => "Unknown",
        }
    }
}

/// An exchange that came to nothing, and what is kept of it on the peering.
struct Failed {
    trouble: Trouble,
    text: String,
    error: ServiceError,
}

impl Failed {
    fn at(address: &ServerAddress, failure: &CallError, error: ServiceError) -> Self {
        Self { trouble: failure.trouble, text: format!("{address}: {}", failure.message), error }
    }

    /// Of our own store or keyring.
    fn here(error: ServiceError) -> Self {
        Self { trouble: Trouble::StoreFailed, text: chain(&error), error }
    }
}

/// What an exchange brought, for the peering that was begun.
struct Exchanged {
    id: PeeringId,
    details: PeerDetails,
    stream_secret: StreamSecret,
}

/// No attempt led to an exchange.
#[derive(Debug, Clone, Error)]
#[error("{}", multi_error(.0))]
pub struct ExchangeFailure(pub Vec<(String, CallError)>);

impl ExchangeFailure {
    /// Returns the kind of the first failure, which decides the status of the whole.
    #[must_use]
    pub fn first_code(&self) -> CallCode {
        self.0.first().map_or(CallCode::Unknown, |(_, error)| error.code)
    }
}

/// Prints failures as Consul's multi-error does.
fn multi_error(failures: &[(String, CallError)]) -> String {
    let mut text = match failures.len() {
        1 => "1 error occurred:\n".to_owned(),
        count => format!("{count} errors occurred:\n"),
    };
    for (address, error) in failures {
        let address = go_quoted(echo(address));
        text.push_str(&format!("\t* failed to exchange peering secret through address {address}: {error}\n"));
    }
    text.push('\n');
    text
}

impl Service {
    /// Checks a request to establish. Consul does so before it asks who is calling.
    ///
    /// # Errors
    /// [`ServiceError`] for a bad name, token or metadata.
    pub fn check_establish(&self, request: EstablishRequest) -> Result<CheckedEstablish, ServiceError> {
        let name = PeerName::parse(&request.name)?;
        let token = UnverifiedToken::decode(&request.token)?.verify(self.clock.now())?;
        let meta = Meta::parse(request.meta)?;
        Ok(CheckedEstablish { name, token, meta })
    }

    /// Uses a peering token. The stream is opened afterwards, by the dial loop.
    ///
    /// # Errors
    /// [`ServiceError`]; one that says that a new token is needed is final, others may be tried again with the same
    /// token.
    pub async fn establish(&self, request: CheckedEstablish, origin: Origin) -> Result<(), ServiceError> {
        let _timed = self.metrics.time(&metrics::ESTABLISH);
        let CheckedEstablish { name, token, meta } = request;
        if token.trust.is_none() && !self.allow_plaintext {
            return Err(ServiceError::PlaintextToken);
        }
        if token.server_name == self.cluster.server_name() {
            return Err(ServiceError::SameCluster(token.server_name));
        }
        for warning in &token.warnings {
            warn!(peer_name = name.as_str(), %warning, "a CA entry of the peering token is not used");
        }
        let details = details_of(&token, meta);
        let (id, stored) = self.begin_establish(&name, &details, origin).await?;
        let exchanged = async {
            let stream_secret = self.exchange_ring(id, &details, &token.establishment_secret).await?;
            let exchanged = Exchanged { id, details: details.clone(), stream_secret };
            self.complete_establish(&name, exchanged, origin).await.map_err(Failed::here)
        };
        let Err(Failed { trouble, text, error }) = exchanged.await else { return Ok(()) };
        self.streams.exchange_failed(id, stored, trouble, &text);
        // In this order: whoever deletes it from here on is seen by the one who follows the deletions.
        if let Ok(None) = self.name_of(&id).await {
            self.streams.gone(id);
        }
        let token = details.token;
        self.tally(Refused { token, ..failed_establishment(&name, id, origin, &error) });
        Err(error)
    }

    async fn begin_establish(
        &self,
        name: &PeerName,
        details: &PeerDetails,
        origin: Origin,
    ) -> Result<(PeeringId, Stored), ServiceError> {
        let candidate_id = PeeringId::from_uuid(self.entropy.uuid());
        let transition = self
            .transact(name, origin, |_| {
                let (name, details) = (name.clone(), details.clone());
                Ok(Command::BeginEstablish(BeginEstablish { candidate_id, name, details }))
            })
            .await?;
        let begun = transition.next.peering.map(|peering| (peering.local_id, peering.state));
        Ok(begun.unwrap_or((candidate_id, Stored::Pending)))
    }

    /// Asks one address after the other, round and round, until one answers or the time for new attempts is over.
    async fn exchange_ring(
        &self,
        id: PeeringId,
        details: &PeerDetails,
        establishment: &EstablishmentSecret,
    ) -> Result<StreamSecret, Failed> {
        let redemption = redemption_of(&self.keyring, id, establishment).map_err(Failed::here)?;
        let started = Instant::now();
        let mut failures = Vec::new();
        let ring = details.dialed.ring();
        for address in ring.iter().cycle() {
            let ask = ExchangeAsk {
                dialed: &details.dialed,
                roots: &details.roots,
                address,
                establishment,
                redemption: &redemption,
            };
            match self.exchange.exchange(ask).await {
                Ok(secret) if !(1..=STREAM_SECRET_BYTES_MAX).contains(&secret.expose().len()) => {
                    let bytes = secret.expose().len();
                    let message = format!(
                        "missing secret ID: expected a stream secret of 1 to {STREAM_SECRET_BYTES_MAX} bytes, got {bytes}"
                    );
                    let error = CallError { code: CallCode::Internal, trouble: Trouble::ProtocolViolation, message };
                    failures.push((address.to_string(), error));
                }
                Ok(secret) => return Ok(secret),
                Err(error) if error.code == CallCode::PermissionDenied => {
                    return Err(Failed::at(address, &error, ServiceError::NewTokenNeeded(error.message.clone())));
                }
                // Another address or attempt would fail for the same reason.
                Err(error) if error.code == CallCode::Setup => {
                    return Err(Failed::at(address, &error, ServiceError::DialSetup(error.message.clone())));
                }
                Err(error) => failures.push((address.to_string(), error)),
            }
            let pause = EXCHANGE_PAUSE + EXCHANGE_PAUSE.mul_f64(fraction(self.entropy.as_ref()) / 4.0);
            // One silent address may use up the time; the others are tried all the same, once.
            if started.elapsed() + pause >= EXCHANGE_ATTEMPTS_FOR && failures.len() >= ring.len() {
                break;
            }
            sleep(pause).await;
        }
        let first = failures.first();
        let trouble = first.map_or(Trouble::NoAddress, |(_, failure)| failure.trouble);
        let text = first.map_or_else(String::new, |(address, failure)| format!("{address}: {}", failure.message));
        Err(Failed { trouble, text, error: ExchangeFailure(failures).into() })
    }

    async fn complete_establish(
        &self,
        name: &PeerName,
        exchanged: Exchanged,
        origin: Origin,
    ) -> Result<(), ServiceError> {
        let Exchanged { id, details, stream_secret } = exchanged;
        let context = id.to_string();
        let sealed =
            self.keyring.seal(Label::DialerStreamSecret, context.as_bytes(), stream_secret.expose().as_bytes())?;
        let sealed = SealedSecret(serde_json::json!(sealed));
        let report = self.streams.report(id).await;
        let is_connected = report.is_some_and(|report| report.liveness == Liveness::Live);
        let secret = stream_secret.hash();
        self.transact(name, origin, |_| {
            Ok(Command::CompleteEstablish(CompleteEstablish {
                id,
                details: details.clone(),
                sealed: sealed.clone(),
                secret,
                is_connected,
            }))
        })
        .await?;
        Ok(())
    }
}

/// Computes what lets this dialer, and no other, ask for the same stream secret again. Our id of the peering is part of
/// it: the same token under another name is another redeemer.
pub(super) fn redemption_of(
    keyring: &Keyring,
    id: PeeringId,
    establishment: &EstablishmentSecret,
) -> Result<Redemption, ServiceError> {
    let (asker, secret) = (id.to_string(), establishment.expose().as_bytes());
    let (mac, _) = keyring.mac(Label::DialerRedemption, None, &[asker.as_bytes(), secret])?;
    Ok(Redemption::from_text(hex(mac.as_slice())))
}

/// Says what the audit trail tells of an exchange that came to nothing.
fn failed_establishment(name: &PeerName, id: PeeringId, origin: Origin, error: &ServiceError) -> Refused {
    let cause = match error {
        ServiceError::NewTokenNeeded(_) => "refused_by_peer",
        ServiceError::DialSetup(_) => "setup",
        ServiceError::Exchange(failure) => match failure.first_code() {
            CallCode::Unavailable => "unavailable",
            CallCode::PermissionDenied => "refused_by_peer",
            CallCode::ResourceExhausted => "slow_down",
            CallCode::Internal => "internal",
            CallCode::Setup => "setup",
            CallCode::Unknown => "unknown",
        },
        _ => "not_stored",
    };
    let peer = Some(name.as_str().to_owned());
    Refused { failed: Some("establish_failed"), peering: Some(id), peer, ..Refused::of(cause, origin) }
}

fn details_of(token: &VerifiedToken, meta: Meta) -> PeerDetails {
    let token_addresses = [token.manual_server_addresses.as_slice(), &token.server_addresses].concat();
    PeerDetails {
        token: token.token_id,
        dialed: Dialed {
            remote_id: token.remote_id.clone(),
            server_name: token.server_name.clone(),
            manual_addresses: token.manual_server_addresses.clone(),
            server_addresses: token.server_addresses.clone(),
            token_addresses,
            plaintext: token.trust.is_none(),
        },
        roots: token.trust.as_ref().map(TrustAnchors::pems).unwrap_or_default(),
        remote: token.remote.clone(),
        meta,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str) -> (String, CallError) {
        let message = "connection error".to_owned();
        (address.to_owned(), CallError { code: CallCode::Unavailable, trouble: Trouble::ConnectionRefused, message })
    }

    #[test]
    fn failures_print_as_consuls_multi_error() {
        let one = ExchangeFailure(vec![refused("a:1")]);
        assert_eq!(
            one.to_string(),
            "1 error occurred:\n\t* failed to exchange peering secret through address \"a:1\": rpc error: code = Unavailable desc = connection error\n\n"
        );
        let two = ExchangeFailure(vec![refused("a:1"), refused("b:2")]);
        assert!(two.to_string().starts_with("2 errors occurred:\n\t* failed"));
        assert!(two.to_string().ends_with("error\n\n"));
    }
}
