//! A group of transactions under one COMMIT: each whole or not at all, all durable with one sync.

use std::collections::BTreeMap;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use super::backend_error;
use super::schema::read_revision;
use crate::store::feed::Changes;
use crate::store::{Commit, Event, Precondition, Record, Revision, StoreError, Txn, top_directory};

const FIND: &str = "SELECT created, modified FROM record WHERE key = ?1";
const INSERT: &str = "INSERT INTO record (key, value, created, modified) VALUES (?1, ?2, ?3, ?3)
    ON CONFLICT (key) DO NOTHING";
const UPDATE: &str = "UPDATE record SET value = ?2, modified = ?3 WHERE key = ?1";
const DELETE: &str = "DELETE FROM record WHERE key = ?1";
const DIRECTORY: &str = "INSERT INTO directory (name, revision) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET revision = excluded.revision";
const REVISION: &str = "UPDATE store SET revision = ?1 WHERE id = 1";
const BEGIN_AGAIN: &str = "ROLLBACK; BEGIN IMMEDIATE";
const SETTLE: &str = "UPDATE store SET settled = settled + 1 WHERE id = 1";

/// What became of one transaction.
pub(super) type Verdict = Result<Commit, StoreError>;

/// Ends a transaction with COMMIT. Tests put one in its place that fails.
pub(super) type CommitFn = dyn FnMut(Transaction<'_>) -> rusqlite::Result<()> + Send;

/// What a group changes, or may have changed.
pub(super) struct Attempt {
    /// Revision of the store before the group.
    before: Revision,
    /// Changes in the order of their revisions.
    pub(super) changes: Vec<Changes>,
}

/// A group that was applied, transaction by transaction.
pub(super) struct Applied {
    /// One for each transaction, in order; they count once the group is committed.
    pub(super) verdicts: Vec<Verdict>,
    /// What they changed.
    pub(super) attempt: Attempt,
}

/// Why a group was not committed.
pub(super) enum Failure {
    /// Certainly nothing was written.
    Nothing(StoreError),
    /// COMMIT failed in a way that leaves open what is on the disk.
    Unsure(Applied, StoreError),
}

impl Attempt {
    /// Revision of the store if the group happened.
    pub(super) fn after(&self) -> Revision {
        self.changes.last().map_or(self.before, |changes| changes.revision)
    }

    /// Finds out what became of this attempt, and makes sure that it stays so. Returns whether it happened.
    ///
    /// A failed sync may leave a whole commit in the write-ahead log that this process does not see and a restart
    /// would. The next commit that succeeds is written over it; so one is made here, and until it succeeds nobody can
    /// say what a restart will find.
    pub(super) fn settle(&self, connection: &mut Connection, commit: &mut CommitFn) -> Result<bool, StoreError> {
        let mut settle = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let found = read_revision(&transaction)?;
            transaction.execute(SETTLE, [])?;
            commit(transaction)?;
            Ok(found == self.after())
        };
        settle().map_err(|source| backend_error("settle a commit that failed before", source))
    }
}

/// Applies transactions one after the other and commits what they changed.
///
/// One whose precondition fails has written nothing by then, so a group needs no savepoints as long as every statement
/// goes well. If one fails, the group begins again with a savepoint for each, so that the failure stays its own.
pub(super) fn write(
    connection: &mut Connection,
    before: Revision,
    txns: Vec<Txn>,
    commit: &mut CommitFn,
) -> Result<Applied, Failure> {
    let nothing = |operation| move |source| Failure::Nothing(backend_error(operation, source));
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let mut transaction = begun.map_err(nothing("begin a transaction"))?;
    let again = txns.clone();
    let applied = match apply_all(&transaction, before, txns) {
        Ok(applied) => applied,
        // SQLite itself has rolled back the whole group, for want of space or memory perhaps.
        Err(source) if transaction.is_autocommit() => return Err(nothing("write a transaction")(source)),
        Err(_) => {
            transaction.execute_batch(BEGIN_AGAIN).map_err(nothing("begin a transaction again"))?;
            apply_each_alone(&mut transaction, before, again).map_err(nothing("write a transaction"))?
        }
    };
    if !applied.attempt.changes.is_empty() {
        note_revisions(&transaction, &applied.attempt).map_err(nothing("note the revision"))?;
        if let Err(source) = commit(transaction) {
            let certain = wrote_nothing(&source);
            let error = backend_error("commit", source);
            return Err(if certain { Failure::Nothing(error) } else { Failure::Unsure(applied, error) });
        }
    }
    Ok(applied)
}

impl Applied {
    fn nothing_yet(before: Revision, count: usize) -> Self {
        Self { verdicts: Vec::with_capacity(count), attempt: Attempt { before, changes: Vec::new() } }
    }

    /// Notes what became of the next transaction: its events, or `None` if a precondition did not hold.
    fn note(&mut self, events: Option<Vec<Event>>) {
        let Some(events) = events else { return self.verdicts.push(Ok(Commit::Conflict)) };
        if !events.is_empty() {
            self.attempt.changes.push(Changes { revision: self.attempt.after() + 1, events });
        }
        self.verdicts.push(Ok(Commit::Committed(self.attempt.after())));
    }
}

/// Applies transactions until a statement fails.
fn apply_all(connection: &Connection, before: Revision, txns: Vec<Txn>) -> rusqlite::Result<Applied> {
    let mut applied = Applied::nothing_yet(before, txns.len());
    for txn in txns {
        let events = apply(connection, txn, applied.attempt.after() + 1)?;
        applied.note(events);
    }
    Ok(applied)
}

/// Applies each transaction in a savepoint, so that its failure leaves the others alone. An error is one of all of them.
fn apply_each_alone(transaction: &mut Transaction<'_>, before: Revision, txns: Vec<Txn>) -> rusqlite::Result<Applied> {
    let mut applied = Applied::nothing_yet(before, txns.len());
    for txn in txns {
        let savepoint = transaction.savepoint()?;
        match apply(&savepoint, txn, applied.attempt.after() + 1) {
            Ok(events) => {
                savepoint.commit()?;
                applied.note(events);
            }
            Err(source) if savepoint.is_autocommit() => return Err(source),
            Err(source) => {
                savepoint.finish()?;
                applied.verdicts.push(Err(backend_error("write a transaction", source)));
            }
        }
    }
    Ok(applied)
}

/// The revisions at which a record was made and last changed.
type Found = Option<(Revision, Revision)>;

/// Applies one transaction. Returns its events, or `None`, with nothing written, if a precondition does not hold.
fn apply(connection: &Connection, txn: Txn, revision: Revision) -> rusqlite::Result<Option<Vec<Event>>> {
    let mut known = Vec::with_capacity(txn.preconditions.len());
    for precondition in &txn.preconditions {
        let (Precondition::Absent(key) | Precondition::Unchanged(key, _)) = precondition;
        let found = find(connection, key)?;
        if !holds(precondition, found) {
            return Ok(None);
        }
        known.push((key.clone(), found));
    }
    let mut events = Vec::new();
    for (key, value) in txn.into_changes() {
        // What was looked up for a precondition need not be looked up again.
        let found = known.iter().find_map(|(of, found)| if *of == key { *found } else { None });
        events.extend(change(connection, key, value, found, revision)?);
    }
    Ok(Some(events))
}

fn find(connection: &Connection, key: &str) -> rusqlite::Result<Found> {
    connection.prepare_cached(FIND)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn holds(precondition: &Precondition, found: Found) -> bool {
    match (precondition, found) {
        (Precondition::Absent(_), found) => found.is_none(),
        (Precondition::Unchanged(_, revision), found) => found.is_some_and(|(_, modified)| modified == *revision),
    }
}

/// Changes one record, perhaps `found` before; `None` if there was nothing to delete.
fn change(
    connection: &Connection,
    key: String,
    value: Option<Vec<u8>>,
    mut found: Found,
    revision: Revision,
) -> rusqlite::Result<Option<Event>> {
    let Some(value) = value else {
        let deleted = connection.prepare_cached(DELETE)?.execute([&key])?;
        return Ok((deleted > 0).then_some(Event::Delete(key, revision)));
    };
    // Most records that nobody looked for are new.
    if found.is_none() {
        let inserted = connection.prepare_cached(INSERT)?.execute(params![key, value, revision])?;
        found = if inserted == 0 { find(connection, &key)? } else { None };
    }
    if found.is_some() {
        connection.prepare_cached(UPDATE)?.execute(params![key, value, revision])?;
    }
    let created = found.map_or(revision, |(created, _)| created);
    Ok(Some(Event::Put(Record { key, value, created, modified: revision })))
}

/// Stores the revision of the store and of each directory that the group changed, once for the whole group.
fn note_revisions(connection: &Connection, attempt: &Attempt) -> rusqlite::Result<()> {
    let mut directories = BTreeMap::new();
    for changes in &attempt.changes {
        let touched = changes.events.iter().filter_map(|event| top_directory(event.key()));
        directories.extend(touched.map(|directory| (directory, changes.revision)));
    }
    let mut statement = connection.prepare_cached(DIRECTORY)?;
    for (directory, revision) in directories {
        statement.execute(params![directory, revision])?;
    }
    connection.prepare_cached(REVISION)?.execute([attempt.after()])?;
    Ok(())
}

/// Says whether a failed COMMIT certainly left nothing on the disk: it never came to writing.
fn wrote_nothing(error: &rusqlite::Error) -> bool {
    let before_writing = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::ConstraintViolation];
    error.sqlite_error_code().is_some_and(|code| before_writing.contains(&code))
}
