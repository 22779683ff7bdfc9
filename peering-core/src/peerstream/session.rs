//! The session that both roles share: its inputs, its actions, and the rules of a running stream.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::acceptor::Opening;
use super::frame::{Frame, Open, Request, ResourceUrl, Response};
use super::heartbeat::{Beat, Heartbeat};
use super::imports::{Import, Imports};
use super::outbox::{Offer, Outbox};
use super::status::{Refusal, quoted};
use crate::foreign::echo;

/// How long the side that ended a peering, or was told of it, waits for the other to hang up. Longer than a busy store
/// needs to note the end, shorter than a heartbeat time-out, because nobody beats any more.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(30);
/// Most actions that wait for the driver before the session stops reading: a peer that sends but does not read is
/// slowed down instead of filling our memory with acknowledgements.
pub const ACTIONS_WAITING_MAX: usize = 64;

/// Most bytes in a nonce, which every answer repeats: Consul's have eight digits. A longer one could not be refused with
/// less than itself, and answers that wait would fill our memory, so it ends the stream.
pub const NONCE_BYTES_MAX: usize = 256;
/// Most bytes in the type of a resource, for the same reason; Consul's have some 75.
pub const TYPE_URL_BYTES_MAX: usize = 256;

/// Something for the driver to do. Actions are done in order, each before the next; the two that are answered later
/// only begin in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send a frame.
    Send(Frame),
    /// End our direction of the stream; dialer only. The other is read on.
    HalfClose,
    /// The stream is over. An acceptor ends the call with this status; a dialer drops the connection. `Ok` means that
    /// the peering ended and nobody dials again. The last action.
    End(Result<(), Refusal>),
    /// Decide whether this stream is accepted, then call [`Session::answer`]; acceptor only.
    Authorize(Open),
    /// Store this, then call [`Session::import_done`]. There is never a second one before that.
    Store(Import),
    /// Store that the peer ended the peering.
    PeerTerminated,
    /// The stream counts as connected from here on: the peering reads ACTIVE.
    Connected,
    /// The peer refused a response of ours; for the log, since nothing is sent again.
    Rejected {
        /// The type of the response.
        url: ResourceUrl,
        /// Our nonce, as the peer repeats it.
        nonce: String,
        /// What the peer says.
        refusal: Refusal,
    },
}

/// One end of one peer stream.
///
/// [`Session::dial`] and [`Session::accept`] make one; the rest is the same for both. A call that makes no sense in the
/// present phase changes nothing, so that a driver need not know the phase.
#[derive(Debug)]
pub struct Session {
    pub(super) role: Role,
    pub(super) peer_id: String,
    pub(super) phase: Phase,
    pub(super) actions: VecDeque<Action>,
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Acceptor,
    Dialer,
}

/// How far a stream is.
#[derive(Debug)]
pub(super) enum Phase {
    /// An acceptor's stream that is not accepted yet.
    Opening(Opening),
    Running(Box<Running>),
    /// Only the other side's end is awaited.
    Farewell(Farewell),
    Ended,
}

/// A stream in which frames no longer count.
#[derive(Debug)]
pub(super) struct Farewell {
    /// How it ends.
    pub(super) outcome: Result<(), Refusal>,
    /// After how many more frames, if not when the other side hangs up.
    pub(super) frames_left: Option<usize>,
    /// At what time in any case.
    pub(super) deadline: Instant,
}

/// A stream that both sides use.
#[derive(Debug)]
pub(super) struct Running {
    heartbeat: Heartbeat,
    imports: Imports,
    outbox: Outbox,
    is_connected: bool,
}

impl Session {
    pub(super) fn new(role: Role, phase: Phase) -> Self {
        Self { role, peer_id: String::new(), phase, actions: VecDeque::new() }
    }

    /// Returns the next thing to do, or `None` until there is new input.
    #[must_use]
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Says whether the next frame may be read. While not, flow control holds the peer back.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        let has_room = match &self.phase {
            Phase::Opening(opening) => opening.has_room(),
            Phase::Running(running) => running.imports.has_room(),
            Phase::Farewell(_) => true,
            Phase::Ended => false,
        };
        has_room && self.actions.len() < ACTIONS_WAITING_MAX
    }

    /// Says whether the stream is over; actions may still wait.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Returns the time at which [`Session::on_deadline`] is due, if any. It changes with every input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Opening(opening) => opening.next_deadline(),
            Phase::Running(running) => Some(running.heartbeat.next_deadline()),
            Phase::Farewell(farewell) => Some(farewell.deadline),
            Phase::Ended => None,
        }
    }

    /// Takes a frame from the peer.
    pub fn on_frame(&mut self, frame: Frame, now: Instant) {
        match &mut self.phase {
            Phase::Opening(_) => self.on_early_frame(frame),
            Phase::Running(_) => self.on_running_frame(frame, now),
            Phase::Farewell(Farewell { frames_left: Some(left), .. }) => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.finish_farewell();
                }
            }
            Phase::Farewell(_) | Phase::Ended => {}
        }
    }

    /// Takes the end of the peer's direction: for an acceptor the half-close (`Ok`), for a dialer the status of the
    /// call, for both a broken connection as an error.
    pub fn on_end(&mut self, status: Result<(), Refusal>) {
        match &mut self.phase {
            Phase::Opening(_) => self.on_early_end(status),
            Phase::Running(_) => self.end_now(match (self.role, status) {
                (_, Ok(())) => Refusal::ended_unexpectedly(),
                (Role::Acceptor, Err(refusal)) => refusal.receiving_failed(),
                (Role::Dialer, Err(refusal)) => refusal,
            }),
            Phase::Farewell(_) => self.finish_farewell(),
            Phase::Ended => {}
        }
    }

    /// Does what is due at this time.
    pub fn on_deadline(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Opening(_) => self.on_opening_deadline(now),
            Phase::Running(running) => match running.heartbeat.on_deadline(now) {
                Beat::Wait => {}
                Beat::Send => self.actions.push_back(Action::Send(Frame::Heartbeat)),
                Beat::TimedOut => self.end_now(Refusal::heartbeat_timeout()),
            },
            Phase::Farewell(farewell) if now >= farewell.deadline => self.finish_farewell(),
            Phase::Farewell(_) | Phase::Ended => {}
        }
    }

    /// Takes the outcome of [`Action::Store`]; a refusal reaches the peer with its code and text.
    pub fn import_done(&mut self, result: Result<(), Refusal>, now: Instant) {
        if let Phase::Running(running) = &mut self.phase {
            running.imports.done(result, &mut self.actions);
            running.heartbeat.set_reading(running.imports.has_room(), now);
        }
    }

    /// Replaces what there is to tell the peer; only what changed is sent.
    pub fn offer(&mut self, offer: Offer) {
        if let Phase::Running(running) = &mut self.phase {
            running.outbox.set(self.role.offer(offer));
            running.tell(&mut self.actions);
        }
    }

    /// Tells the peer that the peering was deleted here, and ends when it has hung up.
    pub fn delete(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Opening(opening) => opening.delete(),
            Phase::Running(_) => {
                self.actions.push_back(Action::Send(Frame::Terminated));
                self.say_farewell(now);
            }
            Phase::Farewell(_) | Phase::Ended => {}
        }
    }

    /// Ends this stream because a newer one of the same peering was accepted.
    pub fn replace(&mut self) {
        self.end(Refusal::replaced(&self.peer_id));
    }

    /// Ends this stream for a reason of ours, such as [`Refusal::shutting_down`]. One that only waits for the other side
    /// to hang up keeps its outcome.
    pub fn end(&mut self, refusal: Refusal) {
        match &self.phase {
            Phase::Opening(_) | Phase::Running(_) => self.end_now(refusal),
            Phase::Farewell(_) => self.finish_farewell(),
            Phase::Ended => {}
        }
    }

    /// Starts the rules of a running stream: subscribes, and beats for the first time.
    pub(super) fn run(&mut self, offer: Offer, subscriptions: &[ResourceUrl], now: Instant) {
        let peer_id = match self.role {
            Role::Acceptor => "",
            Role::Dialer => &self.peer_id,
        };
        let requests = subscriptions.iter().map(|url| Request::subscribe(peer_id, url.clone()));
        self.actions.extend(requests.map(|request| Action::Send(Frame::Request(request))));
        self.phase = Phase::Running(Box::new(Running {
            heartbeat: Heartbeat::start(now),
            imports: Imports::default(),
            outbox: Outbox::new(self.role.offer(offer)),
            // An acceptor is connected by accepting; a dialer learns of it from the first frame.
            is_connected: self.role == Role::Acceptor,
        }));
        self.on_deadline(now);
    }

    pub(super) fn end_now(&mut self, refusal: Refusal) {
        self.phase = Phase::Ended;
        self.actions.push_back(Action::End(Err(refusal)));
    }

    fn finish_farewell(&mut self) {
        if let Phase::Farewell(farewell) = std::mem::replace(&mut self.phase, Phase::Ended) {
            self.actions.push_back(Action::End(farewell.outcome));
        }
    }

    /// Waits for the other side to hang up after a `Terminated` either way.
    fn say_farewell(&mut self, now: Instant) {
        if self.role == Role::Dialer {
            self.actions.push_back(Action::HalfClose);
        }
        let deadline = now + FAREWELL_TIMEOUT;
        self.phase = Phase::Farewell(Farewell { outcome: Ok(()), frames_left: None, deadline });
    }

    fn on_running_frame(&mut self, frame: Frame, now: Instant) {
        let Phase::Running(running) = &mut self.phase else { return };
        let shows_acceptance = matches!(frame, Frame::Request(_) | Frame::Response(_) | Frame::Heartbeat);
        if shows_acceptance && !running.is_connected {
            running.is_connected = true;
            self.actions.push_back(Action::Connected);
        }
        if let Err(refusal) = repeatable(&frame) {
            return self.end_now(refusal);
        }
        match frame {
            Frame::Request(request) => {
                if let Err(refusal) = self.on_request(request) {
                    self.end_now(refusal);
                }
            }
            Frame::Response(response) => {
                running.imports.on_response(response, &mut self.actions);
                running.heartbeat.set_reading(running.imports.has_room(), now);
            }
            Frame::Heartbeat => running.heartbeat.received(now),
            Frame::Terminated => {
                self.actions.push_back(Action::PeerTerminated);
                self.say_farewell(now);
            }
            Frame::Open(_) | Frame::Unknown => {}
        }
    }

    fn on_request(&mut self, request: Request) -> Result<(), Refusal> {
        let Phase::Running(running) = &mut self.phase else { return Ok(()) };
        let Request { peer_id, nonce, url, error } = request;
        if let ResourceUrl::Unknown(url) = &url {
            let url = echo(url);
            return Err(Refusal::invalid(format!("subscription request to unknown resource URL: {url}")));
        }
        if running.outbox.is_subscribed(&url) {
            // Nonces are not matched against anything, and a repeated subscription reads as an acknowledgement.
            if let Some(refusal) = error {
                self.actions.push_back(Action::Rejected { url, nonce, refusal });
            }
            return Ok(());
        }
        // An acceptor knows from `Open` which peering this is; only a dialer compares.
        if self.role == Role::Dialer && !peer_id.is_empty() && peer_id != self.peer_id {
            let (got, expected) = (quoted(&peer_id), quoted(&self.peer_id));
            return Err(Refusal::invalid(format!(
                "initial subscription requests for a resource type must have consistent PeerID values: \
                 got={got} expected={expected}"
            )));
        }
        if !nonce.is_empty() {
            let text = "initial subscription requests for a resource type must not contain a nonce";
            return Err(Refusal::invalid(text));
        }
        if error.is_some() {
            return Err(Refusal::invalid("initial subscription request for a resource type must not contain an error"));
        }
        running.outbox.subscribe(url);
        running.tell(&mut self.actions);
        Ok(())
    }
}

impl Running {
    /// Sends what is due.
    fn tell(&mut self, actions: &mut VecDeque<Action>) {
        while let Some(response) = self.outbox.next() {
            actions.push_back(Action::Send(Frame::Response(response)));
        }
    }
}

impl Role {
    /// Leaves out what this role never tells: an acceptor refuses addresses, because it never dials.
    fn offer(self, offer: Offer) -> Offer {
        match self {
            Self::Acceptor => offer,
            Self::Dialer => Offer { server_addresses: vec![], ..offer },
        }
    }
}

/// Refuses a frame whose answer would have to repeat too much.
fn repeatable(frame: &Frame) -> Result<(), Refusal> {
    let (nonce, url) = match frame {
        Frame::Request(Request { nonce, url, .. }) => (nonce, url),
        Frame::Response(Response { nonce, url, .. }) => (nonce, url),
        _ => return Ok(()),
    };
    for (what, max, got) in
        [("a nonce", NONCE_BYTES_MAX, nonce.len()), ("a resource URL", TYPE_URL_BYTES_MAX, url.as_str().len())]
    {
        if got > max {
            return Err(Refusal::invalid(format!("expected {what} of at most {max} bytes, got {got}")));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
