//! Where facts live: a small revisioned key-value store, so that embedded and distributed mean the same.
//!
//! Every commit of at least one write has a revision, counted from 1. A record knows the revision that created it and
//! the last one that wrote it, and a transaction may demand either "absent" or "still at that revision". There is no
//! precondition on time and no lease.

pub mod memory;
pub mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

/// Most preconditions plus writes in one transaction; the limit that etcd is shipped with.
pub const TXN_OPERATIONS_MAX: usize = 128;
/// Most bytes in one value. A record of ours stays far below.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most events kept for watchers; one that asks for older ones gets [`Watched::Compacted`] and lists again.
pub const WATCH_EVENTS_MAX: usize = 8_192;

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

/// One write of a transaction. A later write to the same key wins.
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
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// Durable, with this revision (the store's present one if there was nothing to write).
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

/// What a watcher is told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Changes of one or more commits, in order, never empty.
    Events(Vec<Event>),
    /// Events were missed: list again, then watch from there. Nothing follows.
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
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
}

/// Tells of changes under a prefix, in order.
#[async_trait]
pub trait Watch: Send {
    /// Waits for the next changes. Ends with `None` when the store closes. Safe to drop half-way.
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

    /// Reads up to `limit` records whose keys start with `prefix` and are greater than `after` (all, if `None`).
    ///
    /// # Errors
    /// [`StoreError`] if the backend fails.
    async fn range(&self, prefix: &str, limit: usize, after: Option<&str>) -> Result<Page, StoreError>;

    /// Commits a transaction. Once this answers [`Commit::Committed`], the writes survive a crash of the process.
    ///
    /// # Errors
    /// [`StoreError`] if certainly nothing was written.
    async fn commit(&self, txn: Txn) -> Result<Commit, StoreError>;

    /// Watches a prefix for changes with a revision of at least `from`.
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
