//! The outbox: events are stored in the commit that causes them, and trimmed in a later one.
//!
//! A consumer reads events in the order of their revisions and keeps a cursor. Rows that it has seen are removed, and
//! its cursor is moved, by the next commit of the service, so that trimming costs no commit of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use peering_core::acl::{AclChange, AclEvent};
use peering_core::transition::{Event, What};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::{Service, ServiceError};
use crate::bounds::{OUTBOX_ROWS_MAX, OUTBOX_TRIM_ROWS_MAX};
use crate::causes::chain;
use crate::logs::PEERING;
use crate::store::record::{Cursor, OutboxRow, decode, encode};
use crate::store::{Commit, Event as Change, Record, Revision, Txn, Watch, Watched, Write, key};

/// The one consumer until there is an audit trail: the log.
pub const LOG_CONSUMER: &str = "log";

/// Rows asked for at once when catching up.
const CATCH_UP_PAGE_ROWS: usize = 1_024;

/// Counts events that nobody has read, and collects those that may be removed.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Signed, because rows that were committed while the store was being counted may be missed, and an outcome that
    /// stayed unknown counts for nothing: a bound of a million does not mind, a count that wraps would.
    unread: AtomicIsize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    rows: VecDeque<String>,
    revision: Revision,
}

/// Rows that ride along with a commit. Dropped, they wait for the next one: removing a row twice is harmless,
/// forgetting to remove it is not.
#[derive(Debug)]
pub(super) struct Trim<'a> {
    outbox: &'a Outbox,
    rows: Vec<String>,
    revision: Revision,
}

impl Outbox {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses more events than anybody could work off.
    pub(super) fn admit(&self) -> Result<(), ServiceError> {
        let rows = usize::try_from(self.unread.load(Ordering::Relaxed)).unwrap_or(0);
        if rows >= OUTBOX_ROWS_MAX {
            return Err(ServiceError::OutboxFull { rows, consumer: LOG_CONSUMER });
        }
        Ok(())
    }

    /// Takes rows that every consumer has seen, to be removed by the coming commit.
    pub(super) fn take_trim(&self) -> Trim<'_> {
        let mut seen = self.seen();
        let count = seen.rows.len().min(OUTBOX_TRIM_ROWS_MAX);
        Trim { rows: seen.rows.drain(..count).collect(), revision: seen.revision, outbox: self }
    }

    /// Notes how many events a commit has added.
    pub(super) fn added(&self, events: usize) {
        self.unread.fetch_add(events.cast_signed(), Ordering::Relaxed);
    }

    /// Notes rows that the consumer has seen. All rows of one revision come together, so that the cursor never stands
    /// before a row that was not read.
    fn note_seen(&self, rows: Vec<String>, revision: Revision) {
        self.unread.fetch_sub(rows.len().cast_signed(), Ordering::Relaxed);
        let mut seen = self.seen();
        seen.rows.extend(rows);
        seen.revision = seen.revision.max(revision);
    }
}

impl Trim<'_> {
    /// Adds the removals to a transaction.
    pub(super) fn add_to(&self, txn: &mut Txn, written_by: Uuid) -> Result<(), ServiceError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        txn.writes.extend(self.rows.iter().cloned().map(Write::Delete));
        let cursor = key::cursor(LOG_CONSUMER);
        let value = encode(&cursor, &Cursor { revision: self.revision }, written_by)?;
        txn.writes.push(Write::Put(cursor, value));
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
            self.outbox.seen().rows.extend(self.rows.drain(..));
        }
    }
}

impl Service {
    /// Writes every event to the log, in order, until `stop`; then removes what was seen.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails: nothing is lost, the next start goes on where this one ended.
    pub async fn log_events(&self, stop: CancellationToken) -> Result<(), ServiceError> {
        let mut watch = self.catch_up().await?;
        loop {
            let watched = tokio::select! {
                watched = watch.next() => watched,
                () = stop.cancelled() => break,
            };
            match watched {
                Some(Watched::Events(changes)) => {
                    let rows = changes.into_iter().filter_map(|change| match change {
                        Change::Put(record) => Some(record),
                        Change::Delete(..) => None,
                    });
                    self.log_rows(rows);
                }
                Some(Watched::Compacted) => watch = self.catch_up().await?,
                None => break,
            }
        }
        self.flush_outbox().await
    }

    /// Logs what waits in the store and was not seen, removes it, and watches from there.
    async fn catch_up(&self) -> Result<Box<dyn Watch>, ServiceError> {
        let cursor_key = key::cursor(LOG_CONSUMER);
        let cursor = match self.store.get(&cursor_key).await? {
            Some(record) => decode::<Cursor>(&cursor_key, &record.value)?.revision,
            None => 0,
        };
        let revision = self.store.revision().await?;
        // After an interruption, what this process has seen waits to be removed and is not told twice.
        let seen_here = self.outbox.seen().revision;
        let mut unread: Vec<Record> = Vec::new();
        let mut read_before: Vec<String> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(key::OUTBOX, CATCH_UP_PAGE_ROWS, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            for row in page.records {
                if row.modified > seen_here.max(cursor) && row.modified <= revision {
                    unread.push(row);
                } else if row.modified > seen_here && row.modified <= cursor {
                    read_before.push(row.key);
                }
            }
            if !page.more {
                break;
            }
        }
        // Within a commit, the order of the keys is that of the events.
        unread.sort_by(|one, other| (one.modified, &one.key).cmp(&(other.modified, &other.key)));
        self.outbox.unread.store((unread.len() + read_before.len()).cast_signed(), Ordering::Relaxed);
        self.outbox.note_seen(read_before, cursor);
        self.log_rows(unread.into_iter());
        // A backlog goes at once, or it would wait for as many changes; a few rows ride along with the next one.
        if self.outbox.seen().rows.len() > OUTBOX_TRIM_ROWS_MAX {
            self.flush_outbox().await?;
        }
        Ok(self.store.watch(key::OUTBOX, revision + 1).await?)
    }

    fn log_rows(&self, rows: impl Iterator<Item = Record>) {
        let (mut keys, mut revision) = (Vec::new(), 0);
        for row in rows {
            match decode::<OutboxRow>(&row.key, &row.value) {
                Ok(OutboxRow::Peering(event)) => log_event(&event),
                Ok(OutboxRow::Acl(event)) => log_acl_event(&event),
                Err(cause) => {
                    error!(row = row.key, cause = chain(&cause), "an event cannot be read and is passed over")
                }
            }
            keys.push(row.key);
            revision = revision.max(row.modified);
        }
        self.outbox.note_seen(keys, revision);
    }

    /// Removes what was seen, in commits of its own.
    async fn flush_outbox(&self) -> Result<(), ServiceError> {
        loop {
            let trim = self.outbox.take_trim();
            if trim.rows.is_empty() {
                return Ok(());
            }
            let mut txn = Txn::default();
            trim.add_to(&mut txn, self.entropy.uuid())?;
            match self.store.commit(txn).await? {
                Commit::Committed(_) => trim.removed(),
                Commit::Conflict | Commit::Unknown => return Ok(()),
            }
        }
    }
}

/// Tells a change of tokens or policies to the log.
fn log_acl_event(event: &AclEvent) {
    let by = event.origin.actor.map(|by| by.to_string());
    match &event.acl {
        AclChange::ManagementTokenMade { accessor } => {
            info!(accessor_id = %accessor, "the first management token was made");
        }
        AclChange::Bootstrapped { accessor } => info!(accessor_id = %accessor, "ACL bootstrap completed"),
        AclChange::TokenCreated { accessor } => info!(accessor_id = %accessor, by, "ACL token created"),
        AclChange::TokenUpdated { accessor } => info!(accessor_id = %accessor, by, "ACL token updated"),
        AclChange::TokenDeleted { accessor } => info!(accessor_id = %accessor, by, "ACL token deleted"),
        AclChange::TokenExpired { accessor } => info!(accessor_id = %accessor, "ACL token expired"),
        AclChange::PolicyCreated { id, name } => info!(policy_id = %id, name, by, "ACL policy created"),
        AclChange::PolicyUpdated { id, name } => info!(policy_id = %id, name, by, "ACL policy updated"),
        AclChange::PolicyDeleted { id, name } => info!(policy_id = %id, name, by, "ACL policy deleted"),
        other => info!(event = ?other, "ACL event"),
    }
}

/// Tells one event to the log. The words are those by which operators of Consul search their logs, where it has any.
pub(super) fn log_event(event: &Event) {
    let (peer_name, peer_id) = (event.name.as_str(), event.peering);
    match &event.what {
        What::TokenGenerated { token, expires } => {
            let expires = expires.map(|at| at.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, expires, "peering token generated");
        }
        What::TokenSuperseded { token, by } => {
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, superseded_by = %by, "peering token superseded");
        }
        What::TokenRedeemed { token, from } => {
            let source = from.map(|from| from.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, source, "peering token redeemed");
        }
        What::TokenRevoked { token, reason } => {
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, ?reason, "peering token revoked");
        }
        What::StreamSecretPromoted => info!(target: PEERING, peer_name, %peer_id, "pending stream secret promoted"),
        What::TrustDomainChanged { from, to } => {
            let (from, to) = (peering_core::foreign::quoted(from), peering_core::foreign::quoted(to));
            warn!(target: PEERING, peer_name, %peer_id, from, to, "the peer has another trust domain than before");
        }
        What::EstablishBegun => info!(target: PEERING, peer_name, %peer_id, "establishing peering"),
        What::Established => info!(target: PEERING, peer_name, %peer_id, "peering established, dialing"),
        What::TrustBundleStored { roots } => {
            info!(target: PEERING, peer_name, %peer_id, roots, "trust bundle of the peer stored")
        }
        What::ServerAddressesStored { addresses } => {
            info!(target: PEERING, peer_name, %peer_id, addresses, "server addresses of the peer stored");
        }
        What::Deleted => info!(target: PEERING, peer_name, %peer_id, "peering marked for deletion"),
        What::Removed => info!(target: PEERING, peer_name, %peer_id, "peering removed"),
        What::Terminated => info!(
            target: PEERING, peer_name, %peer_id,
            "peering was deleted by our peer: marking peering as terminated and cleaning up imported resources"
        ),
        other => info!(target: PEERING, peer_name, %peer_id, event = ?other, "peering event"),
    }
}
