//! Recent changes of a store in this process, kept in one bounded place from which every watcher reads.
//!
//! A slow watcher holds nothing back and has no queue of its own: it finds its next events in the feed, or learns that
//! they are gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Event, Revision, WATCH_BYTES_MAX, WATCH_EVENTS_MAX, Watch, Watched, top_directory};

/// What one commit changed.
#[derive(Debug)]
pub(super) struct Changes {
    /// The commit.
    pub(super) revision: Revision,
    /// Its events, in the order of their keys; never empty.
    pub(super) events: Vec<Event>,
}

impl Changes {
    fn bytes(&self) -> usize {
        let value_bytes = |event: &Event| match event {
            Event::Put(record) => record.value.len(),
            Event::Delete(..) => 0,
        };
        self.events.iter().map(|event| event.key().len() + value_bytes(event)).sum()
    }

    fn matching(&self, prefix: &str) -> impl Iterator<Item = Event> {
        self.events.iter().filter(move |event| event.key().starts_with(prefix)).cloned()
    }
}

/// The recent changes and the bell that wakes watchers.
#[derive(Debug)]
pub(super) struct Feed {
    state: Mutex<State>,
    bell: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    kept: VecDeque<Arc<Changes>>,
    kept_events: usize,
    kept_bytes: usize,
    last: Revision,
    dropped: Dropped,
    closed: bool,
}

/// Revisions of the last events that are no longer kept.
#[derive(Debug, Default)]
struct Dropped {
    anywhere: Revision,
    by_directory: BTreeMap<String, Revision>,
}

impl Dropped {
    fn note(&mut self, changes: &Changes) {
        self.anywhere = changes.revision;
        for directory in changes.events.iter().filter_map(|event| top_directory(event.key())) {
            match self.by_directory.get_mut(directory) {
                Some(revision) => *revision = changes.revision,
                None => _ = self.by_directory.insert(directory.to_owned(), changes.revision),
            }
        }
    }

    fn under(&self, prefix: &str) -> Revision {
        match top_directory(prefix) {
            Some(directory) => self.by_directory.get(directory).copied().unwrap_or(0),
            None => self.anywhere,
        }
    }
}

impl Feed {
    /// Starts a feed of a store that is at a revision and whose directories were last changed at these.
    pub(super) fn new(revision: Revision, by_directory: BTreeMap<String, Revision>) -> Self {
        let state = State {
            kept: VecDeque::new(),
            kept_events: 0,
            kept_bytes: 0,
            last: revision,
            dropped: Dropped { anywhere: revision, by_directory },
            closed: false,
        };
        Self { state: Mutex::new(state), bell: watch::Sender::new(()) }
    }

    /// Tells the changes of one commit. Commits come in the order of their revisions.
    pub(super) fn publish(&self, changes: Changes) {
        let mut state = self.lock();
        state.last = changes.revision;
        state.kept_events += changes.events.len();
        state.kept_bytes += changes.bytes();
        state.kept.push_back(Arc::new(changes));
        while state.kept_events > WATCH_EVENTS_MAX || state.kept_bytes > WATCH_BYTES_MAX {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.kept_events -= oldest.events.len();
            state.kept_bytes -= oldest.bytes();
            state.dropped.note(&oldest);
        }
        drop(state);
        self.bell.send_replace(());
    }

    /// Ends every watcher once it has been told what is kept.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.send_replace(());
    }

    /// Watches a prefix from a revision on.
    pub(super) fn watch(self: &Arc<Self>, prefix: &str, from: Revision) -> Box<dyn Watch> {
        let bell = self.bell.subscribe();
        Box::new(Watcher { feed: Arc::clone(self), bell, prefix: prefix.to_owned(), next: from.max(1), ended: false })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the feed from its own place.
struct Watcher {
    feed: Arc<Feed>,
    bell: watch::Receiver<()>,
    prefix: String,
    next: Revision,
    ended: bool,
}

impl Watcher {
    /// Reads what there is now; `None` if there is nothing yet.
    fn read(&mut self) -> Option<Watched> {
        let recent: Vec<Arc<Changes>> = {
            let state = self.feed.lock();
            if state.dropped.under(&self.prefix) >= self.next {
                self.ended = true;
                return Some(Watched::Compacted);
            }
            let start = state.kept.partition_point(|changes| changes.revision < self.next);
            self.next = self.next.max(state.last + 1);
            self.ended = state.closed;
            state.kept.range(start..).cloned().collect()
        };
        let events: Vec<Event> = recent.iter().flat_map(|changes| changes.matching(&self.prefix)).collect();
        if events.is_empty() { None } else { Some(Watched::Events(events)) }
    }
}

#[async_trait]
impl Watch for Watcher {
    async fn next(&mut self) -> Option<Watched> {
        while !self.ended {
            // Marked as heard before reading, so that a commit between reading and waiting rings again.
            self.bell.mark_unchanged();
            if let Some(watched) = self.read() {
                return Some(watched);
            }
            if !self.ended && self.bell.changed().await.is_err() {
                break;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Record;

    fn put(key: &str, revision: Revision, bytes: usize) -> Changes {
        let record = Record { key: key.to_owned(), value: vec![0; bytes], created: revision, modified: revision };
        Changes { revision, events: vec![Event::Put(record)] }
    }

    fn empty() -> Arc<Feed> {
        Arc::new(Feed::new(0, BTreeMap::new()))
    }

    #[tokio::test]
    async fn bytes_are_bounded_as_well_as_events() {
        let feed = empty();
        for revision in 1..=17 {
            feed.publish(put("a/large", revision, WATCH_BYTES_MAX / 16 - "a/large".len()));
        }
        assert_eq!(feed.watch("a/", 1).next().await, Some(Watched::Compacted));
        let Some(Watched::Events(events)) = feed.watch("a/", 2).next().await else { panic!("16 are kept") };
        assert_eq!(events.len(), 16);
        assert_eq!(feed.lock().kept_bytes, WATCH_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_commit_larger_than_the_whole_buffer_is_dropped_at_once() {
        let feed = empty();
        feed.publish(put("a/huge", 1, WATCH_BYTES_MAX + 1));
        assert_eq!(feed.watch("a/", 1).next().await, Some(Watched::Compacted));
        let state = feed.lock();
        assert_eq!((state.kept_events, state.kept_bytes), (0, 0));
    }

    #[tokio::test]
    async fn a_busy_directory_does_not_compact_a_quiet_one() {
        let feed = empty();
        feed.publish(put("quiet/a", 1, 0));
        for revision in 2..=WATCH_EVENTS_MAX as Revision + 2 {
            feed.publish(put("busy/a", revision, 0));
        }
        feed.publish(put("quiet/b", WATCH_EVENTS_MAX as Revision + 3, 0));
        assert_eq!(feed.watch("quiet/", 1).next().await, Some(Watched::Compacted));
        let Some(Watched::Events(events)) = feed.watch("quiet/", 2).next().await else { panic!("nothing was missed") };
        assert_eq!(events.len(), 1);
        assert_eq!(feed.watch("", 2).next().await, Some(Watched::Compacted));
    }

    #[tokio::test]
    async fn what_is_kept_is_told_before_the_end() {
        let feed = empty();
        let mut watch = feed.watch("a/", 1);
        feed.publish(put("a/b", 1, 0));
        feed.close();
        assert!(matches!(watch.next().await, Some(Watched::Events(_))));
        assert_eq!(watch.next().await, None);
        assert_eq!(watch.next().await, None);
    }

    #[tokio::test]
    async fn a_waiting_watcher_ends_when_the_feed_closes() {
        let feed = empty();
        let mut watch = feed.watch("", 1);
        let (ended, ()) = tokio::join!(watch.next(), async { feed.close() });
        assert_eq!(ended, None);
    }
}
