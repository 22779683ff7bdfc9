//! Follows what is exported, so that every running stream tells its peer of a change.

use std::sync::Arc;
use std::time::Duration;

use peering_core::config_entry::ExportedServices;
use peering_core::name::PeerName;
use peering_core::peerstream::{Offer, TrustBundle};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::causes::chain;
use crate::service::{Service, ServiceError};
use crate::store::{Watched, key};

/// Pause after a failure of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What is exported to whom; `None` until it was read for the first time, since an empty list would take back what a
/// peer was told before.
pub(super) type Known = Option<Arc<ExportedServices>>;

/// Runs until `stop`, over every failure of the store.
pub(super) async fn run(service: Arc<Service>, known: watch::Sender<Known>, stop: CancellationToken) {
    loop {
        tokio::select! {
            outcome = follow(&service, &known) => match outcome {
                Ok(()) => return,
                Err(cause) => error!(cause = chain(&cause), "what is exported cannot be followed, trying again"),
            },
            () = stop.cancelled() => return,
        }
        if stop.run_until_cancelled(sleep(STORE_PAUSE)).await.is_none() {
            return;
        }
    }
}

/// Reads what is exported, then again at every change; ends when the store closes.
async fn follow(service: &Service, known: &watch::Sender<Known>) -> Result<(), ServiceError> {
    let mut last = None;
    loop {
        let exports = service.exports().await?;
        // A store that nobody wrote to has revision 0, and its index reads 1.
        let mut changes = service.store.watch(key::CONFIG_ENTRIES, exports.index + u64::from(last.is_some())).await?;
        last = Some(exports.index);
        known.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&exports.value);
            *known = Some(Arc::new(exports.value));
            is_new
        });
        match changes.next().await {
            None => return Ok(()),
            Some(Watched::Events(_) | Watched::Compacted) => {}
        }
    }
}

/// What one stream tells its peer.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    /// Our name for the peer.
    pub(super) name: PeerName,
    /// Whether the peer must not expect TLS.
    pub(super) plaintext: bool,
    pub(super) exports: watch::Receiver<Known>,
}

impl Telling {
    /// Returns all there is to tell now.
    pub(super) fn offer(&mut self, service: &Service) -> Offer {
        let (trust_domain, root_pems) = service.own_trust_bundle();
        let exports = self.exports.borrow_and_update();
        Offer {
            trust_bundle: (!self.plaintext).then_some(TrustBundle { trust_domain, root_pems }),
            server_addresses: service.own_addresses().iter().map(ToString::to_string).collect(),
            exported_services: exports.as_ref().map(|exports| exports.exported_to(self.name.as_str())),
        }
    }

    /// Waits until there may be something else to tell.
    pub(super) async fn changed(&mut self) {
        if self.exports.changed().await.is_err() {
            // Nobody follows any more, because the server stops.
            std::future::pending::<()>().await;
        }
    }
}
