//! The outbox: events are stored in the commit that causes them, and trimmed in a later one.
//!
//! Each consumer reads events in the order of their revisions and keeps a cursor. Rows that all of them have seen are
//! removed, and the cursors moved, by the next commit of the service, so that trimming costs no commit of its own.
//!
//! A consumer that is switched off is not waited for.

mod follow;
mod log;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use peering_core::audit::Head;
use uuid::Uuid;

use super::{Service, ServiceError};
use crate::bounds::{OUTBOX_RESERVE_ROWS_MAX, OUTBOX_ROWS_MAX, OUTBOX_TRIM_ROWS_MAX};
use crate::store::record::{AuditHead, Cursor, encode};
use crate::store::{Commit, Record, Revision, Txn, Write, key};

pub(crate) use follow::Follower;
#[cfg(test)]
pub(super) use log::log_event;

/// Who reads events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consumer {
    /// The log.
    Log,
    /// The audit trail.
    Audit,
}

impl Consumer {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Audit => "audit",
        }
    }
}

/// Counts events that somebody has not read, and collects those that may be removed.
#[derive(Debug)]
pub struct Outbox {
    /// Signed, because rows that were committed while the store was being counted may be missed, and an outcome that
    /// stayed unknown counts for nothing: a bound of a million does not mind, a count that wraps would.
    unread: AtomicIsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    readers: Vec<Reader>,
    /// Rows that all readers have seen.
    done: VecDeque<String>,
    /// The last line of the audit trail, if there is one.
    head: Option<Head>,
}

#[derive(Debug, Clone, Copy)]
struct Reader {
    consumer: Consumer,
    /// All rows up to this revision were seen.
    seen: Revision,
}

impl Default for Outbox {
    /// Has the log as its one consumer.
    fn default() -> Self {
        Self::of(&[Consumer::Log])
    }
}

/// Rows that ride along with a commit. Dropped, they wait for the next one: removing a row twice is harmless,
/// forgetting to remove it is not.
#[derive(Debug)]
pub(super) struct Trim<'a> {
    outbox: &'a Outbox,
    rows: Vec<String>,
    readers: Vec<Reader>,
    head: Option<Head>,
}

impl Outbox {
    /// Has the log and the audit trail as its consumers.
    #[must_use]
    pub fn audited() -> Self {
        Self::of(&[Consumer::Log, Consumer::Audit])
    }

    fn of(consumers: &[Consumer]) -> Self {
        let readers = consumers.iter().map(|consumer| Reader { consumer: *consumer, seen: 0 }).collect();
        let state = State { readers, done: VecDeque::new(), head: None };
        Self { unread: AtomicIsize::new(0), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether events and refusals go to an audit trail.
    pub(super) fn is_audited(&self) -> bool {
        self.state().readers.iter().any(|reader| reader.consumer == Consumer::Audit)
    }

    /// Returns the last line of the audit trail that is on the disk; none if there is no trail.
    pub(crate) fn audit_head(&self) -> Option<Head> {
        self.state().head
    }

    /// Notes the last line of the audit trail that is on the disk.
    pub(crate) fn set_audit_head(&self, head: Head) {
        self.state().head = Some(head);
    }

    /// Refuses more events than anybody could work off, those of what only takes trust away later than others.
    pub(super) fn admit(&self, takes_trust_away: bool) -> Result<(), ServiceError> {
        let rows = usize::try_from(self.unread.load(Ordering::Relaxed)).unwrap_or(0);
        let reserve = if takes_trust_away { OUTBOX_RESERVE_ROWS_MAX } else { 0 };
        if rows >= OUTBOX_ROWS_MAX + reserve {
            let slowest = self.state().readers.iter().min_by_key(|reader| reader.seen).copied();
            let consumer = slowest.map_or("", |reader| reader.consumer.as_str());
            return Err(ServiceError::OutboxFull { rows, consumer });
        }
        Ok(())
    }

    /// Takes rows that every consumer has seen, to be removed by the coming commit.
    pub(super) fn take_trim(&self) -> Trim<'_> {
        let mut state = self.state();
        let count = state.done.len().min(OUTBOX_TRIM_ROWS_MAX);
        let rows = state.done.drain(..count).collect();
        Trim { rows, readers: state.readers.clone(), head: state.head, outbox: self }
    }

    /// Notes how many events a commit has added.
    pub(super) fn added(&self, events: usize) {
        self.unread.fetch_add(events.cast_signed(), Ordering::Relaxed);
    }

    /// Notes rows that a consumer has seen, and that it has seen all up to a revision. All rows of one revision come
    /// together, so that no cursor stands before a row that was not read.
    ///
    /// The last of the consumers to come to a row hands it over to be removed, so that no row need be remembered while
    /// it waits for the others.
    fn note_seen(&self, consumer: Consumer, rows: impl IntoIterator<Item = Seen>, revision: Revision) {
        let mut state = self.state();
        if let Some(reader) = state.readers.iter_mut().find(|reader| reader.consumer == consumer) {
            reader.seen = reader.seen.max(revision);
        }
        let all = state.seen_by_all();
        let before = state.done.len();
        state.done.extend(rows.into_iter().filter(|row| row.revision <= all).map(|row| row.key));
        self.unread.fetch_sub((state.done.len() - before).cast_signed(), Ordering::Relaxed);
    }

    fn has_a_backlog(&self) -> bool {
        self.state().done.len() > OUTBOX_TRIM_ROWS_MAX
    }
}

impl State {
    fn seen_by_all(&self) -> Revision {
        self.readers.iter().map(|reader| reader.seen).min().unwrap_or_default()
    }
}

/// A row that a consumer has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    key: String,
    revision: Revision,
}

impl From<Record> for Seen {
    fn from(row: Record) -> Self {
        Self { key: row.key, revision: row.modified }
    }
}

impl Trim<'_> {
    /// Adds the removals to a transaction.
    pub(super) fn add_to(&self, txn: &mut Txn, written_by: Uuid) -> Result<(), ServiceError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        txn.writes.extend(self.rows.iter().cloned().map(Write::Delete));
        self.add_cursors_to(txn, written_by)
    }

    fn add_cursors_to(&self, txn: &mut Txn, written_by: Uuid) -> Result<(), ServiceError> {
        for Reader { consumer, seen } in &self.readers {
            match consumer {
                Consumer::Log => {
                    let cursor = key::cursor(consumer.as_str());
                    let value = encode(&cursor, &Cursor { revision: *seen }, written_by)?;
                    txn.writes.push(Write::Put(cursor, value));
                }
                // Its cursor and its head are one thing: up to which event, and in which line.
                Consumer::Audit => {
                    let Some(head) = self.head else { continue };
                    let value = encode(key::AUDIT_HEAD, &AuditHead { head, revision: *seen }, written_by)?;
                    txn.writes.push(Write::Put(key::AUDIT_HEAD.to_owned(), value));
                }
            }
        }
        Ok(())
    }

    /// Notes that the rows are gone.
    pub(super) fn removed(mut self) {
        self.rows.clear();
    }
}

impl Drop for Trim<'_> {
    fn drop(&mut self) {
        if !self.rows.is_empty() {
            self.outbox.state().done.extend(self.rows.drain(..));
        }
    }
}

impl Service {
    /// Removes what was seen, in commits of its own.
    pub(crate) async fn flush_outbox(&self) -> Result<(), ServiceError> {
        while !self.outbox.state().done.is_empty() {
            if !self.keep_cursors().await? {
                break;
            }
        }
        Ok(())
    }

    /// Writes down how far each consumer has come, and removes what all have seen, as much as a commit takes; `false`
    /// if it is not known whether that was done.
    pub(crate) async fn keep_cursors(&self) -> Result<bool, ServiceError> {
        let mut trim = self.outbox.take_trim();
        // Whoever has not read yet is where it was, and not at the beginning.
        for reader in trim.readers.iter_mut().filter(|reader| reader.seen == 0) {
            reader.seen = self.stored_cursor(reader.consumer).await?;
        }
        let mut txn = Txn::default();
        let written_by = self.entropy.uuid();
        txn.writes.extend(trim.rows.iter().cloned().map(Write::Delete));
        trim.add_cursors_to(&mut txn, written_by)?;
        if txn.writes.is_empty() {
            return Ok(true);
        }
        match self.store.commit(txn).await? {
            Commit::Committed(_) => {
                trim.removed();
                Ok(true)
            }
            Commit::Conflict | Commit::Unknown => Ok(false),
        }
    }
}
