//! Drives one session: moves frames and time into it, and does what it asks for, in order.
//!
//! Reading, writing, storing and waiting go on side by side, so that a slow reader or a slow store never stops the
//! heartbeats; the session says when it has enough and reading must wait.

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use peering_core::id::PeeringId;
use peering_core::peerstream::{
    Action, Answer, Content, Frame, HEARTBEAT_TIMEOUT, Import, Open, Refusal, Resource, ResourceUrl, Said, Session,
    StatusCode, Trouble,
};
use peering_core::secret::SecretHash;
use tokio::task::coop::consume_budget;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{debug, error, info};

use super::ends::{Arrived, Inbound, Outbound, Waiting};
use super::exports::Telling;
use super::import;
use super::pace::Pace;
use super::proto::peerstream::ReplicationMessage;
use super::registry::{Note, Place};
use super::rejections::Rejections;
use super::wire;
use crate::causes::chain;
use crate::logs::STREAM;
use crate::service::Service;
use crate::service::status::{StreamBoard, StreamTicket};
use crate::service::trust_bundles::ToldBy;

/// Frames read in a row although a deadline has passed. A process that slept finds the heartbeats that waited for it,
/// of which there are a handful; a peer that never stops sending must not stop the clock.
const LATE_FRAMES_MAX: u32 = 64;
/// How long a frame may wait for the peer to read: as long as a peer may be silent.
const UNSENT_MAX: Duration = HEARTBEAT_TIMEOUT;
/// How long it may wait once the stream is over: nobody stays for a peer that does not read.
const LAST_FRAMES_MAX: Duration = Duration::from_secs(1);
/// Pause before the end of a peering is stored again after the store failed.
const TERMINATION_PAUSE: Duration = Duration::from_secs(1);

/// A frame that waits for room.
struct Unsent {
    message: ReplicationMessage,
    /// The services that it names, if it is the list of what is exported.
    exported: Option<Vec<String>>,
    give_up: Instant,
}

/// Decides on an `Open`: what to answer, and for an accepted one which peering it is.
pub(super) type Decision<'a> = Waiting<'a, (Answer, Option<Accepted<'a>>)>;

/// An accepted stream: its place, and what keeps its connection out of the listener's bounds.
pub(super) struct Accepted<'a> {
    pub(super) place: Place<'a>,
    pub(super) id: PeeringId,
    /// Of a stream that we dialed: the peer's id of the peering, in which the peer speaks of it.
    pub(super) remote_id: Option<String>,
    /// Of a stream that we accepted: the hash of its secret. Once another is active, the stream has no say.
    pub(super) admitted_by: Option<SecretHash>,
    /// What the peer is told of us.
    pub(super) telling: Telling,
    /// Held until the stream ends.
    pub(super) admission: Option<crate::listen::AcceptedOpen>,
}

/// How a driven stream ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `Ok` if the peering is over, so that nobody dials again.
    pub(super) result: Result<(), Refusal>,
    /// How long the stream was connected.
    pub(super) active_for: Duration,
    /// Which peering it was of, if it was accepted.
    pub(super) peering: Option<PeeringId>,
}

/// What the streams of a server work with.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    pub(super) service: &'a Service,
    pub(super) board: &'a StreamBoard,
    pub(super) pace: &'a Pace,
    /// The server stops.
    pub(super) stop: &'a CancellationToken,
}

/// Everything one stream works with.
pub(super) struct Driver<'a> {
    session: Session,
    tools: Tools<'a>,
    outbound: Outbound,
    inbound: Inbound,
    stream: Option<Accepted<'a>>,
    connected_at: Option<Instant>,
    deciding: Option<Decision<'a>>,
    storing: Option<Waiting<'a, Result<(), Refusal>>>,
    unsent: Option<Unsent>,
    late_frames: u32,
    is_stopping: bool,
    /// Who ended the stream.
    said: Said,
    /// Whether the peer's heartbeat came before its Open was decided on.
    beat_early: bool,
    rejections: Rejections,
    /// The types that the peer subscribed to, in the order of [`ResourceUrl::KNOWN`].
    subscribed: [bool; ResourceUrl::KNOWN.len()],
}

/// The time for sessions: tokio's, so that tests can move it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl<'a> Driver<'a> {
    /// Makes the driver of an acceptor's stream, or with `stream` of a dialer's.
    pub(super) fn new(
        session: Session,
        tools: Tools<'a>,
        outbound: Outbound,
        inbound: Inbound,
        stream: Option<Accepted<'a>>,
    ) -> Self {
        Self {
            session,
            tools,
            outbound,
            inbound,
            stream,
            connected_at: None,
            deciding: None,
            storing: None,
            unsent: None,
            late_frames: 0,
            is_stopping: false,
            said: Said::We,
            beat_early: false,
            rejections: Rejections::default(),
            subscribed: Default::default(),
        }
    }

    /// Runs the stream to its end. `decide` is asked for each `Open`.
    pub(super) async fn run(mut self, decide: impl Fn(Open) -> Decision<'a>) -> Outcome {
        loop {
            if let Some(result) = self.act(&decide).await {
                return self.finish(result);
            }
            self.wait().await;
        }
    }

    fn ticket(&self) -> Option<StreamTicket> {
        self.stream.as_ref().map(|stream| stream.place.ticket())
    }

    /// Does actions until one must wait or there are none; returns how the stream ended, if it did.
    async fn act(&mut self, decide: &impl Fn(Open) -> Decision<'a>) -> Option<Result<(), Refusal>> {
        while self.unsent.is_none() {
            match self.session.poll()? {
                Action::Send(frame) => {
                    let exported = exported_in(&frame);
                    match wire::encode(frame) {
                        Ok(message) => self.unsent = Some(Unsent { message, exported, give_up: now() + UNSENT_MAX }),
                        Err(error) => {
                            error!(target: STREAM, %error, "a frame cannot be sent, so the stream ends");
                            self.session.end(Refusal::new(StatusCode::Internal, error.to_string()));
                        }
                    }
                }
                Action::HalfClose => self.outbound.close(),
                Action::End(result) => return Some(result),
                Action::Authorize(open) => self.deciding = Some(decide(open)),
                Action::Store(import) => self.storing = self.store(import),
                Action::PeerTerminated => {
                    if let Some(Accepted { id, remote_id, admitted_by, .. }) = &self.stream {
                        let told_by = ToldBy { remote_id: remote_id.as_deref(), admitted_by: *admitted_by };
                        // On the heap while it lasts: it would be most of what every stream keeps for its whole life.
                        Box::pin(note_termination(self.tools, *id, told_by)).await;
                    }
                }
                Action::Connected => self.connected_at = Some(now()),
                Action::Rejected { url, nonce, refusal } => self.rejections.note(&url, &nonce, &refusal),
                other => debug!(target: STREAM, ?other, "an action that this release does not know"),
            }
        }
        None
    }

    /// Waits for whatever happens next and gives it to the session.
    async fn wait(&mut self) {
        if self.late_frames >= LATE_FRAMES_MAX {
            return self.on_deadline();
        }
        let deadline = self.next_deadline();
        let is_reading = self.session.is_reading();
        tokio::select! {
            // Frames that have arrived count before deadlines that have passed.
            biased;
            sent = self.outbound.send(self.unsent.as_ref().map(|unsent| &unsent.message)), if self.unsent.is_some() => {
                let unsent = self.unsent.take();
                if sent && self.outbound.is_open() {
                    self.note_sent(unsent.and_then(|unsent| unsent.exported));
                } else {
                    // The call has ended; how it ended is still to be read.
                    self.outbound.close();
                }
            }
            () = self.tools.stop.cancelled(), if !self.is_stopping => {
                self.is_stopping = true;
                self.session.end(Refusal::shutting_down());
            }
            news = news(self.stream.as_mut(), self.unsent.is_none()) => match news {
                News::Note(Note::Deleted) => self.session.delete(now()),
                News::Note(Note::Replaced) => self.session.replace(),
                News::Exports => {
                    if let Some(stream) = &mut self.stream {
                        self.session.offer(stream.telling.offer(self.tools.service));
                    }
                }
            },
            result = optional(&mut self.storing) => {
                self.storing = None;
                self.session.import_done(result, now());
            }
            (answer, accepted) = optional(&mut self.deciding) => {
                self.deciding = None;
                self.stream = accepted;
                if let (true, Some(ticket)) = (self.beat_early, self.ticket()) {
                    self.tools.board.received(ticket, true, self.tools.service.now());
                }
                self.session.answer(answer, now());
            }
            arrived = self.inbound.next(), if is_reading => {
                self.late_frames = if deadline.is_some_and(|at| now() >= at) { self.late_frames + 1 } else { 0 };
                self.on_arrival(arrived);
                // A peer that never stops sending shares this thread with the others.
                consume_budget().await;
            }
            () = until(deadline) => self.on_deadline(),
        }
    }

    /// Returns when something is due: what the session says, or giving up on a peer that does not read.
    fn next_deadline(&mut self) -> Option<Instant> {
        let is_ended = self.session.is_ended();
        let give_up = self.unsent.as_mut().map(|unsent| {
            if is_ended {
                unsent.give_up = unsent.give_up.min(now() + LAST_FRAMES_MAX);
            }
            unsent.give_up
        });
        let due = self.session.next_deadline().map(|at| self.tools.pace.on_beat(at, now()));
        due.into_iter().chain(give_up).min()
    }

    fn on_deadline(&mut self) {
        self.late_frames = 0;
        if self.unsent.take_if(|unsent| now() >= unsent.give_up).is_some() {
            self.outbound.close();
            let reason = "the peer does not read what it is sent";
            self.session.end(Refusal::new(StatusCode::Unavailable, reason));
        }
        self.session.on_deadline(now());
    }

    fn on_arrival(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::Frame(message) => {
                let frame = wire::decode(message);
                self.note_subscription(&frame);
                // The others say nothing of a stream that runs; a refusal may begin with Terminated.
                let is_heard = matches!(frame, Frame::Request(_) | Frame::Response(_) | Frame::Heartbeat);
                let is_heartbeat = matches!(frame, Frame::Heartbeat);
                self.beat_early |= is_heartbeat && self.stream.is_none();
                if let (true, Some(ticket)) = (is_heard, self.ticket()) {
                    self.tools.board.received(ticket, is_heartbeat, self.tools.service.now());
                }
                self.session.on_frame(frame, now());
            }
            Arrived::Answered(stream) => self.inbound = Inbound::Reading(stream),
            Arrived::End(status) => {
                self.inbound = Inbound::Ended;
                self.session.on_end(status.map_err(|(refusal, said)| {
                    self.said = said;
                    refusal
                }));
            }
        }
    }

    /// Tells of a subscription: once for each type, since a peer may subscribe again and again.
    fn note_subscription(&mut self, frame: &Frame) {
        let Frame::Request(request) = frame else { return };
        let known = ResourceUrl::KNOWN.iter().position(|url| *url == request.url);
        let (Some(at), Some(stream)) = (known, &self.stream) else { return };
        if request.nonce.is_empty() && !std::mem::replace(&mut self.subscribed[at], true) {
            info!(target: STREAM, peer_id = %stream.id, resource_url = %request.url, "subscribing to resource type");
        }
    }

    /// Notes a frame that the connection took.
    fn note_sent(&self, exported: Option<Vec<String>>) {
        if let Some(ticket) = self.ticket() {
            self.tools.board.sent(ticket, self.tools.service.now());
            if let Some(names) = exported {
                self.tools.board.exported(ticket, names);
            }
        }
    }

    fn store(&self, import: Import) -> Option<Waiting<'a, Result<(), Refusal>>> {
        let (id, admitted_by) = self.stream.as_ref().map(|stream| (stream.id, stream.admitted_by))?;
        let (Tools { service, board, .. }, ticket) = (self.tools, self.ticket());
        Some(Box::pin(async move { import::store(service, board, ticket, (id, admitted_by), import).await }))
    }

    fn finish(mut self, result: Result<(), Refusal>) -> Outcome {
        let peering = self.stream.as_ref().map(|stream| stream.id);
        if let Some(Accepted { place, admission, .. }) = self.stream.take() {
            let error = result.as_ref().err();
            place.leave(error.map(|refusal| (Trouble::of(refusal, self.said), refusal.message.clone())));
            drop(admission);
        }
        if let Err(refusal) = &result {
            self.outbound.end_with(status_of(refusal));
        }
        let active_for = self.connected_at.map_or(Duration::ZERO, |at| now().saturating_duration_since(at));
        Outcome { result, active_for, peering }
    }
}

/// Stores that the peer ended a peering; a failing store is tried again until the server stops, because the peer tells
/// only once.
pub(super) async fn note_termination(tools: Tools<'_>, id: PeeringId, told_by: ToldBy<'_>) {
    loop {
        match tools.service.peer_terminated(id, told_by).await {
            // At once, since the stream ends next and that must not look like the reason.
            Ok(true) => return tools.board.terminated(id),
            Ok(false) => return,
            Err(error) => {
                error!(target: STREAM, peer_id = %id, error = chain(&error), "the end of a peering could not be stored, trying again");
            }
        }
        if tools.stop.run_until_cancelled(sleep(TERMINATION_PAUSE)).await.is_none() {
            return;
        }
    }
}

/// Turns a refusal into the status that ends a call.
pub(super) fn status_of(refusal: &Refusal) -> Status {
    Status::new(refusal.code.number().into(), refusal.message.clone())
}

/// Returns the services that a frame names to the peer as exported, if it is their list.
fn exported_in(frame: &Frame) -> Option<Vec<String>> {
    let Frame::Response(response) = frame else { return None };
    let Content::Resource(Resource::ExportedServiceList(names)) = &response.content else { return None };
    Some(names.clone())
}

/// Something that the stream must be told, or must tell.
enum News {
    Note(Note),
    Exports,
}

/// While a frame waits for the peer to read, exports that change again and again must not pile up behind it.
async fn news(stream: Option<&mut Accepted<'_>>, may_tell: bool) -> News {
    let Some(Accepted { place, telling, .. }) = stream else { return pending().await };
    tokio::select! {
        Some(note) = place.notes.recv() => News::Note(note),
        () = telling.changed(), if may_tell => News::Exports,
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
