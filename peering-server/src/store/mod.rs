//! Where facts live: a small revisioned key-value store, so that embedded and distributed mean the same.
//!
//! Every commit of at least one write has a revision, counted from 1. A record knows the revision that created it and
//! the last one that wrote it, and a transaction may demand either "absent" or "still at that revision". There is no
//! precondition on time and no lease.
//!
//! A key is a path such as `peerings/5b1c…`. Its first part, up to and including the first `/`, is its top-level
//! directory ([`top_directory`]), of which there are a few, fixed by our own key layout. Per top-level directory the
//! store remembers when something in it was last written *or deleted*; that is what [`Page::revision`] tells.
//!
//! | To | do |
//! |---|---|
//! | list and stay current | [`Store::range`] all pages, then [`Store::watch`] from the first page's revision + 1 |
//! | change a record | [`Store::get`] it, commit with [`Precondition::Unchanged`], start again on [`Commit::Conflict`] |
//! | make a record once | commit with [`Precondition::Absent`] |

mod feed;
pub mod key;
pub mod memory;
pub mod record;
pub mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod suite;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

/// Most preconditions plus writes in one transaction; the limit that etcd is shipped with.
pub const TXN_OPERATIONS_MAX: usize = 128;
/// Most bytes in one value. A record of ours stays far below.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most events kept for watchers; one that asks for older ones gets [`Watched::Compacted`] and lists again.
pub const WATCH_EVENTS_MAX: usize = 8_192;
/// Most bytes of keys and values kept for watchers: sixteen of the largest values, and far more than
/// [`WATCH_EVENTS_MAX`] records of the usual size.
pub const WATCH_BYTES_MAX: usize = 16 << 20;

/// Counts commits; 0 is the revision of an empty store.
pub type Revision = u64;

/// One stored value with its revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub value: Vec<u8>,
    /// Revision of the commit that created it. Deleting and creating again starts anew.
    pub created: Revision,
    /// Revision of the last commit that wrote it.
    pub modified: Revision,
}

/// One page of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Records in the byte order of their keys.
    pub records: Vec<Record>,
    /// Revision of the last write or deletion under the prefix, 0 if there never was one. Taken together with the
    /// records, in one snapshot.
    ///
    /// Exact for a top-level directory such as `peerings/`. A deeper prefix has the revision of its top-level
    /// directory, a prefix without `/` that of the store: never too low, so that nobody waits for a change that has
    /// already happened.
    pub revision: Revision,
    /// Whether records after the last one were left out because of the limit.
    pub more: bool,
}

/// What must still be true when a transaction commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// There is no record under this key.
    Absent(String),
    /// The record under this key was last written by this revision.
    Unchanged(String, Revision),
}

/// One write of a transaction. A later write to the same key wins, as if the earlier one had not been asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces a record.
    Put(String, Vec<u8>),
    /// Removes a record; removing what is not there is no error and leaves no trace.
    Delete(String),
}

/// Preconditions and the writes that happen, all or none, if they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    /// What must hold.
    pub preconditions: Vec<Precondition>,
    /// What then happens, as one revision.
    pub writes: Vec<Write>,
}

impl Txn {
    /// Counts what the bound [`TXN_OPERATIONS_MAX`] counts.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.preconditions.len() + self.writes.len()
    }

    /// Checks the bounds; every backend does this before anything else.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if there are more operations or larger values than allowed.
    pub fn check(&self) -> Result<(), StoreError> {
        let sizes = self.writes.iter().map(|write| match write {
            Write::Put(_, value) => value.len(),
            Write::Delete(_) => 0,
        });
        let (operations, bytes) = (self.operations(), sizes.max().unwrap_or(0));
        if operations > TXN_OPERATIONS_MAX || bytes > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge { operations, bytes });
        }
        Ok(())
    }

    /// Returns the last write to each key, in the byte order of the keys: the new value, or `None` to delete. Backends
    /// apply the writes in this order, and it is the order of the commit's events.
    #[must_use]
    pub fn into_changes(self) -> BTreeMap<String, Option<Vec<u8>>> {
        let change = |write| match write {
            Write::Put(key, value) => (key, Some(value)),
            Write::Delete(key) => (key, None),
        };
        self.writes.into_iter().map(change).collect()
    }
}

/// Returns the top-level directory of a key or prefix, `None` if there is no `/` in it.
///
/// # Examples
/// ```
/// use peering_server::store::top_directory;
///
/// assert_eq!(top_directory("peerings/5b1c"), Some("peerings/"));
/// assert_eq!(top_directory("services/web/1"), Some("services/"));
/// assert_eq!(top_directory("peer"), None);
/// ```
#[must_use]
pub fn top_directory(key: &str) -> Option<&str> {
    key.find('/').map(|slash| &key[..=slash])
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// Durable, with this revision (the store's present one if nothing changed: no writes, or only deletions of what
    /// was not there).
    Committed(Revision),
    /// A precondition did not hold; nothing was written.
    Conflict,
    /// Nobody can say whether it happened: the caller reads back before it answers.
    Unknown,
}

/// One change, as a watcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The record was written.
    Put(Record),
    /// The record under this key was removed by this revision.
    Delete(String, Revision),
}

impl Event {
    /// Returns the key that was written or deleted.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put(record) => &record.key,
            Self::Delete(key, _) => key,
        }
    }
}

/// What a watcher is told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Changes of one or more whole commits, in the order of their revisions and, within one, of their keys. Never
    /// empty.
    Events(Vec<Event>),
    /// Events were missed: list again, then watch from there. Nothing follows.
    ///
    /// Said only if something in the prefix's top-level directory (in the store, for a prefix without `/`) changed
    /// since the revision asked for, so that listing again always makes progress.
    Compacted,
}

/// Says why a store could not do as asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The transaction is larger than the bounds allow: a mistake of the caller.
    #[error(
        "a transaction may have {TXN_OPERATIONS_MAX} operations with values of {VALUE_BYTES_MAX} bytes, got {operations} with up to {bytes} bytes"
    )]
    TooLarge {
        /// Operations in it.
        operations: usize,
        /// Size of its largest value.
        bytes: usize,
    },
    /// The backend failed; nothing was written.
    #[error("the store failed to {operation}")]
    Backend {
        /// What it was doing.
        operation: &'static str,
        /// What it said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// There is no space left to write to; what is stored can still be read.
    #[error("the store failed to {operation}: its disk is full")]
    Full {
        /// What it was doing.
        operation: &'static str,
        /// What the backend said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
}

/// Tells of changes under a prefix, in order.
#[async_trait]
pub trait Watch: Send {
    /// Waits for the next changes. Ends with `None` when the store closes, after the last change was told. Safe to drop
    /// half-way: nothing is lost.
    async fn next(&mut self) -> Option<Watched>;
}

/// A revisioned store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads one record.
    ///
    /// # Errors
    /// [`StoreError`] if the backend fails.
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError>;

    /// Reads up to `limit` records whose keys start with `prefix` and are greater than `after` (all, if `None`). A limit
    /// of 0 asks for the revision alone.
    ///
    /// # Errors
    /// [`StoreError`] if the backend fails.
    async fn range(&self, prefix: &str, limit: usize, after: Option<&str>) -> Result<Page, StoreError>;

    /// Commits a transaction. Once this answers [`Commit::Committed`], every later read sees the writes, and with a
    /// backend that keeps anything they survive a crash of the process. If the caller stops waiting, the transaction may
    /// still happen.
    ///
    /// # Errors
    /// [`StoreError`] if certainly nothing was written.
    async fn commit(&self, txn: Txn) -> Result<Commit, StoreError>;

    /// Watches a prefix for changes with a revision of at least `from`, past ones included.
    ///
    /// # Errors
    /// [`StoreError`] if the backend fails.
    async fn watch(&self, prefix: &str, from: Revision) -> Result<Box<dyn Watch>, StoreError>;

    /// Returns the revision of the last commit.
    ///
    /// # Errors
    /// [`StoreError`] if the backend fails.
    async fn revision(&self) -> Result<Revision, StoreError>;
}
