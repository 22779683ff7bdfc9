//! Follows the outbox and writes what it finds into the audit trail; signs every minute.

use std::collections::{HashMap, hash_map};
use std::sync::{Arc, Mutex, PoisonError};

use peering_core::audit::{Entry, event};
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::error::AuditError;
use super::trail::{Trail, Waiting};
use crate::bounds::{
    AUDIT_BATCH_PAUSE, AUDIT_BATCH_ROWS_MAX, AUDIT_CHECKPOINT_INTERVAL, AUDIT_RETRY_PAUSE, REFUSAL_LOG_PAUSE,
};
use crate::causes::chain;
use crate::service::outbox::{Consumer, Follower};
use crate::service::{Service, ServiceError};
use crate::store::record::{OutboxRow, decode};
use crate::store::{Record, key};

/// Writes the audit trail of a service.
pub(crate) struct Auditor {
    service: Arc<Service>,
    trail: Arc<Mutex<Trail>>,
    look: Arc<Notify>,
    stop: CancellationToken,
    minute: Interval,
    /// When somebody was last told that the trail cannot be written.
    told: Option<Instant>,
    /// Whether what waited at the start was compared with what is in the file.
    is_resumed: bool,
    /// Whether the lines before the start were not all signed.
    leaves_unsigned: bool,
}

/// Why following the outbox broke off.
enum Broken {
    /// The store failed.
    Store(ServiceError),
    /// The trail failed, and the log says so already.
    Told,
}

impl From<ServiceError> for Broken {
    fn from(cause: ServiceError) -> Self {
        Self::Store(cause)
    }
}

impl Auditor {
    /// Makes one. `look` makes it look whether its file was moved away; until `stop`, [`Auditor::run`] goes on.
    ///
    /// Of a store that is new with this process, no event can be in the file.
    pub(crate) fn new(
        service: Arc<Service>,
        trail: Trail,
        is_new_store: bool,
        look: Arc<Notify>,
        stop: CancellationToken,
    ) -> Self {
        service.outbox.set_audit_head(trail.written());
        let mut minute = interval(AUDIT_CHECKPOINT_INTERVAL);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let leaves_unsigned = trail.leaves_unsigned();
        let trail = Arc::new(Mutex::new(trail));
        Self { service, trail, look, stop, minute, told: None, is_resumed: is_new_store, leaves_unsigned }
    }

    /// Writes every event and refusal, over every failure of store and disk, until the stop; then signs what there is.
    pub(crate) async fn run(mut self) {
        self.minute.tick().await;
        // What is to be said about the start. What a crash left unsigned does not wait for the first minute, so that nobody
        // takes it for lines whose checkpoint was removed.
        if self.write().await {
            if self.leaves_unsigned {
                self.sign().await;
            }
            self.keep_head().await;
        }
        while let Err(broken) = self.follow().await {
            if let Broken::Store(cause) = broken {
                error!(cause = chain(&cause), "events could not be followed for the audit trail, trying again");
            }
            tokio::select! {
                () = sleep(AUDIT_RETRY_PAUSE) => {}
                () = self.stop.cancelled() => break,
            }
        }
        self.sign().await;
        if let Err(cause) = self.service.flush_outbox().await {
            error!(
                cause = chain(&cause),
                "events that are in the audit trail could not be removed; the next start does it"
            );
        }
    }

    async fn follow(&mut self) -> Result<(), Broken> {
        let (service, stop, look) = (Arc::clone(&self.service), self.stop.clone(), Arc::clone(&self.look));
        let mut follower = service.follow_outbox(Consumer::Audit);
        let mut rested = Instant::now();
        loop {
            let rows = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = look.notified() => {
                    self.look().await;
                    continue;
                }
                _ = self.minute.tick() => {
                    self.sign().await;
                    continue;
                }
                rows = async {
                    sleep_until(rested).await;
                    follower.next().await
                } => rows?,
            };
            let Some(rows) = rows else { return Ok(()) };
            if !self.tell(rows, &mut follower).await? {
                // These rows are not seen, though they may have lines already: asked for again, they would be told again.
                return Ok(());
            }
            rested = Instant::now() + AUDIT_BATCH_PAUSE;
        }
        // What was committed before the stop belongs in the trail before its last checkpoint.
        while let Some(rows) = follower.next_at_once().await? {
            if !self.tell(rows, &mut follower).await? {
                break;
            }
        }
        Ok(())
    }

    /// Writes a line for each row that has none, and notes the rows as seen; `false` if that was not possible before the
    /// stop.
    async fn tell(&mut self, rows: Vec<Record>, follower: &mut Follower<'_>) -> Result<bool, Broken> {
        let told_before = if self.is_resumed {
            Default::default()
        } else {
            let waiting: Vec<Waiting> = rows.iter().map(waiting).collect();
            match self.with_trail(move |trail| trail.told_before(&waiting)).await {
                Some(Ok(told)) => told,
                Some(Err(cause)) => {
                    self.complain(&cause);
                    return Err(Broken::Told);
                }
                None => return Err(Broken::Told),
            }
        };
        self.is_resumed = true;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut batch: Vec<Record> = Vec::new();
            // All rows of one commit go together, since whoever has seen its revision has seen them all.
            while let Some(row) = rows.next_if(|row| {
                batch.len() < AUDIT_BATCH_ROWS_MAX || batch.last().is_some_and(|last| last.modified == row.modified)
            }) {
                batch.push(row);
            }
            let new = batch.iter().filter(|row| !told_before.contains(row_name(row)));
            let entries: Vec<Entry> = new.map(|row| self.entry(row)).collect();
            if !entries.is_empty() && !self.add(entries).await {
                return if self.stop.is_cancelled() { Ok(false) } else { Err(Broken::Told) };
            }
            follower.seen(batch);
            if rows.peek().is_some() {
                self.service.flush_outbox().await?;
            }
        }
        Ok(true)
    }

    fn entry(&self, row: &Record) -> Entry {
        let entry = match decode::<OutboxRow>(&row.key, &row.value) {
            Ok(OutboxRow::Peering(event)) => Entry::from(&event),
            Ok(OutboxRow::Acl(event)) => Entry::from(&event),
            Err(cause) => {
                error!(row = row.key, cause = chain(&cause), "an event cannot be read, and the audit trail says so");
                Entry::new(self.service.clock.now(), event::UNREADABLE)
            }
        };
        Entry { row: Some(row_name(row).to_owned()), revision: Some(row.modified), ..entry }
    }

    /// Writes what was refused since the last time, and signs what is not signed yet.
    async fn sign(&mut self) {
        let mut refused = self.service.tallies.take(self.service.clock.now());
        self.name(&mut refused).await;
        if !refused.is_empty() && !self.add(refused).await {
            return;
        }
        let signed = self.with_trail(|trail| {
            let is_moved = trail.follow_moves();
            trail.sign().map(|is_signed| is_moved || is_signed)
        });
        match signed.await {
            Some(Ok(true)) => {
                if self.write().await {
                    self.keep_head().await;
                }
            }
            Some(Err(cause)) => self.complain(&cause),
            Some(Ok(false)) | None => {}
        }
    }

    /// Gives refusals that know their peering by its id alone our name for the peer, once a minute and not at each of them.
    async fn name(&self, refused: &mut [Entry]) {
        let mut names = HashMap::new();
        for entry in refused.iter_mut().filter(|entry| entry.peer.is_none()) {
            let Some(id) = entry.peering else { continue };
            if let hash_map::Entry::Vacant(vacant) = names.entry(id) {
                // One that was deleted has no name any more, and a store that fails is told elsewhere.
                vacant.insert(self.service.name_of(&id).await.ok().flatten());
            }
            entry.peer = names.get(&id).cloned().flatten().map(|name| name.as_str().to_owned());
        }
    }

    /// Looks whether somebody moved the file away, and goes on in a new one then.
    async fn look(&mut self) {
        if self.with_trail(Trail::follow_moves).await == Some(true) && self.write().await {
            self.keep_head().await;
        }
    }

    async fn add(&mut self, entries: Vec<Entry>) -> bool {
        match self.with_trail(move |trail| trail.add(&entries)).await {
            Some(Ok(is_moved)) => {
                let is_written = self.write().await;
                if is_moved && is_written {
                    self.keep_head().await;
                }
                is_written
            }
            Some(Err(cause)) => {
                self.complain(&cause);
                false
            }
            None => false,
        }
    }

    /// Writes what was made, however long it takes; `false` if the stop came before.
    async fn write(&mut self) -> bool {
        loop {
            match self.with_trail(|trail| trail.flush().map(|()| trail.written())).await {
                Some(Ok(head)) => {
                    self.service.outbox.set_audit_head(head);
                    if self.told.take().is_some() {
                        info!("the audit trail is written again, and nothing is missing from it");
                    }
                    return true;
                }
                Some(Err(cause)) => self.complain(&cause),
                None => return false,
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return false,
                () = sleep(AUDIT_RETRY_PAUSE) => {}
            }
        }
    }

    /// Notes in the store where the trail ends.
    async fn keep_head(&self) {
        if let Err(cause) = self.service.keep_cursors().await {
            error!(cause = chain(&cause), "the head of the audit trail could not be stored");
        }
    }

    /// Works on the trail where waiting for a disk delays nobody.
    async fn with_trail<T: Send + 'static>(&self, work: impl FnOnce(&mut Trail) -> T + Send + 'static) -> Option<T> {
        let trail = Arc::clone(&self.trail);
        let done = tokio::task::spawn_blocking(move || work(&mut trail.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.inspect_err(|cause| error!(cause = chain(cause), "the audit trail broke off")).ok()
    }

    fn complain(&mut self, cause: &AuditError) {
        if self.told.is_none_or(|told| told.elapsed() >= REFUSAL_LOG_PAUSE) {
            self.told = Some(Instant::now());
            error!(cause = chain(cause), "the audit trail cannot be written; its events wait in the store");
        }
    }
}

fn waiting(row: &Record) -> Waiting {
    Waiting { row: row_name(row).to_owned(), revision: row.modified }
}

/// Returns the part of a row's key that was drawn for it.
fn row_name(row: &Record) -> &str {
    row.key.rsplit_once('-').map_or(row.key.strip_prefix(key::OUTBOX).unwrap_or(&row.key), |(_, drawn)| drawn)
}
