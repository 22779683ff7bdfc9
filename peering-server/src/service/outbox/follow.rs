//! Follows the outbox for one consumer: what waits in the store first, then each event as it comes.

use std::cmp::max;
use std::sync::atomic::Ordering;

use super::{Consumer, Seen};
use crate::service::{Service, ServiceError};
use crate::store::record::{AuditHead, Cursor, decode};
use crate::store::{Event as Change, Record, Revision, Watch, Watched, key};

/// Rows asked for at once when catching up.
const CATCH_UP_PAGE_ROWS: usize = 1_024;

/// Reads rows for one consumer, in the order of their revisions.
pub(crate) struct Follower<'a> {
    service: &'a Service,
    consumer: Consumer,
    watch: Option<Box<dyn Watch>>,
    /// Whether the last rows had waited in the store.
    is_catching_up: bool,
}

impl Service {
    /// Follows the outbox for a consumer, from where it was when it last noted rows as seen.
    pub(crate) const fn follow_outbox(&self, consumer: Consumer) -> Follower<'_> {
        Follower { service: self, consumer, watch: None, is_catching_up: false }
    }
}

impl Follower<'_> {
    /// Waits for rows; `None` if the store is closed. A call that is dropped loses nothing.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails; the next call goes on.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Record>>, ServiceError> {
        loop {
            let Some(watch) = &mut self.watch else {
                let unread = self.catch_up().await?;
                if unread.is_empty() {
                    continue;
                }
                self.is_catching_up = true;
                return Ok(Some(unread));
            };
            match watch.next().await {
                Some(Watched::Events(changes)) => {
                    let put = |change| match change {
                        Change::Put(record) => Some(record),
                        Change::Delete(..) => None,
                    };
                    let rows: Vec<Record> = changes.into_iter().filter_map(put).collect();
                    if !rows.is_empty() {
                        self.is_catching_up = false;
                        return Ok(Some(rows));
                    }
                }
                Some(Watched::Compacted) => self.watch = None,
                None => return Ok(None),
            }
        }
    }

    /// Returns rows that are there already; none if this would have to wait.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn next_at_once(&mut self) -> Result<Option<Vec<Record>>, ServiceError> {
        self.watch = None;
        let unread = self.catch_up().await?;
        Ok(Some(unread).filter(|unread| !unread.is_empty()))
    }

    /// Says whether the last rows had waited in the store, perhaps many of them.
    pub(super) const fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    /// Notes rows that came from here as seen: they may be removed once every other consumer has seen them too.
    pub(crate) fn seen(&self, rows: Vec<Record>) {
        let revision = rows.iter().map(|row| row.modified).max().unwrap_or_default();
        self.service.outbox.note_seen(self.consumer, rows.into_iter().map(Seen::from), revision);
    }

    /// Lists what waits in the store and was not seen, and watches from there.
    async fn catch_up(&mut self) -> Result<Vec<Record>, ServiceError> {
        let (store, outbox) = (&self.service.store, &self.service.outbox);
        let cursor = self.service.stored_cursor(self.consumer).await?;
        let revision = store.revision().await?;
        // After an interruption, what this process has seen waits to be removed and is not told twice.
        let (seen_here, seen_by_all) = {
            let state = outbox.state();
            let own = state.readers.iter().find(|reader| reader.consumer == self.consumer);
            (own.map_or(0, |reader| reader.seen), state.seen_by_all())
        };
        let mut unread: Vec<Record> = Vec::new();
        let mut read_before: Vec<Seen> = Vec::new();
        let mut waiting: isize = 0;
        let mut after: Option<String> = None;
        loop {
            let page = store.range(key::OUTBOX, CATCH_UP_PAGE_ROWS, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            for row in page.records.into_iter().filter(|row| row.modified <= revision) {
                waiting += isize::from(row.modified > seen_by_all);
                if row.modified > max(seen_here, cursor) {
                    unread.push(row);
                } else if row.modified > seen_here {
                    read_before.push(row.into());
                }
            }
            if !page.more {
                break;
            }
        }
        let watch = store.watch(key::OUTBOX, revision + 1).await?;
        // Within a commit, the order of the keys is that of the events.
        unread.sort_by(|one, other| (one.modified, &one.key).cmp(&(other.modified, &other.key)));
        outbox.unread.store(waiting, Ordering::Relaxed);
        outbox.note_seen(self.consumer, read_before, cursor);
        self.watch = Some(watch);
        Ok(unread)
    }
}

impl Service {
    /// Reads how far a consumer had come when somebody last wrote it down.
    pub(crate) async fn stored_cursor(&self, consumer: Consumer) -> Result<Revision, ServiceError> {
        match consumer {
            Consumer::Log => {
                let cursor_key = key::cursor(consumer.as_str());
                let Some(record) = self.store.get(&cursor_key).await? else { return Ok(0) };
                Ok(decode::<Cursor>(&cursor_key, &record.value)?.revision)
            }
            Consumer::Audit => Ok(self.stored_audit_head().await?.map_or(0, |kept| kept.revision)),
        }
    }

    /// Reads the head of the audit trail as it was last written down.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn stored_audit_head(&self) -> Result<Option<AuditHead>, ServiceError> {
        let Some(record) = self.store.get(key::AUDIT_HEAD).await? else { return Ok(None) };
        Ok(Some(decode(key::AUDIT_HEAD, &record.value)?))
    }
}
