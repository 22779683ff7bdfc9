//! Watches the peerings: keeps a dial loop for each that we dial, and finishes the deletions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use peering_core::id::PeeringId;
use peering_core::peering::{Peering, Stored};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::Shared;
use super::dial;
use super::registry::Note;
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
    loops: HashMap<PeeringId, watch::Sender<Fingerprint>>,
}

/// Runs until `stop`, over every failure of the store.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut known = Known::default();
    loop {
        tokio::select! {
            outcome = follow(&shared, &mut known) => match outcome {
                Ok(()) => return,
                Err(cause) => error!(%cause, "the store cannot be watched, trying again"),
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
        for (key, peering) in listed.value {
            known.see(shared, key, peering).await;
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
                                Ok(peering) => known.see(shared, record.key, peering).await,
                                Err(cause) => error!(key = record.key, %cause, "a peering cannot be read"),
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
    async fn see(&mut self, shared: &Arc<Shared>, key: String, peering: Peering) {
        let id = peering.local_id;
        self.ids.insert(key, id);
        match peering.state {
            Stored::Deleting => {
                self.loops.remove(&id);
                shared.registry.tell(id, Note::Deleted);
                let shared = Arc::clone(shared);
                shared.tasks.clone().spawn(async move { finish_deletion(&shared, id).await });
            }
            Stored::Terminated => drop(self.loops.remove(&id)),
            Stored::Pending | Stored::Establishing => {
                if peering.dialed().is_some() {
                    self.keep_dialing(shared, id).await;
                }
            }
        }
    }

    fn lose(&mut self, shared: &Arc<Shared>, key: &str) {
        if let Some(id) = self.ids.remove(key) {
            self.loops.remove(&id);
            shared.board.forget(id);
        }
    }

    async fn keep_dialing(&mut self, shared: &Arc<Shared>, id: PeeringId) {
        let fingerprint = match shared.service.dial_target(id).await {
            Ok(Some(target)) => target.fingerprint(),
            Ok(None) => return,
            Err(cause) => {
                warn!(peer_id = %id, %cause, "error fetching addresses");
                return;
            }
        };
        if let Some(sender) = self.loops.get(&id).filter(|sender| sender.receiver_count() > 0) {
            sender.send_if_modified(|last| {
                let is_new = *last != fingerprint;
                *last = fingerprint;
                is_new
            });
            return;
        }
        let (sender, changes) = watch::channel(fingerprint);
        self.loops.insert(id, sender);
        let shared = Arc::clone(shared);
        shared.tasks.clone().spawn(async move { dial::run(shared, id, changes).await });
    }
}

async fn finish_deletion(shared: &Shared, id: PeeringId) {
    shared.registry.quiet(id, FAREWELL_MAX).await;
    while let Err(cause) = shared.service.finish_delete(id).await {
        error!(peer_id = %id, %cause, "failed to apply full peering deletion");
        tokio::select! {
            () = sleep(STORE_PAUSE) => {}
            () = shared.stop.cancelled() => return,
        }
    }
}
