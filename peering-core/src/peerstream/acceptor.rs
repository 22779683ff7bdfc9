//! The accepting session up to its acceptance: the first frame, the question to the service, and a patient refusal.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::frame::{Frame, Open, ResourceUrl};
use super::outbox::Offer;
use super::session::{Action, FAREWELL_TIMEOUT, Farewell, Phase, Role, Session};
use super::status::{Refusal, StatusCode};
use crate::remote::RemoteInfo;

/// How long a caller may take to send `Open`, which every dialer sends with the call itself.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Most frames kept while a service decides. A dialer sends four subscriptions and perhaps a heartbeat right behind
/// `Open`, and the rest can wait in the connection.
pub const EARLY_FRAMES_MAX: usize = 8;
/// How long a refusal waits for what the dialer is still writing: a write that fails hides the status from a dialer of
/// Consul 1.21, which then dials again at another pace.
pub const REFUSAL_LINGER: Duration = Duration::from_millis(100);
/// Frames behind `Open` after which a refusal waits no longer: the subscriptions of a dialer.
pub const REFUSAL_LINGER_FRAMES: usize = ResourceUrl::KNOWN.len();
/// Most bytes in each thing that a dialer says of itself. Nothing that names a place is longer than a DNS name.
pub const REMOTE_FIELD_BYTES_MAX: usize = 253;

/// What an acceptor asks for: everything but addresses, since it never dials.
const SUBSCRIPTIONS: [ResourceUrl; 3] =
    [ResourceUrl::ExportedService, ResourceUrl::ExportedServiceList, ResourceUrl::TrustBundle];

/// A service's answer to an `Open`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The secret is right and the peering lives; a promotion is stored.
    Accepted(Offer),
    /// The stream is refused.
    Refused {
        /// With this status.
        refusal: Refusal,
        /// Whether `Terminated` goes before it: the peering was deleted here and the dialer may not know.
        terminated: bool,
    },
}

/// A stream that is not accepted yet.
#[derive(Debug)]
pub(super) enum Opening {
    /// Nothing arrived.
    AwaitingOpen { deadline: Instant },
    /// A service decides; meanwhile the stream goes on behind its back.
    Deciding { early: VecDeque<Frame>, end: Option<Result<(), Refusal>>, is_deleted: bool },
}

impl Opening {
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::AwaitingOpen { .. } => true,
            Self::Deciding { early, .. } => early.len() < EARLY_FRAMES_MAX,
        }
    }

    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::AwaitingOpen { deadline } => Some(*deadline),
            Self::Deciding { .. } => None,
        }
    }

    /// Remembers that the peering was deleted, for the case that the service had accepted just before.
    pub(super) fn delete(&mut self) {
        if let Self::Deciding { is_deleted, .. } = self {
            *is_deleted = true;
        }
    }
}

impl Session {
    /// Waits for a dialer's `Open`.
    #[must_use]
    pub fn accept(now: Instant) -> Self {
        Self::new(Role::Acceptor, Phase::Opening(Opening::AwaitingOpen { deadline: now + OPEN_TIMEOUT }))
    }

    /// Takes the service's answer to [`Action::Authorize`].
    ///
    /// Accepted, the stream is connected and its first frames are sent at once. Refused, it ends a moment later, so that
    /// the dialer hears the status.
    pub fn answer(&mut self, answer: Answer, now: Instant) {
        let deciding = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Opening(Opening::Deciding { early, end, is_deleted }) => (early, end, is_deleted),
            other => {
                self.phase = other;
                return;
            }
        };
        let (early, end, is_deleted) = deciding;
        match answer {
            Answer::Accepted(offer) => {
                self.actions.push_back(Action::Connected);
                self.run(offer, &SUBSCRIPTIONS, now);
                if is_deleted {
                    self.delete(now);
                }
            }
            Answer::Refused { refusal, terminated } => {
                let farewell = if terminated {
                    self.actions.push_back(Action::Send(Frame::Terminated));
                    Farewell { outcome: Err(refusal), frames_left: None, deadline: now + FAREWELL_TIMEOUT }
                } else {
                    let frames_left = Some(REFUSAL_LINGER_FRAMES);
                    Farewell { outcome: Err(refusal), frames_left, deadline: now + REFUSAL_LINGER }
                };
                self.phase = Phase::Farewell(farewell);
            }
        }
        for frame in early {
            self.on_frame(frame, now);
        }
        if let Some(status) = end {
            self.on_end(status);
        }
    }

    pub(super) fn on_early_frame(&mut self, frame: Frame) {
        match (&mut self.phase, frame) {
            (Phase::Opening(Opening::Deciding { early, .. }), frame) => early.push_back(frame),
            (Phase::Opening(Opening::AwaitingOpen { .. }), Frame::Open(open)) => match check(&open) {
                Ok(()) => {
                    self.peer_id.clone_from(&open.peer_id);
                    let early = VecDeque::new();
                    self.phase = Phase::Opening(Opening::Deciding { early, end: None, is_deleted: false });
                    self.actions.push_back(Action::Authorize(open));
                }
                Err(refusal) => self.end_now(refusal),
            },
            (Phase::Opening(Opening::AwaitingOpen { .. }), _) => {
                self.end_now(Refusal::invalid("first message when initiating a peering must be: Open"));
            }
            _ => {}
        }
    }

    pub(super) fn on_early_end(&mut self, status: Result<(), Refusal>) {
        match &mut self.phase {
            Phase::Opening(Opening::Deciding { end, .. }) => *end = Some(status),
            _ => self.end_now(status.err().unwrap_or_else(Refusal::ended_unexpectedly)),
        }
    }

    pub(super) fn on_opening_deadline(&mut self, now: Instant) {
        if let Phase::Opening(Opening::AwaitingOpen { deadline }) = self.phase
            && now >= deadline
        {
            let text = format!("expected Open within {} s of the call", OPEN_TIMEOUT.as_secs());
            self.end_now(Refusal::new(StatusCode::DeadlineExceeded, text));
        }
    }
}

fn check(open: &Open) -> Result<(), Refusal> {
    if open.peer_id.is_empty() {
        return Err(Refusal::invalid("initial subscription request must specify a PeerID"));
    }
    let RemoteInfo { partition, datacenter, locality } = &open.remote;
    let (region, zone) = locality.as_ref().map_or(("", ""), |at| (at.region.as_str(), at.zone.as_str()));
    match [partition, datacenter, region, zone].into_iter().map(str::len).max() {
        Some(got) if got > REMOTE_FIELD_BYTES_MAX => Err(Refusal::invalid(format!(
            "expected at most {REMOTE_FIELD_BYTES_MAX} bytes in each field of Remote, got {got}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peerstream::frame::Request;
    use crate::peerstream::session::tests::{drain, nothing, open, subscription};
    use crate::peerstream::virtual_time::start_of_time;
    use crate::remote::Locality;

    fn opened(now: Instant) -> Session {
        let mut session = Session::accept(now);
        session.on_frame(Frame::Open(open()), now);
        assert_eq!(drain(&mut session), [Action::Authorize(open())]);
        session
    }

    fn ends_with(session: &mut Session, code: StatusCode, text: &str) {
        assert_eq!(drain(session), [Action::End(Err(Refusal::new(code, text)))]);
        assert!(session.is_ended());
    }

    fn refused(refusal: Refusal) -> Answer {
        Answer::Refused { refusal, terminated: false }
    }

    #[test]
    fn the_first_frame_must_be_open() {
        for frame in [Frame::Heartbeat, Frame::Terminated, Frame::Unknown, subscription(ResourceUrl::TrustBundle)] {
            let now = start_of_time();
            let mut session = Session::accept(now);
            session.on_frame(frame, now);
            let text = "first message when initiating a peering must be: Open";
            ends_with(&mut session, StatusCode::InvalidArgument, text);
        }
    }

    #[test]
    fn open_must_name_a_peering() {
        let now = start_of_time();
        let mut session = Session::accept(now);
        session.on_frame(Frame::Open(Open { peer_id: String::new(), ..open() }), now);
        let text = "initial subscription request must specify a PeerID";
        ends_with(&mut session, StatusCode::InvalidArgument, text);
    }

    #[test]
    fn what_a_dialer_says_of_itself_is_bounded() {
        let zone = "z".repeat(REMOTE_FIELD_BYTES_MAX + 1);
        let remote = RemoteInfo { locality: Some(Locality { region: String::new(), zone }), ..RemoteInfo::default() };
        let now = start_of_time();
        let mut session = Session::accept(now);
        session.on_frame(Frame::Open(Open { remote, ..open() }), now);
        let text = "expected at most 253 bytes in each field of Remote, got 254";
        ends_with(&mut session, StatusCode::InvalidArgument, text);
    }

    #[test]
    fn a_caller_that_never_opens_is_left_after_ten_seconds() {
        let now = start_of_time();
        let mut session = Session::accept(now);
        assert_eq!(session.next_deadline(), Some(now + OPEN_TIMEOUT));
        session.on_deadline(now + OPEN_TIMEOUT - Duration::from_millis(1));
        assert_eq!(drain(&mut session), nothing());
        session.on_deadline(now + OPEN_TIMEOUT);
        ends_with(&mut session, StatusCode::DeadlineExceeded, "expected Open within 10 s of the call");
    }

    #[test]
    fn acceptance_subscribes_to_three_types_without_a_peer_id_and_beats() {
        let now = start_of_time();
        let mut session = opened(now);
        session.answer(Answer::Accepted(Offer::default()), now);
        let mut expected = vec![Action::Connected];
        expected.extend(SUBSCRIPTIONS.map(|url| Action::Send(Frame::Request(Request::subscribe("", url)))));
        expected.push(Action::Send(Frame::Heartbeat));
        assert_eq!(drain(&mut session), expected);
    }

    #[test]
    fn frames_that_came_before_the_answer_count_after_it() {
        let now = start_of_time();
        let mut session = opened(now);
        session.on_frame(subscription(ResourceUrl::ExportedService), now);
        assert_eq!(drain(&mut session), nothing());
        session.answer(Answer::Accepted(Offer { exported_services: Some(vec![]), ..Offer::default() }), now);
        let actions = drain(&mut session);
        assert!(matches!(actions.last(), Some(Action::Send(Frame::Response(_)))), "{actions:?}");
    }

    #[test]
    fn few_frames_are_kept_while_a_service_decides() {
        let now = start_of_time();
        let mut session = opened(now);
        for _ in 0..EARLY_FRAMES_MAX {
            assert!(session.is_reading());
            session.on_frame(Frame::Heartbeat, now);
        }
        assert!(!session.is_reading());
        session.answer(Answer::Accepted(Offer::default()), now);
        assert!(session.is_reading());
    }

    #[test]
    fn a_refusal_waits_for_the_subscriptions_that_are_on_their_way() {
        let now = start_of_time();
        let mut session = opened(now);
        session.on_frame(subscription(ResourceUrl::ExportedService), now);
        session.answer(refused(Refusal::invalid_stream_secret()), now);
        for url in [ResourceUrl::ExportedServiceList, ResourceUrl::TrustBundle] {
            session.on_frame(subscription(url), now);
            assert_eq!(drain(&mut session), nothing());
        }
        session.on_frame(subscription(ResourceUrl::ServerAddresses), now);
        ends_with(&mut session, StatusCode::PermissionDenied, "invalid peering stream secret");
    }

    #[test]
    fn a_refusal_waits_a_tenth_of_a_second_at_most() {
        let now = start_of_time();
        let mut session = opened(now);
        session.answer(refused(Refusal::unknown_peering("a-id")), now);
        assert_eq!(session.next_deadline(), Some(now + Duration::from_millis(100)));
        session.on_deadline(now + Duration::from_millis(100));
        ends_with(&mut session, StatusCode::InvalidArgument, "initial subscription for unknown PeerID: a-id");
    }

    #[test]
    fn a_refusal_after_terminated_waits_until_the_dialer_hangs_up() {
        let now = start_of_time();
        let mut session = opened(now);
        session.answer(Answer::Refused { refusal: Refusal::peering_deleted("a-id"), terminated: true }, now);
        assert_eq!(drain(&mut session), [Action::Send(Frame::Terminated)]);
        for _ in 0..20 {
            session.on_frame(Frame::Heartbeat, now);
        }
        session.on_deadline(now + Duration::from_secs(1));
        assert_eq!(drain(&mut session), nothing());
        session.on_end(Ok(()));
        ends_with(&mut session, StatusCode::Aborted, "peering is marked as deleted: a-id");
    }

    #[test]
    fn a_dialer_that_hung_up_before_the_answer_is_noticed_after_it() {
        let now = start_of_time();
        let mut session = opened(now);
        session.on_end(Ok(()));
        assert_eq!(drain(&mut session), nothing());
        session.answer(Answer::Accepted(Offer::default()), now);
        let actions = drain(&mut session);
        let refusal = Refusal::new(StatusCode::Unknown, "stream ended unexpectedly");
        assert_eq!(actions.last(), Some(&Action::End(Err(refusal))));
    }

    #[test]
    fn a_deletion_that_overtakes_the_answer_is_still_told() {
        let now = start_of_time();
        let mut session = opened(now);
        session.delete(now);
        session.answer(Answer::Accepted(Offer::default()), now);
        assert_eq!(drain(&mut session).last(), Some(&Action::Send(Frame::Terminated)));
        session.on_end(Ok(()));
        assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
    }

    #[test]
    fn an_answer_that_nobody_asked_for_changes_nothing() {
        let now = start_of_time();
        let mut session = Session::accept(now);
        session.answer(Answer::Accepted(Offer::default()), now);
        assert_eq!(drain(&mut session), nothing());
        assert_eq!(session.next_deadline(), Some(now + OPEN_TIMEOUT));
    }

    #[test]
    fn a_call_that_breaks_before_open_ends_as_it_broke() {
        let mut session = Session::accept(start_of_time());
        session.on_end(Err(Refusal::new(StatusCode::Unavailable, "reset")));
        ends_with(&mut session, StatusCode::Unavailable, "reset");
        let mut session = Session::accept(start_of_time());
        session.on_end(Ok(()));
        ends_with(&mut session, StatusCode::Unknown, "stream ended unexpectedly");
    }
}
