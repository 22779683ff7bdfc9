//! Live status of peer streams: written by the peer stream, read by everyone; edges never ask each other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use peering_core::id::PeeringId;
use peering_core::peering::state::Liveness;
use peering_core::peerstream::HEARTBEAT_TIMEOUT;
use tokio::time::Instant;

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
    /// Why the last stream or attempt ended, cut and escaped.
    pub last_error: Option<String>,
}

/// Tells what streams are doing, wherever they run.
#[async_trait]
pub trait StreamStatus: Send + Sync {
    /// Reports on the stream of a peering; `None` if none was seen since the owner's start.
    async fn report(&self, id: PeeringId) -> Option<StreamReport>;
}

/// The streams of this process.
#[derive(Debug)]
pub struct StreamBoard {
    owner: String,
    entries: Mutex<HashMap<PeeringId, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    report: StreamReport,
    /// Counts streams, so that one that was replaced can no longer change the report.
    generation: u64,
    is_open: bool,
    has_heard: bool,
    heard_at: Option<Instant>,
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
        Self { owner: owner.into(), entries: Mutex::default() }
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
        entry.has_heard = heard;
        entry.heard_at = heard.then(Instant::now);
        entry.report.owner.clone_from(&self.owner);
        entry.report.last_send = Some(now);
        entry.report.imported_services.clear();
        entry.report.exported_services.clear();
        if heard {
            entry.report.last_receive = Some(now);
            entry.report.last_error = None;
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
            entry.report.last_error = None;
            if is_heartbeat {
                entry.report.last_heartbeat = Some(now);
            }
        });
    }

    /// Notes a frame to the peer.
    pub fn sent(&self, ticket: StreamTicket, now: Timestamp) {
        self.update(ticket, |entry| entry.report.last_send = Some(now));
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
    pub fn ended(&self, ticket: StreamTicket, error: Option<String>) {
        self.update(ticket, |entry| {
            entry.is_open = false;
            entry.report.liveness = if error.is_some() { Liveness::Lost } else { Liveness::Quiet };
            entry.report.last_error = error;
        });
    }

    /// Notes an attempt to dial that reached nobody: the peering keeps the state that it had.
    pub fn unreachable(&self, id: PeeringId, error: String, now: Timestamp) {
        let mut entries = self.entries();
        let entry = entries.entry(id).or_default();
        entry.report.owner.clone_from(&self.owner);
        entry.report.last_send = Some(now);
        entry.report.last_error = Some(error);
    }

    /// Forgets a peering that is gone.
    pub fn forget(&self, id: PeeringId) {
        self.entries().remove(&id);
    }

    /// Reports on the stream of a peering. A peer that was silent for longer than a heartbeat may take is lost,
    /// whatever its connection says.
    #[must_use]
    pub fn look(&self, id: PeeringId) -> Option<StreamReport> {
        self.entries().get(&id).map(|entry| {
            let mut report = entry.report.clone();
            if entry.is_open && entry.has_heard {
                // By a clock that nobody sets, as the heartbeat itself.
                let is_silent = entry.heard_at.is_some_and(|at| at.elapsed() > HEARTBEAT_TIMEOUT);
                report.liveness = if is_silent { Liveness::Lost } else { Liveness::Live };
            }
            report
        })
    }
}

#[async_trait]
impl StreamStatus for StreamBoard {
    async fn report(&self, id: PeeringId) -> Option<StreamReport> {
        self.look(id)
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
        board.ended(ticket, Some("eof".into()));
        assert_eq!(liveness(&board), Some(Liveness::Lost));
    }

    #[test]
    fn a_replaced_stream_cannot_change_the_report() {
        let board = StreamBoard::new("s1");
        let old = board.opened(id(), true, at(1));
        let new = board.opened(id(), true, at(2));
        board.ended(old, Some("replaced".into()));
        assert_eq!(liveness(&board), Some(Liveness::Live));
        board.ended(new, None);
        assert_eq!(liveness(&board), Some(Liveness::Quiet));
    }

    #[test]
    fn a_new_attempt_after_a_loss_reads_failing_until_the_peer_is_heard() {
        let board = StreamBoard::new("s1");
        let first = board.opened(id(), true, at(1));
        board.ended(first, Some("eof".into()));
        board.unreachable(id(), "refused".into(), at(2));
        assert_eq!(liveness(&board), Some(Liveness::Lost));
        let second = board.opened(id(), false, at(3));
        assert_eq!(liveness(&board), Some(Liveness::Lost));
        board.received(second, true, at(4));
        assert_eq!(liveness(&board), Some(Liveness::Live));
    }

    #[test]
    fn a_peer_that_was_never_reached_keeps_its_stored_state() {
        let board = StreamBoard::new("s1");
        board.unreachable(id(), "refused".into(), at(1));
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
}
