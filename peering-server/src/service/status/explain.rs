//! What explains the state of a peering: the last error, the next redial, the last transitions. Bounded for each
//! peering, and kept for peerings alone: a stranger leaves nothing here.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use peering_core::foreign;
use peering_core::peering::Stored;
use peering_core::peering::state::{Liveness, Reported};
use peering_core::peerstream::{PEER_MESSAGE_CHARS_MAX, Trouble};
use tokio::time::Instant;

use crate::bounds::{DETAIL_TEXT_BYTES_MAX, DETAIL_TRANSITIONS_MAX};

/// What went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: Timestamp,
    /// What kind of trouble.
    pub trouble: Trouble,
    /// What was said, cut and escaped.
    pub text: Box<str>,
}

impl LastError {
    /// Notes trouble; the text may be a peer's.
    #[must_use]
    pub fn new(at: Timestamp, trouble: Trouble, text: &str) -> Self {
        let escaped = foreign::escaped(text, PEER_MESSAGE_CHARS_MAX);
        let end = (0..=escaped.len().min(DETAIL_TEXT_BYTES_MAX)).rev().find(|&at| escaped.is_char_boundary(at));
        Self { at, trouble, text: escaped[..end.unwrap_or_default()].into() }
    }
}

/// Why a state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The peer was heard on a stream.
    PeerHeard,
    /// The stream ended as it should.
    StreamClosed,
    /// The secret of a token was exchanged.
    Exchanged,
    /// A token was generated, or is being used, for a peering that had ended.
    BegunAnew,
    /// The peering was deleted here.
    DeletedHere,
    /// Something went wrong.
    Trouble(Trouble),
}

impl Cause {
    /// Returns the stable word.
    #[must_use]
    pub fn word(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::PeerHeard => "peer-heard",
            Self::StreamClosed => "stream-closed",
            Self::Exchanged => "secret-exchanged",
            Self::BegunAnew => "begun-anew",
            Self::DeletedHere => "deleted-here",
            Self::Trouble(trouble) => return trouble.code(),
        })
    }
}

/// A change of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The state before.
    pub from: Reported,
    /// The state after.
    pub to: Reported,
    /// Why.
    pub cause: Cause,
}

/// When the peer is dialed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextRedial {
    /// In how long.
    pub after: Duration,
    /// Failures since the peer was last heard.
    pub failures: u32,
}

/// Everything that explains a state, at the moment of asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// How long ago the last frame came.
    pub receive_age: Option<Duration>,
    /// How long ago the last frame went.
    pub send_age: Option<Duration>,
    /// What went wrong last, even if all is well again.
    pub last_error: Option<LastError>,
    /// When the peer is dialed again.
    pub next_redial: Option<NextRedial>,
    /// The last changes, the oldest first.
    pub transitions: Vec<Transition>,
}

/// What is kept for one peering.
#[derive(Debug, Default)]
pub(super) struct History {
    stored: Option<Stored>,
    last_error: Option<LastError>,
    redial_at: Option<Instant>,
    failures: u32,
    /// The state that the last transition led to, or that was seen first.
    shown: Option<Reported>,
    transitions: Vec<Transition>,
}

impl History {
    /// Notes what is stored, and why that changed.
    pub(super) fn store(&mut self, stored: Stored, liveness: Liveness, now: Timestamp) {
        let cause = match stored {
            Stored::Deleting => Cause::DeletedHere,
            Stored::Terminated => Cause::Trouble(Trouble::PeeringDeletedByPeer),
            Stored::Establishing if self.stored != Some(Stored::Terminated) => Cause::Exchanged,
            Stored::Establishing | Stored::Pending => Cause::BegunAnew,
        };
        self.stored = Some(stored);
        self.settle(liveness, cause, now);
    }

    /// Notes a transition if the state is another than before. Until it is known what is stored, there is none.
    pub(super) fn settle(&mut self, liveness: Liveness, cause: Cause, at: Timestamp) {
        let Some(to) = self.stored.map(|stored| Reported::of(stored, liveness)) else { return };
        let from = self.shown.replace(to);
        let Some(from) = from.filter(|from| *from != to) else { return };
        if self.transitions.len() == DETAIL_TRANSITIONS_MAX {
            self.transitions.remove(0);
        } else if self.transitions.is_empty() {
            self.transitions.reserve_exact(DETAIL_TRANSITIONS_MAX);
        }
        self.transitions.push(Transition { at, from, to, cause });
    }

    /// Notes what went wrong.
    pub(super) fn trouble(&mut self, error: LastError) {
        self.last_error = Some(error);
    }

    /// Notes that the peer was heard: what failed before counts no more.
    pub(super) const fn heard(&mut self) {
        self.failures = 0;
        self.redial_at = None;
    }

    /// Notes when the peer is dialed again after one more failure.
    pub(super) const fn redial_at(&mut self, at: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.redial_at = Some(at);
    }

    /// Notes that the peer is being dialed.
    pub(super) const fn dials(&mut self) {
        self.redial_at = None;
    }

    /// Explains the state; nothing if there is nothing to say.
    pub(super) fn explain(&self, received: Option<Instant>, sent: Option<Instant>) -> Option<Explanation> {
        let now = Instant::now();
        let age = |at: Instant| now.saturating_duration_since(at);
        let redial = |at: Instant| NextRedial { after: at.saturating_duration_since(now), failures: self.failures };
        let explanation = Explanation {
            receive_age: received.map(age),
            send_age: sent.map(age),
            last_error: self.last_error.clone(),
            next_redial: self.redial_at.map(redial),
            transitions: self.transitions.clone(),
        };
        (explanation != Explanation::default()).then_some(explanation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn the_last_five_transitions_are_kept_each_with_its_cause() {
        let mut history = History::default();
        history.store(Stored::Pending, Liveness::Quiet, NOW);
        assert_eq!(history.explain(None, None), None, "a peering that did nothing has nothing to explain");
        history.store(Stored::Establishing, Liveness::Quiet, NOW);
        for round in 0..100 {
            let (liveness, cause) = if round % 2 == 0 {
                (Liveness::Live, Cause::PeerHeard)
            } else {
                (Liveness::Lost, Cause::Trouble(Trouble::ConnectionLost))
            };
            history.settle(liveness, cause, NOW);
            history.settle(liveness, Cause::StreamClosed, NOW);
        }
        history.store(Stored::Terminated, Liveness::Lost, NOW);
        let told = history.explain(None, None).unwrap().transitions;
        let told: Vec<String> =
            told.iter().map(|told| format!("{} → {}: {}", told.from, told.to, told.cause.word())).collect();
        assert_eq!(
            told,
            [
                "ACTIVE → FAILING: connection-lost",
                "FAILING → ACTIVE: peer-heard",
                "ACTIVE → FAILING: connection-lost",
                "FAILING → ACTIVE: peer-heard",
                "ACTIVE → FAILING: connection-lost",
                "FAILING → TERMINATED: peering-deleted-by-peer"
            ][1..]
        );
    }

    #[test]
    fn a_text_is_cut_after_it_was_escaped() {
        let error = LastError::new(NOW, Trouble::Internal, &"\u{202e}".repeat(PEER_MESSAGE_CHARS_MAX));
        assert_eq!(error.text.len(), DETAIL_TEXT_BYTES_MAX);
        let error = LastError::new(NOW, Trouble::Internal, &"é".repeat(PEER_MESSAGE_CHARS_MAX));
        assert_eq!(error.text.chars().count(), DETAIL_TEXT_BYTES_MAX / 2);
    }

    #[test]
    fn a_peering_s_story_is_bounded() {
        let transitions = DETAIL_TRANSITIONS_MAX * size_of::<Transition>();
        let most = size_of::<History>() + transitions + DETAIL_TEXT_BYTES_MAX;
        assert!(most <= 512, "{} + {transitions} + {DETAIL_TEXT_BYTES_MAX} bytes", size_of::<History>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_redial_counts_down_and_failures_count_until_the_peer_is_heard() {
        let mut history = History::default();
        for failures in 1..=3 {
            history.redial_at(Instant::now() + Duration::from_secs(4));
            tokio::time::advance(Duration::from_secs(1)).await;
            let told = history.explain(None, None).unwrap().next_redial;
            assert_eq!(told, Some(NextRedial { after: Duration::from_secs(3), failures }));
            history.dials();
            assert_eq!(history.explain(None, None), None);
        }
        history.heard();
        history.redial_at(Instant::now());
        assert_eq!(history.explain(None, None).unwrap().next_redial.unwrap().failures, 1);
    }
}
