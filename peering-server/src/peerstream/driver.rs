//! Drives one session: moves frames and time into it, and does what it asks for, in order.
//!
//! Reading, writing, storing and waiting go on side by side, so that a slow reader or a slow store never stops the
//! heartbeats; the session says when it has enough and reading must wait.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peering_core::foreign;
use peering_core::id::PeeringId;
use peering_core::peerstream::{
    Action, Answer, Frame, HEARTBEAT_TIMEOUT, Import, Offer, Open, PEER_MESSAGE_CHARS_MAX, Refusal, Resource, Session,
    StatusCode, TrustBundle,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use tracing::{debug, error, warn};

use super::Shared;
use super::import;
use super::proto::peerstream::ReplicationMessage;
use super::registry::{Note, Place};
use super::wire;
use crate::service::Service;
use crate::service::status::{StreamBoard, StreamTicket};

/// Frames that wait between a session and the connection.
pub(super) const FRAMES_WAITING_MAX: usize = 16;

/// How long a frame may wait for the peer to read: as long as a peer may be silent.
const UNSENT_MAX: Duration = HEARTBEAT_TIMEOUT;
/// How long the status of a call may wait for the peer to read.
const STATUS_MAX: Duration = Duration::from_secs(10);
/// Pause before the end of a peering is stored again after the store failed.
const TERMINATION_PAUSE: Duration = Duration::from_secs(1);

/// A frame that waits for room.
struct Unsent {
    message: ReplicationMessage,
    give_up: Instant,
}

/// The direction in which we send.
#[derive(Debug)]
pub(super) enum Outbound {
    /// Of an acceptor: frames, and at the end a status.
    Acceptor(mpsc::Sender<Result<ReplicationMessage, Status>>),
    /// Of a dialer: frames; dropping it is the half-close.
    Dialer(mpsc::Sender<ReplicationMessage>),
    /// Half-closed, or given up by the connection.
    Closed,
}

impl Outbound {
    /// Waits for room and sends; `false` if the connection is gone.
    async fn send(&self, message: ReplicationMessage) -> bool {
        match self {
            Self::Acceptor(sender) => sender.send(Ok(message)).await.is_ok(),
            Self::Dialer(sender) => sender.send(message).await.is_ok(),
            Self::Closed => true,
        }
    }
}

/// Decides on an `Open`: what to answer, and for an accepted one which peering it is.
pub(super) type Decision<'a> = Waiting<'a, (Answer, Option<Accepted<'a>>)>;

/// An accepted stream: its place, and what keeps its connection out of the listener's bounds.
pub(super) struct Accepted<'a> {
    pub(super) place: Place<'a>,
    pub(super) id: PeeringId,
    /// Held until the stream ends.
    pub(super) _admission: Option<crate::listen::AcceptedOpen>,
}

/// How a driven stream ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `Ok` if the peering is over, so that nobody dials again.
    pub(super) result: Result<(), Refusal>,
    /// How long the stream was connected.
    pub(super) active_for: Duration,
}

/// Something that is waited for beside everything else.
type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything one stream works with.
pub(super) struct Driver<'a> {
    pub(super) session: Session,
    pub(super) service: &'a Service,
    pub(super) board: &'a StreamBoard,
    stop: &'a CancellationToken,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    pub(super) stream: Option<Accepted<'a>>,
    pub(super) ticket: Option<StreamTicket>,
    connected_at: Option<Instant>,
    deciding: Option<Decision<'a>>,
    storing: Option<Waiting<'a, Result<(), Refusal>>>,
    unsent: Option<Unsent>,
}

/// The direction in which we read.
pub(super) enum Inbound {
    /// A dialer's call that was not answered yet.
    Calling(Waiting<'static, Result<Streaming<ReplicationMessage>, Status>>),
    /// Frames.
    Reading(Box<Streaming<ReplicationMessage>>),
    /// Nothing more comes.
    Ended,
}

enum Arrived {
    Frame(ReplicationMessage),
    Answered(Box<Streaming<ReplicationMessage>>),
    End(Result<(), Refusal>),
}

impl Inbound {
    async fn next(&mut self) -> Arrived {
        match self {
            Self::Calling(call) => match call.await {
                Ok(stream) => Arrived::Answered(Box::new(stream)),
                Err(status) => Arrived::End(end_of(&status)),
            },
            Self::Reading(stream) => match stream.message().await {
                Ok(Some(message)) => Arrived::Frame(message),
                Ok(None) => Arrived::End(Ok(())),
                Err(status) => Arrived::End(end_of(&status)),
            },
            Self::Ended => pending().await,
        }
    }
}

fn end_of(status: &Status) -> Result<(), Refusal> {
    match i32::from(status.code()) {
        0 => Ok(()),
        code => Err(Refusal::from_peer(code, status.message())),
    }
}

/// The time for sessions: tokio's, so that tests can move it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl<'a> Driver<'a> {
    pub(super) fn new(session: Session, shared: &'a Shared, outbound: Outbound, inbound: Inbound) -> Self {
        Self {
            session,
            service: &shared.service,
            board: &shared.board,
            stop: &shared.stop,
            outbound,
            inbound,
            stream: None,
            ticket: None,
            connected_at: None,
            deciding: None,
            storing: None,
            unsent: None,
        }
    }

    /// Runs the stream to its end. `decide` is asked for each `Open`.
    pub(super) async fn run(mut self, decide: impl Fn(Open) -> Decision<'a>) -> Outcome {
        loop {
            if let Some(result) = self.act(&decide).await {
                return self.finish(result).await;
            }
            self.wait().await;
        }
    }

    /// Does actions until one must wait or there are none; returns how the stream ended, if it did.
    async fn act(&mut self, decide: &impl Fn(Open) -> Decision<'a>) -> Option<Result<(), Refusal>> {
        while self.unsent.is_none() {
            match self.session.poll()? {
                Action::Send(frame) => {
                    self.note_sent(&frame);
                    match wire::encode(frame) {
                        Ok(message) => self.unsent = Some(Unsent { message, give_up: now() + UNSENT_MAX }),
                        Err(error) => {
                            error!(%error, "a frame cannot be sent, so the stream ends");
                            self.session.end(Refusal::new(StatusCode::Internal, error.to_string()));
                        }
                    }
                }
                Action::HalfClose => self.outbound = Outbound::Closed,
                Action::End(result) => return Some(result),
                Action::Authorize(open) => self.deciding = Some(decide(open)),
                Action::Store(import) => self.storing = self.store(import),
                Action::PeerTerminated => {
                    if let Some(id) = self.stream.as_ref().map(|stream| stream.id) {
                        note_termination(self.service, self.stop, id).await;
                    }
                }
                Action::Connected => self.connected_at = Some(now()),
                Action::Rejected { url, nonce, refusal } => {
                    let message = foreign::escaped(&refusal.message, PEER_MESSAGE_CHARS_MAX);
                    warn!(%url, nonce, code = refusal.code.number(), message, "client peer was unable to apply resource");
                }
                other => debug!(?other, "an action that this release does not know"),
            }
        }
        None
    }

    /// Waits for whatever happens next and gives it to the session.
    async fn wait(&mut self) {
        let deadline = self.session.next_deadline();
        let is_reading = self.session.is_reading();
        tokio::select! {
            // Frames that have arrived count before deadlines that have passed.
            biased;
            sent = send(&self.outbound, self.unsent.as_ref()), if self.unsent.is_some() => {
                self.unsent = None;
                if !sent {
                    self.outbound = Outbound::Closed;
                    let reason = "the peer does not take what it is sent";
                    self.session.on_end(Err(Refusal::new(StatusCode::Unavailable, reason)));
                }
            }
            note = note(self.stream.as_mut()) => match note {
                Note::Deleted => self.session.delete(now()),
                Note::Replaced => self.session.replace(),
                Note::ShuttingDown => self.session.end(Refusal::shutting_down()),
            },
            result = optional(&mut self.storing) => {
                self.storing = None;
                self.session.import_done(result, now());
            }
            (answer, accepted) = optional(&mut self.deciding) => {
                self.deciding = None;
                if let Some(accepted) = &accepted {
                    self.ticket = Some(self.board.opened(accepted.id, true, self.service.now()));
                }
                self.stream = accepted;
                self.session.answer(answer, now());
            }
            arrived = self.inbound.next(), if is_reading => self.on_arrival(arrived),
            () = until(deadline) => self.session.on_deadline(now()),
        }
    }

    fn on_arrival(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::Frame(message) => {
                let frame = wire::decode(message);
                // A dialer that is told of the end and then refused must not read as connected in between.
                let shows_life = matches!(frame, Frame::Request(_) | Frame::Response(_) | Frame::Heartbeat);
                if let Some(ticket) = self.ticket.filter(|_| shows_life) {
                    self.board.received(ticket, matches!(frame, Frame::Heartbeat), self.service.now());
                }
                self.session.on_frame(frame, now());
            }
            Arrived::Answered(stream) => self.inbound = Inbound::Reading(stream),
            Arrived::End(status) => {
                self.inbound = Inbound::Ended;
                self.session.on_end(status);
            }
        }
    }

    fn note_sent(&self, frame: &Frame) {
        if let Some(ticket) = self.ticket {
            self.board.sent(ticket, self.service.now());
            if let Frame::Response(response) = frame
                && let peering_core::peerstream::Content::Resource(Resource::ExportedServiceList(names)) =
                    &response.content
            {
                self.board.exported(ticket, names.clone());
            }
        }
    }

    fn store(&self, import: Import) -> Option<Waiting<'a, Result<(), Refusal>>> {
        let id = self.stream.as_ref().map(|stream| stream.id)?;
        let (service, board, ticket) = (self.service, self.board, self.ticket);
        Some(Box::pin(async move { import::store(service, board, ticket, id, import).await }))
    }

    async fn finish(mut self, result: Result<(), Refusal>) -> Outcome {
        if let Some(ticket) = self.ticket {
            let error = result.as_ref().err();
            self.board.ended(ticket, error.map(|refusal| foreign::escaped(&refusal.message, PEER_MESSAGE_CHARS_MAX)));
        }
        let outbound = std::mem::replace(&mut self.outbound, Outbound::Closed);
        if let (Outbound::Acceptor(sender), Err(refusal)) = (outbound, &result) {
            // If nobody takes it, nobody is there to be told.
            let _ = timeout(STATUS_MAX, sender.send(Err(status_of(refusal)))).await;
        }
        let active_for = self.connected_at.map_or(Duration::ZERO, |at| now().saturating_duration_since(at));
        Outcome { result, active_for }
    }
}

/// Stores that the peer ended a peering; a failing store is tried again until the server stops, because the peer tells
/// only once.
pub(super) async fn note_termination(service: &Service, stop: &CancellationToken, id: PeeringId) {
    while let Err(error) = service.peer_terminated(id).await {
        error!(peer_id = %id, %error, "the end of a peering could not be stored, trying again");
        tokio::select! {
            () = sleep(TERMINATION_PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Turns a refusal into the status that ends a call.
pub(super) fn status_of(refusal: &Refusal) -> Status {
    Status::new(refusal.code.number().into(), refusal.message.clone())
}

/// Waits for room and sends; `false` if the connection is gone, or the peer has not read for too long.
async fn send(outbound: &Outbound, unsent: Option<&Unsent>) -> bool {
    match unsent {
        Some(unsent) => {
            let sent = timeout_at(unsent.give_up.into(), outbound.send(unsent.message.clone())).await;
            sent.unwrap_or(false)
        }
        None => pending().await,
    }
}

async fn note(stream: Option<&mut Accepted<'_>>) -> Note {
    match stream {
        Some(stream) => match stream.place.notes.recv().await {
            Some(note) => note,
            None => pending().await,
        },
        None => pending().await,
    }
}

async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// What we tell every peer.
pub(super) fn offer(service: &Arc<Service>, plaintext: bool) -> Offer {
    let (trust_domain, root_pems) = service.own_trust_bundle();
    let trust_bundle = (!plaintext).then_some(TrustBundle { trust_domain, root_pems });
    let server_addresses = service.own_addresses().iter().map(ToString::to_string).collect();
    Offer { trust_bundle, server_addresses }
}
