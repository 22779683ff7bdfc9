//! Watches the peerings: keeps a dial loop for each that we dial, and finishes the deletions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use peering_core::id::PeeringId;
use peering_core::peering::{Peering, Stored};
use peering_core::peerstream::Trouble;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::error;

use super::Shared;
use super::dial;
use super::registry::Note;
use crate::causes::chain;
use crate::logs::SYNCER;
use crate::service::ServiceError;
use crate::service::dial_target::Fingerprint;
use crate::store::{Event, Watched, key};

/// How long a deletion waits for the peer to be told, before it goes on.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// Pause after a failure of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The peerings as the manager last saw them.
#[derive(Default)]
struct Known {
    /// Which id a name had, since a removal tells the name alone.
    ids: HashMap<String, PeeringId>,
    loops: HashMap<PeeringId, Loop>,
}

/// A dial loop. Dropping this calls it off; a stream that it has opened goes on until it is told otherwise.
struct Loop {
    fingerprint: watch::Sender<Fingerprint>,
    _calls_off: DropGuard,
}

/// Runs until `stop`, over every failure of the store.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut known = Known::default();
    loop {
        tokio::select! {
            outcome = follow(&shared, &mut known) => match outcome {
                Ok(()) => return,
                Err(cause) => error!(target: SYNCER, cause = chain(&cause), "the store cannot be watched, trying again"),
            },
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = sleep(STORE_PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Reads all peerings, then follows every change; ends when the store closes.
async fn follow(shared: &Arc<Shared>, known: &mut Known) -> Result<(), ServiceError> {
    loop {
        let listed = shared.service.all_peerings().await?;
        known.lose_others(shared, &listed.value);
        for (key, peering) in listed.value {
            known.see(shared, key, peering).await?;
        }
        let mut watch = shared.service.store.watch(key::PEERINGS, listed.index + 1).await?;
        loop {
            match watch.next().await {
                None => return Ok(()),
                Some(Watched::Compacted) => break,
                Some(Watched::Events(events)) => {
                    for event in events {
                        match event {
                            Event::Put(record) => match shared.service.read_record(&record) {
                                Ok(peering) => known.see(shared, record.key, peering).await?,
                                Err(cause) => {
                                    error!(target: SYNCER, key = record.key, cause = chain(&cause), "a peering cannot be read")
                                }
                            },
                            Event::Delete(key, _) => known.lose(shared, &key),
                        }
                    }
                }
            }
        }
    }
}

impl Known {
    async fn see(&mut self, shared: &Arc<Shared>, key: String, peering: Peering) -> Result<(), ServiceError> {
        let id = peering.local_id;
        self.ids.insert(key, id);
        shared.board.stored(id, peering.state);
        match peering.state {
            Stored::Deleting => {
                // In this order: a loop that has just opened a stream sees that it is called off, or gets the note.
                self.loops.remove(&id);
                shared.registry.tell(id, Note::Deleted);
                let shared = Arc::clone(shared);
                shared.tasks.clone().spawn(async move { finish_deletion(&shared, id).await });
            }
            Stored::Terminated => drop(self.loops.remove(&id)),
            Stored::Pending | Stored::Establishing => {
                if peering.dialed().is_some() {
                    self.keep_dialing(shared, id).await?;
                }
            }
        }
        Ok(())
    }

    /// Forgets what went while nobody watched.
    fn lose_others(&mut self, shared: &Arc<Shared>, listed: &[(String, Peering)]) {
        let listed: HashSet<&str> = listed.iter().map(|(key, _)| key.as_str()).collect();
        let gone: Vec<String> = self.ids.keys().filter(|key| !listed.contains(key.as_str())).cloned().collect();
        for key in gone {
            self.lose(shared, &key);
        }
    }

    fn lose(&mut self, shared: &Arc<Shared>, key: &str) {
        if let Some(id) = self.ids.remove(key) {
            self.loops.remove(&id);
            shared.board.forget(id);
        }
    }

    async fn keep_dialing(&mut self, shared: &Arc<Shared>, id: PeeringId) -> Result<(), ServiceError> {
        let fingerprint = match shared.service.dial_target(id).await {
            Ok(Some(target)) => target.fingerprint(),
            Ok(None) => return Ok(()),
            // No event would bring this peering back, so everything is read again.
            Err(cause @ (ServiceError::Store(_) | ServiceError::DiskFull(_))) => return Err(cause),
            Err(cause) => {
                shared.board.trouble(id, Trouble::StoreFailed, &chain(&cause).to_string());
                error!(target: SYNCER, peer_id = %id, error = chain(&cause), "error establishing peering stream");
                return Ok(());
            }
        };
        if let Some(Loop { fingerprint: sender, .. }) = self.loops.get(&id)
            && sender.receiver_count() > 0
        {
            sender.send_if_modified(|last| {
                let is_new = *last != fingerprint;
                *last = fingerprint;
                is_new
            });
            return Ok(());
        }
        let (sender, changes) = watch::channel(fingerprint);
        let over = shared.stop.child_token();
        self.loops.insert(id, Loop { fingerprint: sender, _calls_off: over.clone().drop_guard() });
        let shared = Arc::clone(shared);
        shared.tasks.clone().spawn(async move { dial::run(shared, id, changes, over).await });
        Ok(())
    }
}

async fn finish_deletion(shared: &Shared, id: PeeringId) {
    shared.registry.quiet(id, FAREWELL_MAX).await;
    while let Err(cause) = shared.service.finish_delete(id).await {
        error!(target: SYNCER, peer_id = %id, cause = chain(&cause), "failed to apply full peering deletion");
        tokio::select! {
            () = sleep(STORE_PAUSE) => {}
            () = shared.stop.cancelled() => return,
        }
    }
}
