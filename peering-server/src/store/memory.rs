//! The store in memory: the reference model that every other backend is compared with, and the one for trying things.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::feed::{Changes, Feed};
use super::{Commit, Event, Page, Precondition, Record, Revision, Store, StoreError, Txn, Watch, top_directory};

/// A store that forgets everything when it is dropped.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), peering_server::store::StoreError> {
/// use peering_server::store::memory::MemoryStore;
/// use peering_server::store::{Commit, Precondition, Store, Txn, Write};
///
/// let store = MemoryStore::new();
/// let create = Txn {
///     preconditions: vec![Precondition::Absent("peerings/a".to_owned())],
///     writes: vec![Write::Put("peerings/a".to_owned(), b"first".to_vec())],
/// };
/// assert_eq!(store.commit(create.clone()).await?, Commit::Committed(1));
/// assert_eq!(store.commit(create).await?, Commit::Conflict);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    feed: Arc<Feed>,
}

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    records: BTreeMap<String, Record>,
    directories: BTreeMap<String, Revision>,
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Mutex::default(), feed: Arc::new(Feed::new(0, BTreeMap::new())) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.feed.close();
    }
}

impl State {
    fn holds(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::Absent(key) => !self.records.contains_key(key),
            Precondition::Unchanged(key, revision) => {
                self.records.get(key).is_some_and(|record| record.modified == *revision)
            }
        }
    }

    /// Changes one record as part of the commit with this revision; `None` if there was nothing to delete.
    fn change(&mut self, key: String, value: Option<Vec<u8>>, revision: Revision) -> Option<Event> {
        let event = match value {
            Some(value) => {
                let created = self.records.get(&key).map_or(revision, |record| record.created);
                let record = Record { key: key.clone(), value, created, modified: revision };
                self.records.insert(key.clone(), record.clone());
                Event::Put(record)
            }
            None => {
                self.records.remove(&key)?;
                Event::Delete(key.clone(), revision)
            }
        };
        if let Some(directory) = top_directory(&key) {
            self.directories.insert(directory.to_owned(), revision);
        }
        Some(event)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.lock().records.get(key).cloned())
    }

    async fn range(&self, prefix: &str, limit: usize, after: Option<&str>) -> Result<Page, StoreError> {
        let state = self.lock();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let rest = state.records.range::<str, _>((start, Bound::Unbounded)).map(|(_, record)| record);
        let mut rest = rest.take_while(|record| record.key.starts_with(prefix));
        let records = rest.by_ref().take(limit).cloned().collect();
        let more = rest.next().is_some();
        let revision = match top_directory(prefix) {
            Some(directory) => state.directories.get(directory).copied().unwrap_or(0),
            None => state.revision,
        };
        Ok(Page { records, revision, more })
    }

    async fn commit(&self, txn: Txn) -> Result<Commit, StoreError> {
        txn.check()?;
        let mut state = self.lock();
        if !txn.preconditions.iter().all(|precondition| state.holds(precondition)) {
            return Ok(Commit::Conflict);
        }
        let revision = state.revision + 1;
        let changes = txn.into_changes().into_iter();
        let events: Vec<Event> = changes.filter_map(|(key, value)| state.change(key, value, revision)).collect();
        if !events.is_empty() {
            state.revision = revision;
            // Under the lock, so that commits are told in their order.
            self.feed.publish(Changes { revision, events });
        }
        Ok(Commit::Committed(state.revision))
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        Ok(self.feed.watch(prefix, from))
    }

    async fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.lock().revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite;

    #[tokio::test]
    async fn memory_passes_the_suite() {
        suite::run(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>).await;
    }

    #[tokio::test]
    async fn a_dropped_store_ends_its_watchers() {
        let store = MemoryStore::new();
        let mut watch = store.watch("", 1).await.unwrap();
        drop(store);
        assert_eq!(watch.next().await, None);
    }
}
