//! Reading: a few connections of their own. Ranges are read on tokio's blocking threads, so that no worker waits for a disk.
//!
//! One record is read where it is asked for, if a connection is free: it takes some ten microseconds from the system's
//! page cache, and handing it to another thread and back takes several times that of both threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::backend_error;
use super::error::OpenError;
use super::files::DataDirectory;
use super::schema::{open_reader, read_revision};
use crate::store::{Page, Record, StoreError, top_directory};

/// Connections that read at the same time. Reads take microseconds, so a few serve a busy server; each costs a page
/// cache.
const READERS: u32 = 4;

const GET: &str = "SELECT key, value, created, modified FROM record WHERE key = ?1";
const RANGE_FROM: &str = "SELECT key, value, created, modified FROM record WHERE key >= ?1 ORDER BY key";
const RANGE_AFTER: &str = "SELECT key, value, created, modified FROM record WHERE key > ?1 ORDER BY key";
const DIRECTORY_REVISION: &str = "SELECT revision FROM directory WHERE name = ?1";

/// The connections that nobody uses just now, and a permit for each.
#[derive(Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
}

/// A connection, which keeps the directory locked as long as it is open.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    _directory: Arc<DataDirectory>,
}

/// A connection on loan; dropping it brings it back, after a panic too.
struct Loan {
    reader: Option<Reader>,
    idle: Arc<Mutex<Vec<Reader>>>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// Opens the connections.
    pub(super) fn open(directory: &Arc<DataDirectory>) -> Result<Self, OpenError> {
        let open = |_| Ok(Reader { connection: open_reader(directory.database())?, _directory: Arc::clone(directory) });
        let readers = (0..READERS).map(open).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(readers)), permits: Arc::new(Semaphore::new(READERS as usize)) })
    }

    /// Reads with a free connection on this thread, or if there is none with the next free one. For queries of a few
    /// pages alone.
    pub(super) async fn read_briefly<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return self.read(operation, query).await;
        };
        let mut loan = self.lend(permit);
        let read = loan.reader.as_mut().map(|reader| query(&mut reader.connection)).ok_or(StoreError::Closed)?;
        read.map_err(|source| backend_error(operation, source))
    }

    /// Reads with the next free connection.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let mut loan = self.lend(permit);
        let reading = move || loan.reader.as_mut().map(|reader| query(&mut reader.connection));
        match tokio::task::spawn_blocking(reading).await {
            Ok(Some(read)) => read.map_err(|source| backend_error(operation, source)),
            // The runtime or the store is shutting down.
            Ok(None) | Err(_) => Err(StoreError::Closed),
        }
    }

    fn lend(&self, permit: OwnedSemaphorePermit) -> Loan {
        let idle = Arc::clone(&self.idle);
        let reader = lock(&idle).pop();
        Loan { reader, idle, _permit: permit }
    }

    /// Waits for the reads that have begun, closes the connections and refuses every later read.
    pub(super) async fn close(&self) {
        if let Ok(_all) = self.permits.acquire_many(READERS).await {
            self.permits.close();
            lock(&self.idle).clear();
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // Back before the permit, which is dropped after this.
        lock(&self.idle).extend(self.reader.take());
    }
}

fn lock(idle: &Mutex<Vec<Reader>>) -> MutexGuard<'_, Vec<Reader>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads one record.
pub(super) fn get(connection: &mut Connection, key: &str) -> rusqlite::Result<Option<Record>> {
    connection.prepare_cached(GET)?.query_row([key], record).optional()
}

/// Reads a page and its revision in one snapshot.
pub(super) fn range(
    connection: &mut Connection,
    prefix: &str,
    limit: usize,
    after: Option<&str>,
) -> rusqlite::Result<Page> {
    let snapshot = connection.transaction()?;
    let mut page = Page::default();
    {
        // Keys are compared byte by byte, so those with the prefix follow each other and reading stops behind them.
        let (sql, start) = match after {
            Some(after) if after >= prefix => (RANGE_AFTER, after),
            _ => (RANGE_FROM, prefix),
        };
        let mut statement = snapshot.prepare_cached(sql)?;
        let mut rows = statement.query([start])?;
        while let Some(row) = rows.next()? {
            if !row.get_ref(0)?.as_str()?.starts_with(prefix) {
                break;
            }
            if page.records.len() >= limit {
                page.more = true;
                break;
            }
            page.records.push(record(row)?);
        }
    }
    page.revision = match top_directory(prefix) {
        Some(directory) => {
            let mut statement = snapshot.prepare_cached(DIRECTORY_REVISION)?;
            statement.query_row([directory], |row| row.get(0)).optional()?.unwrap_or(0)
        }
        None => read_revision(&snapshot)?,
    };
    Ok(page)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { key: row.get(0)?, value: row.get(1)?, created: row.get(2)?, modified: row.get(3)? })
}
