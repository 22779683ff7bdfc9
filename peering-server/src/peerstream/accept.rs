//! The peer stream service: exchanges secrets and accepts streams.

use std::net::IpAddr;
use std::sync::Arc;

use peering_core::foreign;
use peering_core::id::PeeringId;
use peering_core::peerstream::{Answer, Open, PEER_MESSAGE_CHARS_MAX, Refusal, Session, StatusCode, Trouble};
use peering_core::secret::{EstablishmentSecret, Redemption};
use peering_core::secrets;
use peering_core::transition::Origin;
use tonic::{Request, Response, Status, Streaming};
use tracing::{error, info, warn};

use super::Shared;
use super::bounded::Opened;
use super::driver::{self, Accepted, Decision, Driver};
use super::ends::{Frames, Inbound, Outbound};
use super::exports::Telling;
use super::proto::peerstream::peer_stream_service_server::PeerStreamService;
use super::proto::peerstream::{ExchangeSecretRequest, ExchangeSecretResponse, ReplicationMessage};
use crate::causes::chain;
use crate::listen::ConnectionGuard;
use crate::listen::grpc::PeerConnection;
use crate::logs::{PEERSTREAM, STREAM};
use crate::service::ServiceError;
use crate::service::refusals::Refused;
use crate::service::secrets::{Exchange, OpenError};

/// Metadata by which our own dialer proves that it is the one that asked before.
pub(super) const REDEMPTION_KEY: &str = "peering-redemption";
/// Hexadecimal digits in it.
const REDEMPTION_DIGITS: usize = 64;

/// Answers calls on the peer listener.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) shared: Arc<Shared>,
}

#[tonic::async_trait]
impl PeerStreamService for Acceptor {
    type StreamResourcesStream = Frames;

    async fn exchange_secret(
        &self,
        request: Request<ExchangeSecretRequest>,
    ) -> Result<Response<ExchangeSecretResponse>, Status> {
        let from = source(&request);
        let redemption = redemption(&request)?;
        let ExchangeSecretRequest { peer_id, establishment_secret } = request.into_inner();
        let establishment = EstablishmentSecret::from_text(establishment_secret);
        let ask = Exchange { peer_id, establishment, redemption, from };
        let secret = self.shared.service.exchange_secret(ask).await.map_err(|error| exchange_status(&error))?;
        Ok(Response::new(ExchangeSecretResponse { stream_secret: secret.expose().to_owned() }))
    }

    async fn stream_resources(
        &self,
        request: Request<Streaming<ReplicationMessage>>,
    ) -> Result<Response<Frames>, Status> {
        let connection = request.extensions().get::<PeerConnection>().cloned();
        let opened = request.extensions().get::<Opened>().cloned().unwrap_or_default();
        let (outbound, answer) = Outbound::of_acceptor();
        let shared = Arc::clone(&self.shared);
        let inbound = Inbound::Reading(Box::new(request.into_inner()));
        self.shared.tasks.spawn(async move { serve(&shared, connection, opened, inbound, outbound).await });
        answer.first().await.map(Response::new)
    }
}

async fn serve(
    shared: &Arc<Shared>,
    connection: Option<PeerConnection>,
    opened: Opened,
    inbound: Inbound,
    outbound: Outbound,
) {
    let source = connection.as_ref().and_then(|connection| connection.source);
    let guard = connection.map(|connection| connection.guard);
    let session = Session::accept(driver::now());
    let driver = Driver::new(session, shared.tools(), outbound, inbound, None);
    let decide = |open: Open| -> Decision<'_> { Box::pin(decide(shared, open, source, guard.clone(), opened.clone())) };
    let outcome = driver.run(decide).await;
    // One that was refused has been told of, or counted.
    let Some(peer_id) = outcome.peering else { return };
    match outcome.result {
        Ok(()) => info!(target: STREAM, %peer_id, source = ?source, "ending stream"),
        Err(refusal) => {
            let reason = foreign::escaped(&refusal.message, PEER_MESSAGE_CHARS_MAX);
            info!(target: STREAM, %peer_id, source = ?source, code = refusal.code.number(), reason, "ending stream");
        }
    }
}

async fn decide<'a>(
    shared: &'a Arc<Shared>,
    open: Open,
    source: Option<IpAddr>,
    guard: Option<ConnectionGuard>,
    opened: Opened,
) -> (Answer, Option<Accepted<'a>>) {
    let Open { peer_id, secret, remote } = open;
    let admitted_by = secret.hash();
    match shared.service.admit(&peer_id, &secret, remote, source).await {
        Ok(peering) => {
            info!(target: STREAM, peer_name = peering.name.as_str(), peer_id = %peering.local_id, source = ?source,
                "accepted initial replication request from peer");
            let id = peering.local_id;
            let place = shared.registry.enter(&shared.board, id, true, shared.service.now());
            // A deletion that came before the place was taken had nobody to tell.
            if let Err(error) = shared.service.still_live(id).await {
                return refused(shared, &peer_id, &error, source);
            }
            opened.set();
            let admission = guard.map(|guard| guard.accept_open());
            let mut telling = Telling { name: peering.name, plaintext: false, exports: shared.exports.subscribe() };
            let offer = telling.offer(&shared.service);
            (
                Answer::Accepted(offer),
                Some(Accepted { place, id, remote_id: None, admitted_by: Some(admitted_by), telling, admission }),
            )
        }
        Err(error) => refused(shared, &peer_id, &error, source),
    }
}

fn refused<'a>(
    shared: &Shared,
    peer_id: &str,
    error: &OpenError,
    source: Option<IpAddr>,
) -> (Answer, Option<Accepted<'a>>) {
    note_trouble(shared, peer_id, error, source);
    if let Some(times) = shared.service.note_refusal(refused_open(peer_id, error, source)) {
        let reason = foreign::escaped(&error.to_string(), PEER_MESSAGE_CHARS_MAX);
        if matches!(error, OpenError::Refused(secrets::Refusal::NoSecrets)) {
            let peer_id = foreign::quoted(peer_id);
            error!(target: STREAM, peer_id, source = ?source, times, "no known secrets for peering");
        }
        warn!(target: PEERSTREAM, source = ?source, reason, times, "peer stream refused");
    }
    let (refusal, terminated) = open_refusal(peer_id, error);
    (Answer::Refused { refusal, terminated }, None)
}

/// Tells the operator of a dialer that was refused, on the peering that it named. The stream that may run is not
/// touched, and an id that is no peering's leaves nothing.
fn note_trouble(shared: &Shared, peer_id: &str, error: &OpenError, source: Option<IpAddr>) {
    let Ok(id) = PeeringId::parse(peer_id) else { return };
    let (trouble, text) = match error {
        OpenError::Refused(secrets::Refusal::Stream) => {
            (Trouble::StreamSecretWrong, "a dialer presented a wrong stream secret")
        }
        OpenError::Refused(secrets::Refusal::NoSecrets) => {
            (Trouble::NoSecrets, "a dialer came and there is no secret to compare its own with")
        }
        OpenError::Refused(secrets::Refusal::WrongEnd) => {
            (Trouble::WrongEnd, "a dialer came for a peering that is dialed from here")
        }
        OpenError::Ended { .. } => (Trouble::OpenAfterEnd, "a dialer came after the peering had ended"),
        OpenError::Store(_) => (Trouble::StoreFailed, "a dialer came and its stream secret could not be checked"),
        _ => return,
    };
    let text = source.map_or_else(|| text.to_owned(), |source| format!("{text}, from {source}"));
    shared.board.trouble(id, trouble, &text);
}

/// Says what the audit trail tells of it. An id counts as known if there is, or was, such a peering.
fn refused_open(peer_id: &str, error: &OpenError, source: Option<IpAddr>) -> Refused {
    let peering = match error {
        OpenError::Ended { id, .. } => Some(*id),
        OpenError::Refused(_) => PeeringId::parse(peer_id).ok(),
        _ => None,
    };
    Refused { peering, ..Refused::of(error.cause(), Origin::of_peer(source)) }
}

/// Gives each reason its code and Consul's text.
fn open_refusal(peer_id: &str, error: &OpenError) -> (Refusal, bool) {
    let known = |id: &PeeringId| id.to_string();
    match error {
        OpenError::EmptyId => (Refusal::new(StatusCode::InvalidArgument, error.to_string()), false),
        OpenError::MalformedId(_) => (Refusal::peering_unreadable(peer_id), false),
        OpenError::UnknownId(id) => (Refusal::unknown_peering(&known(id)), false),
        OpenError::Ended { id, tell } => (Refusal::peering_deleted(&known(id)), *tell),
        OpenError::Refused(secrets::Refusal::NoSecrets) => (Refusal::no_secrets(), false),
        OpenError::Refused(secrets::Refusal::WrongEnd) => (Refusal::wrong_end(), false),
        OpenError::Refused(secrets::Refusal::Stream) => (Refusal::invalid_stream_secret(), false),
        OpenError::Refused(other) => (Refusal::new(StatusCode::Internal, other.to_string()), false),
        OpenError::Store(cause) => {
            error!(target: STREAM, error = chain(cause), "a stream secret could not be checked or promoted");
            (Refusal::promotion_not_stored(cause), false)
        }
    }
}

fn exchange_status(error: &ServiceError) -> Status {
    match error {
        ServiceError::Refused(secrets::Refusal::Establishment(_)) => Status::permission_denied(error.to_string()),
        ServiceError::PeeringId(_) => Status::internal(error.to_string()),
        other => {
            error!(target: PEERSTREAM, error = chain(other), "an establishment secret could not be exchanged");
            Status::internal(format!("failed to persist peering secret: {other}"))
        }
    }
}

fn source<T>(request: &Request<T>) -> Option<IpAddr> {
    request.extensions().get::<PeerConnection>().and_then(|connection| connection.source)
}

fn redemption<T>(request: &Request<T>) -> Result<Option<Redemption>, Status> {
    let Some(value) = request.metadata().get(REDEMPTION_KEY) else { return Ok(None) };
    let refused = || {
        let got = value.as_encoded_bytes().len();
        Status::invalid_argument(format!(
            "metadata {REDEMPTION_KEY}: expected {REDEMPTION_DIGITS} hexadecimal digits, got {got} bytes of another form"
        ))
    };
    let text = value.to_str().map_err(|_| refused())?;
    if text.len() == REDEMPTION_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(Some(Redemption::from_text(text.to_ascii_lowercase())))
    } else {
        Err(refused())
    }
}
