//! The embedded store: one SQLite database in a private directory, nothing else to install.
//!
//! | File | Holds |
//! |---|---|
//! | `backup` | a copy in one file, while a server commits |
//! | [`error`](OpenError) | why a data directory cannot be opened |
//! | `files` | the directory: its modes and its lock |
//! | `schema` | tables, version, settings of a connection |
//! | `write` | the thread that commits, several transactions with one sync |
//! | `group` | such a group of transactions, up to its COMMIT, and what became of it |
//! | `read` | connections that read: one record on the calling thread, ranges on blocking threads |

mod backup;
mod error;
mod files;
mod group;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

pub use backup::{Backup, BackupError, back_up};
pub use error::OpenError;
use files::DataDirectory;
pub(crate) use files::{DATABASE_FILE, check};
use read::Readers;
use write::{COMMITS_WAITING_MAX, Job, Request, Writer};

use super::feed::Feed;
use super::{Commit, Page, Record, Revision, Store, StoreError, Txn, Watch};

/// A store in a directory, which it holds for itself alone.
///
/// # Shape
/// `store.sqlite` in write-ahead mode with `-wal` and `-shm` beside it, and `lock`; mode 0600 in a directory of mode
/// 0700. Every commit is synced to disk before it is answered; commits that wait together share one sync.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peering_server::store::sqlite::SqliteStore;
/// use peering_server::store::{Commit, Store, Txn, Write};
///
/// let temporary = tempfile::tempdir()?;
/// let store = SqliteStore::open(&temporary.path().join("data"))?;
/// let txn = Txn { writes: vec![Write::Put("peerings/a".to_owned(), b"first".to_vec())], ..Txn::default() };
/// assert_eq!(store.commit(txn).await?, Commit::Committed(1));
/// store.close().await;
///
/// let again = SqliteStore::open(&temporary.path().join("data"))?;
/// assert_eq!(again.revision().await?, 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    feed: Arc<Feed>,
}

impl SqliteStore {
    /// Opens a data directory; makes it, with an empty store, if there is none.
    ///
    /// Blocks for as long as the disk needs: call it before serving anybody.
    ///
    /// # Errors
    /// [`OpenError`], each variant with its remedy. A database of a newer release or of another program is left as it
    /// is.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let directory = Arc::new(DataDirectory::open(directory)?);
        let (connection, position) = schema::open_writer(directory.database())?;
        let readers = Readers::open(&directory)?;
        let feed = Arc::new(Feed::new(position.revision, position.directories));
        let writer = Writer::new(connection, position.revision, Arc::clone(&feed));
        let (jobs, waiting) = mpsc::channel(COMMITS_WAITING_MAX);
        let spawned = writer.spawn(waiting, Arc::clone(&directory));
        let thread = spawned.map_err(|error| OpenError::of_io("start the writer of", directory.database(), error))?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: tokio::sync::Mutex::new(Some(thread)), readers, feed })
    }

    /// Ends the reads and commits that have begun, closes the database and gives the directory back. Whatever comes
    /// later is refused with [`StoreError::Closed`]; watchers end.
    ///
    /// A store that is dropped instead does the same by itself, a little later: nothing that was committed is lost.
    pub async fn close(&self) {
        // Readers first: the last connection to close writes the log back, and must be one that may write.
        self.readers.close().await;
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut thread = self.thread.lock().await;
        if let Some(thread) = thread.take()
            && let Ok(Err(_)) = tokio::task::spawn_blocking(|| thread.join()).await
        {
            tracing::error!("the thread that writes the store had panicked");
        }
    }

    /// Hands a job to the thread; waits while too many wait already.
    async fn send(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.ok_or(StoreError::Closed)?.send(job).await.map_err(|_| StoreError::Closed)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let key = key.to_owned();
        self.readers.read_briefly("read a record", move |connection| read::get(connection, &key)).await
    }

    async fn range(&self, prefix: &str, limit: usize, after: Option<&str>) -> Result<Page, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let query = move |connection: &mut _| read::range(connection, &prefix, limit, after.as_deref());
        self.readers.read("read a range of records", query).await
    }

    async fn commit(&self, txn: Txn) -> Result<Commit, StoreError> {
        txn.check()?;
        let (answer, outcome) = oneshot::channel();
        self.send(Job::Commit(Request { txn, answer })).await?;
        // The thread answers what it has not begun, even when it panics; without an answer the fate is unsure.
        outcome.await.unwrap_or(Ok(Commit::Unknown))
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        Ok(self.feed.watch(prefix, from))
    }

    async fn revision(&self) -> Result<Revision, StoreError> {
        self.readers.read_briefly("read the revision", |connection| schema::read_revision(connection)).await
    }
}

fn backend_error(operation: &'static str, source: rusqlite::Error) -> StoreError {
    let is_full = source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
    let source = Arc::new(source);
    if is_full { StoreError::Full { operation, source } } else { StoreError::Backend { operation, source } }
}
