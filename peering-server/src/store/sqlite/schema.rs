//! The tables, their version, and how a connection is set up.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::OpenError;
use crate::store::Revision;

/// Marks a database as ours: the letters PEER.
const APPLICATION_ID: i64 = 0x5045_4552;
/// Version of the tables below.
const SCHEMA_VERSION: i64 = 1;
/// How long a connection waits for another of ours. Only recovery and the last checkpoint ever make one wait.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What SQLite calls a write-ahead log.
const JOURNAL_MODE: &str = "wal";
/// What SQLite calls a sync of the log at every commit.
const SYNCHRONOUS_FULL: i64 = 2;
/// Page cache of a connection that reads: the upper pages of the tables. The rest is in the system's cache already.
const READER_CACHE_KIB: i32 = 256;
/// What stays of the write-ahead log after a burst made it larger.
const JOURNAL_BYTES_MAX: u32 = 64 << 20;

/// `store` has one row: the revision of the last commit, and a counter that is raised to settle a commit of unsure fate.
const TABLES: &str = "
    CREATE TABLE record (
        key TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE directory (name TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE store (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        revision INTEGER NOT NULL,
        settled INTEGER NOT NULL
    ) STRICT;
    INSERT INTO store (id, revision, settled) VALUES (1, 0, 0);
";

/// Where a store was when it was opened.
pub(super) struct Position {
    /// Revision of the last commit.
    pub(super) revision: Revision,
    /// Revision of the last change in each top-level directory.
    pub(super) directories: BTreeMap<String, Revision>,
}

/// Opens the connection that writes, makes the tables in an empty database, and checks those of any other.
pub(super) fn open_writer(path: &Path) -> Result<(Connection, Position), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| OpenError::of_sqlite("open", path, source);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // Nothing is written, not even the journal mode, before it is clear that the database is ours.
    let is_empty = check_version(&connection, path)?;
    set_up_writer(&connection, path)?;
    if is_empty {
        make_tables(&mut connection).map_err(|source| OpenError::of_sqlite("make the tables of", path, source))?;
    }
    let position = read_position(&connection).map_err(|source| match source {
        // Whoever took the row away did not write what a restart needs.
        rusqlite::Error::QueryReturnedNoRows => OpenError::Damaged { path: path.to_owned(), source },
        source => failed(source),
    })?;
    Ok((connection, position))
}

/// Opens a connection that can only read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| OpenError::of_sqlite("open", path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB).map_err(failed)?;
    Ok(connection)
}

/// Reads the revision of the last commit.
pub(super) fn read_revision(connection: &Connection) -> rusqlite::Result<Revision> {
    connection.prepare_cached("SELECT revision FROM store WHERE id = 1")?.query_row([], |row| row.get(0))
}

/// Returns whether the database is empty; refuses one that is not ours.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let read = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let failed = |source| OpenError::of_sqlite("read the version of", path, source);
    let application = read("PRAGMA application_id").map_err(failed)?;
    let found = read("PRAGMA user_version").map_err(failed)?;
    let tables = read("SELECT count(*) FROM sqlite_schema").map_err(failed)?;
    match (application, found) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(false),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            Err(OpenError::NewerVersion { path: path.to_owned(), found, supported: SCHEMA_VERSION })
        }
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

/// Asks for durable commits, and reads back whether SQLite makes them: where it cannot keep a write-ahead log, it goes
/// on without one and says so in nothing but the answer.
fn set_up_writer(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::of_sqlite("set up", path, source);
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    // FULL syncs the log at every commit; the default of many builds would lose the last ones with the power.
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let limit = format!("PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX}");
    connection.query_row(&limit, [], |_| Ok(())).map_err(failed)?;
    let journal_mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(failed)?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    tracing::debug!(database = %path.display(), journal_mode, synchronous, "store opened");
    if (journal_mode.as_str(), synchronous) != (JOURNAL_MODE, SYNCHRONOUS_FULL) {
        return Err(OpenError::NotDurable { path: path.to_owned(), journal_mode, synchronous });
    }
    Ok(())
}

/// Makes the tables and names them ours in one transaction, so that a crash leaves an empty database or a whole one.
fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

pub(super) fn read_position(connection: &Connection) -> rusqlite::Result<Position> {
    let mut statement = connection.prepare("SELECT name, revision FROM directory")?;
    let directories = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Position { revision: read_revision(connection)?, directories })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_that_writes_syncs_a_write_ahead_log_at_every_commit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("database");
        let connection = Connection::open(&path).unwrap();
        set_up_writer(&connection, &path).unwrap();
        let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        assert_eq!(read("journal_mode").unwrap(), JOURNAL_MODE.to_owned().into());
        assert_eq!(read("synchronous").unwrap(), SYNCHRONOUS_FULL.into());
        assert_eq!(read("journal_size_limit").unwrap(), i64::from(JOURNAL_BYTES_MAX).into());
    }

    #[test]
    fn a_place_without_a_write_ahead_log_is_refused() {
        // A database in memory has none, as one on a disk where SQLite cannot share memory.
        let connection = Connection::open_in_memory().unwrap();
        let error = set_up_writer(&connection, Path::new("data/store.sqlite")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "SQLite cannot make commits to data/store.sqlite durable: expected journal mode wal and synchronous 2, got \
             memory and 2; name a data directory on a local disk"
        );
    }
}
