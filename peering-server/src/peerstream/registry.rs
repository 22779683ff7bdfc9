//! The streams that run in this process: one for each peering, the newest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use peering_core::id::PeeringId;
use peering_core::peerstream::Trouble;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::service::status::{StreamBoard, StreamTicket};

/// Notes that wait for a stream; there are few kinds and each is sent once or twice in its life.
const NOTES_WAITING_MAX: usize = 8;

/// Something that a running stream must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// The peering was deleted here: tell the peer.
    Deleted,
    /// A newer stream of the same peering was accepted.
    Replaced,
}

/// Finds running streams by their peering.
#[derive(Debug, Default)]
pub(super) struct Registry {
    streams: Mutex<HashMap<PeeringId, Entry>>,
    drawn: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    notes: mpsc::Sender<Note>,
}

/// A stream's place in the registry and on the board. Dropping it gives the place up, unless a newer stream has taken
/// it, and shows the stream as ended, so that one that is given up half-way never reads ACTIVE.
#[derive(Debug)]
pub(super) struct Place<'a> {
    registry: &'a Registry,
    board: &'a StreamBoard,
    id: PeeringId,
    number: u64,
    ticket: StreamTicket,
    error: Option<(Trouble, String)>,
    pub(super) notes: mpsc::Receiver<Note>,
}

impl Registry {
    fn streams(&self) -> MutexGuard<'_, HashMap<PeeringId, Entry>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of a peering's stream; an older one is told that it was replaced.
    ///
    /// The board learns of the new stream before the older one can end, and in the same order as the registry: the
    /// peering shows no failure between the two, and whoever came last is the one that is shown.
    pub(super) fn enter<'a>(&'a self, board: &'a StreamBoard, id: PeeringId, heard: bool, now: Timestamp) -> Place<'a> {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let (sender, notes) = mpsc::channel(NOTES_WAITING_MAX);
        let mut streams = self.streams();
        let ticket = board.opened(id, heard, now);
        if let Some(older) = streams.insert(id, Entry { number, notes: sender }) {
            // A full queue means that the older stream has more than enough reasons to end.
            let _ = older.notes.try_send(Note::Replaced);
        }
        drop(streams);
        Place { registry: self, board, id, number, ticket, error: None, notes }
    }

    /// Tells the stream of a peering, if there is one.
    pub(super) fn tell(&self, id: PeeringId, note: Note) {
        if let Some(entry) = self.streams().get(&id) {
            let _ = entry.notes.try_send(note);
        }
    }

    /// Waits until the stream that a peering has now is over, or for so long.
    pub(super) async fn quiet(&self, id: PeeringId, at_most: Duration) {
        let notes = self.streams().get(&id).map(|entry| entry.notes.clone());
        if let Some(notes) = notes {
            // Running out of time is an answer too: the caller goes on either way.
            let _ = timeout(at_most, notes.closed()).await;
        }
    }
}

impl Place<'_> {
    /// Returns by what name the board knows this stream.
    pub(super) const fn ticket(&self) -> StreamTicket {
        self.ticket
    }

    /// Gives the place up and shows why.
    pub(super) fn leave(mut self, error: Option<(Trouble, String)>) {
        self.error = error;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let error = self.error.as_ref().map(|(trouble, text)| (*trouble, text.as_str()));
        self.board.ended(self.ticket, error);
        let mut streams = self.registry.streams();
        if streams.get(&self.id).is_some_and(|entry| entry.number == self.number) {
            streams.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use peering_core::peering::state::Liveness;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn id() -> PeeringId {
        PeeringId::from_uuid(Uuid::from_u128(1))
    }

    #[tokio::test]
    async fn a_newer_stream_takes_the_place_and_the_older_is_told() {
        let (registry, board) = (Registry::default(), StreamBoard::new("s1"));
        let mut older = registry.enter(&board, id(), true, NOW);
        let mut newer = registry.enter(&board, id(), true, NOW);
        assert_eq!(older.notes.recv().await, Some(Note::Replaced));
        older.leave(Some((Trouble::StreamReplaced, "replaced".to_owned())));
        assert_eq!(board.look(id()).unwrap().liveness, Liveness::Live);
        registry.tell(id(), Note::Deleted);
        assert_eq!(newer.notes.recv().await, Some(Note::Deleted));
        drop(newer);
        assert!(registry.streams().is_empty());
        assert_eq!(board.look(id()).unwrap().liveness, Liveness::Quiet);
        registry.quiet(id(), Duration::from_secs(3_600)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_quiet_ends_with_the_stream_or_with_the_time() {
        let (registry, board) = (Registry::default(), StreamBoard::new("s1"));
        let place = registry.enter(&board, id(), true, NOW);
        registry.quiet(id(), Duration::from_secs(5)).await;
        let waiting = registry.quiet(id(), Duration::from_secs(3_600));
        tokio::join!(waiting, async { drop(place) });
    }
}
