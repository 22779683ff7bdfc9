//! Live status of peer streams: written by the peer stream, read by everyone; edges never ask each other.

mod explain;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use peering_core::id::PeeringId;
use peering_core::peering::Stored;
use peering_core::peering::state::Liveness;
use peering_core::peerstream::{HEARTBEAT_TIMEOUT, Trouble};
use tokio::time::Instant;

pub use explain::{Cause, Explanation, LastError, NextRedial, Transition};

use crate::ca::renew::LeafEnd;
use crate::clock::{Clock, SystemClock};
use explain::History;

/// What is known about the stream of one peering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// Name of the server that holds the stream.
    pub owner: String,
    /// Whether it runs.
    pub liveness: Liveness,
    /// Last heartbeat received.
    pub last_heartbeat: Option<Timestamp>,
    /// Last frame received.
    pub last_receive: Option<Timestamp>,
    /// Last frame sent, or last attempt to dial.
    pub last_send: Option<Timestamp>,
    /// Services named by the peer.
    pub imported_services: Vec<String>,
    /// Services that we named to the peer.
    pub exported_services: Vec<String>,
}

/// Tells what streams are doing, wherever they run.
#[async_trait]
pub trait StreamStatus: Send + Sync {
    /// Reports on the stream of a peering; `None` if none was seen since the owner's start.
    async fn report(&self, id: PeeringId) -> Option<StreamReport>;

    /// Explains the state of a peering, which we dial or accept; `None` if there is nothing to say.
    async fn explain(&self, id: PeeringId, is_dialed: bool) -> Option<Explanation>;

    /// Notes how the exchange for a peering failed, which is stored in this state.
    fn exchange_failed(&self, id: PeeringId, stored: Stored, trouble: Trouble, text: &str);

    /// Forgets a peering that is gone.
    fn gone(&self, id: PeeringId);
}

/// The streams of this process.
pub struct StreamBoard {
    owner: String,
    clock: Arc<dyn Clock>,
    /// When our own certificate for peers ends, if somebody keeps one.
    own_certificate: Option<LeafEnd>,
    entries: Mutex<HashMap<PeeringId, Entry>>,
}

impl fmt::Debug for StreamBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBoard").field("owner", &self.owner).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Entry {
    report: StreamReport,
    /// Whether there was a stream, or an attempt at one.
    was_seen: bool,
    history: History,
    /// Counts streams, so that one that was replaced can no longer change the report.
    generation: u64,
    is_open: bool,
    has_heard: bool,
    heard_at: Option<Instant>,
    sent_at: Option<Instant>,
}

impl Entry {
    fn liveness(&self) -> Liveness {
        if !self.is_open || !self.has_heard {
            return self.report.liveness;
        }
        // By a clock that nobody sets, as the heartbeat itself.
        let is_silent = self.heard_at.is_some_and(|at| at.elapsed() > HEARTBEAT_TIMEOUT);
        if is_silent { Liveness::Lost } else { Liveness::Live }
    }

    fn settle(&mut self, cause: Cause, now: Timestamp) {
        let liveness = self.liveness();
        self.history.settle(liveness, cause, now);
    }
}

/// Names one stream of a peering; only the newest may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTicket {
    id: PeeringId,
    generation: u64,
}

impl StreamBoard {
    /// Makes an empty board for the server of this name.
    #[must_use]
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), clock: Arc::new(SystemClock), own_certificate: None, entries: Mutex::default() }
    }

    /// Tells the times of errors and transitions by this clock instead of the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Tells of this certificate of ours once it has ended: a dialer that refuses it does so before it says whose it is.
    #[must_use]
    pub fn with_own_certificate(self, end: LeafEnd) -> Self {
        Self { own_certificate: Some(end), ..self }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<PeeringId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a new stream. An older one of the same peering loses its say without showing as lost.
    ///
    /// `heard` tells whether the peer was already heard on it: an acceptor has read `Open`, a dialer has read nothing.
    pub fn opened(&self, id: PeeringId, heard: bool, now: Timestamp) -> StreamTicket {
        let mut entries = self.entries();
        let entry = entries.entry(id).or_default();
        entry.generation += 1;
        entry.is_open = true;
        entry.was_seen = true;
        entry.has_heard = heard;
        entry.history.dials();
        entry.report.owner.clone_from(&self.owner);
        entry.report.last_send = Some(now);
        entry.report.imported_services.clear();
        entry.report.exported_services.clear();
        if heard {
            entry.heard_at = Some(Instant::now());
            entry.report.last_receive = Some(now);
            entry.history.heard();
            entry.settle(Cause::PeerHeard, now);
        }
        StreamTicket { id, generation: entry.generation }
    }

    fn update(&self, ticket: StreamTicket, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries().get_mut(&ticket.id).filter(|entry| entry.generation == ticket.generation) {
            change(entry);
        }
    }

    /// Notes a frame from the peer.
    pub fn received(&self, ticket: StreamTicket, is_heartbeat: bool, now: Timestamp) {
        self.update(ticket, |entry| {
            entry.has_heard = true;
            entry.heard_at = Some(Instant::now());
            entry.report.last_receive = Some(now);
            entry.history.heard();
            entry.settle(Cause::PeerHeard, now);
            if is_heartbeat {
                entry.report.last_heartbeat = Some(now);
            }
        });
    }

    /// Notes a frame to the peer.
    pub fn sent(&self, ticket: StreamTicket, now: Timestamp) {
        self.update(ticket, |entry| {
            entry.sent_at = Some(Instant::now());
            entry.report.last_send = Some(now);
        });
    }

    /// Notes which services the peer named.
    pub fn imported(&self, ticket: StreamTicket, services: Vec<String>) {
        self.update(ticket, |entry| entry.report.imported_services = services);
    }

    /// Notes which services we named to the peer.
    pub fn exported(&self, ticket: StreamTicket, services: Vec<String>) {
        self.update(ticket, |entry| entry.report.exported_services = services);
    }

    /// Notes the end of a stream; with an error the peering reads FAILING.
    pub fn ended(&self, ticket: StreamTicket, error: Option<(Trouble, &str)>) {
        let now = self.clock.now();
        self.update(ticket, |entry| {
            entry.is_open = false;
            entry.report.liveness = if error.is_some() { Liveness::Lost } else { Liveness::Quiet };
            let cause = error.map_or(Cause::StreamClosed, |(trouble, _)| Cause::Trouble(trouble));
            entry.settle(cause, now);
            if let Some((trouble, text)) = error {
                entry.history.trouble(LastError::new(now, trouble, text));
            }
        });
    }

    /// Notes an attempt to dial that reached nobody: the peering keeps the state that it had.
    pub fn unreachable(&self, id: PeeringId, trouble: Trouble, text: &str, now: Timestamp) {
        let mut entries = self.entries();
        let entry = entries.entry(id).or_default();
        entry.was_seen = true;
        entry.report.owner.clone_from(&self.owner);
        entry.report.last_send = Some(now);
        entry.history.trouble(LastError::new(now, trouble, text));
    }

    /// Notes trouble that is no stream's end, such as a dialer that was refused, for a peering that is known here.
    pub fn trouble(&self, id: PeeringId, trouble: Trouble, text: &str) {
        let error = LastError::new(self.clock.now(), trouble, text);
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.history.trouble(error);
        }
    }

    /// Notes when a peer is dialed again.
    pub fn redial_at(&self, id: PeeringId, at: Instant) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.history.redial_at(at);
        }
    }

    /// Notes that a peer is being dialed.
    pub fn dials(&self, id: PeeringId) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.history.dials();
        }
    }

    /// Notes that the peer has ended a peering.
    pub fn terminated(&self, id: PeeringId) {
        let error = LastError::new(self.clock.now(), Trouble::PeeringDeletedByPeer, "the peer has deleted the peering");
        if let Some(entry) = self.entries().get_mut(&id) {
            let liveness = entry.liveness();
            entry.history.store(Stored::Terminated, liveness, error.at);
            entry.history.trouble(error);
        }
    }

    /// Notes what is stored of a peering, from which on it is known here.
    pub fn stored(&self, id: PeeringId, stored: Stored) {
        let now = self.clock.now();
        let mut entries = self.entries();
        let entry = entries.entry(id).or_default();
        let liveness = entry.liveness();
        entry.history.store(stored, liveness, now);
    }

    /// Forgets a peering that is gone.
    pub fn forget(&self, id: PeeringId) {
        self.entries().remove(&id);
    }

    /// Reports on the stream of a peering. A peer that was silent for longer than a heartbeat may take is lost,
    /// whatever its connection says.
    #[must_use]
    pub fn look(&self, id: PeeringId) -> Option<StreamReport> {
        let entries = self.entries();
        let entry = entries.get(&id).filter(|entry| entry.was_seen)?;
        Some(StreamReport { liveness: entry.liveness(), ..entry.report.clone() })
    }

    /// Explains the state of a peering, which we dial or accept; nothing if there is nothing to say.
    #[must_use]
    pub fn explanation(&self, id: PeeringId, is_dialed: bool) -> Option<Explanation> {
        let entries = self.entries();
        let entry = entries.get(&id)?;
        let mut told = entry.history.explain(entry.heard_at, entry.sent_at);
        if !is_dialed
            && entry.liveness() != Liveness::Live
            && let Some(error) = self.own_certificate_error()
        {
            let told = told.get_or_insert_default();
            told.last_error = Some(error);
        }
        told
    }

    fn own_certificate_error(&self) -> Option<LastError> {
        let end = self.own_certificate.as_ref()?.get();
        let text = format!("the certificate of this server for its peers has ended at {end}");
        (self.clock.now() > end).then(|| LastError::new(end, Trouble::OwnCertificateExpired, &text))
    }
}

#[async_trait]
impl StreamStatus for StreamBoard {
    async fn report(&self, id: PeeringId) -> Option<StreamReport> {
        self.look(id)
    }

    async fn explain(&self, id: PeeringId, is_dialed: bool) -> Option<Explanation> {
        self.explanation(id, is_dialed)
    }

    fn exchange_failed(&self, id: PeeringId, stored: Stored, trouble: Trouble, text: &str) {
        let now = self.clock.now();
        let mut entries = self.entries();
        // The exchange may be faster than whoever follows what is stored.
        let entry = entries.entry(id).or_insert_with(|| {
            let mut entry = Entry::default();
            entry.history.store(stored, Liveness::Quiet, now);
            entry
        });
        entry.history.trouble(LastError::new(now, trouble, text));
    }

    fn gone(&self, id: PeeringId) {
        self.forget(id);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id() -> PeeringId {
        PeeringId::from_uuid(Uuid::from_u128(1))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn liveness(board: &StreamBoard) -> Option<Liveness> {
        board.look(id()).map(|report| report.liveness)
    }

    #[test]
    fn a_stream_is_live_once_the_peer_was_heard() {
        let board = StreamBoard::new("s1");
        assert_eq!(liveness(&board), None);
        let ticket = board.opened(id(), false, at(1));
        assert_eq!(liveness(&board), Some(Liveness::Quiet));
        board.received(ticket, false, at(2));
        assert_eq!(liveness(&board), Some(Liveness::Live));
        board.ended(ticket, Some((Trouble::ConnectionLost, "eof")));
        assert_eq!(liveness(&board), Some(Liveness::Lost));
    }

    #[test]
    fn a_replaced_stream_cannot_change_the_report() {
        let board = StreamBoard::new("s1");
        let old = board.opened(id(), true, at(1));
        let new = board.opened(id(), true, at(2));
        board.ended(old, Some((Trouble::StreamReplaced, "replaced")));
        assert_eq!(liveness(&board), Some(Liveness::Live));
        board.ended(new, None);
        assert_eq!(liveness(&board), Some(Liveness::Quiet));
    }

    #[test]
    fn a_new_attempt_after_a_loss_reads_failing_until_the_peer_is_heard() {
        let board = StreamBoard::new("s1");
        let first = board.opened(id(), true, at(1));
        board.ended(first, Some((Trouble::ConnectionLost, "eof")));
        board.unreachable(id(), Trouble::ConnectionRefused, "refused", at(2));
        assert_eq!(liveness(&board), Some(Liveness::Lost));
        let second = board.opened(id(), false, at(3));
        assert_eq!(liveness(&board), Some(Liveness::Lost));
        board.received(second, true, at(4));
        assert_eq!(liveness(&board), Some(Liveness::Live));
    }

    #[test]
    fn a_peer_that_was_never_reached_keeps_its_stored_state() {
        let board = StreamBoard::new("s1");
        board.unreachable(id(), Trouble::ConnectionRefused, "refused", at(1));
        let report = board.look(id()).unwrap();
        assert_eq!((report.liveness, report.last_send), (Liveness::Quiet, Some(at(1))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_silent_for_longer_than_a_heartbeat_takes_is_lost() {
        let board = StreamBoard::new("s1");
        let ticket = board.opened(id(), true, at(0));
        tokio::time::advance(HEARTBEAT_TIMEOUT).await;
        assert_eq!(liveness(&board), Some(Liveness::Live));
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        assert_eq!(liveness(&board), Some(Liveness::Lost));
        board.received(ticket, true, at(1));
        assert_eq!(liveness(&board), Some(Liveness::Live));
    }

    #[test]
    fn trouble_of_a_peering_that_is_not_known_leaves_nothing() {
        let board = StreamBoard::new("s1");
        board.trouble(id(), Trouble::StreamSecretWrong, "wrong");
        board.dials(id());
        board.redial_at(id(), Instant::now());
        assert!(board.entries().is_empty());
        board.stored(id(), Stored::Pending);
        assert_eq!((board.look(id()), board.explanation(id(), false)), (None, None));
        board.trouble(id(), Trouble::StreamSecretWrong, "wrong");
        assert_eq!(board.look(id()), None, "no stream was seen");
        assert_eq!(board.explanation(id(), false).unwrap().last_error.unwrap().trouble, Trouble::StreamSecretWrong);
        board.forget(id());
        assert_eq!(board.explanation(id(), false), None);
    }
}
