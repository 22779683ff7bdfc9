//! The peer stream edge: gRPC in and out, driven by the sessions of core.
//!
//! | file | owns |
//! |---|---|
//! | `wire`, `proto`, `resource`, `entries` | bytes ⇄ core's frames |
//! | `edge`, `bounded` | one service and nothing else, frames within their bounds |
//! | `accept` | the service: exchanges and incoming streams |
//! | `manager`, `dial`, `channel`, `exchange` | outgoing streams and exchanges |
//! | `driver`, `ends`, `import`, `exports`, `registry` | what both directions share |
//! | `probe` | the wire, for tests outside of this crate |

mod accept;
mod bounded;
mod channel;
pub(crate) mod codec;
mod dial;
mod driver;
mod edge;
mod ends;
mod entries;
mod exchange;
mod exports;
mod import;
mod manager;
mod pace;
#[cfg(feature = "testing")]
pub mod probe;
mod proto;
mod registry;
mod rejections;
mod resource;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::bounds::DRAIN_MAX;
use crate::clock::Clock;
use crate::dial::Dialer;
use crate::entropy::Entropy;
use crate::service::Service;
use crate::service::status::StreamBoard;
use accept::Acceptor;
pub(crate) use edge::PeerEdge;
pub(crate) use exchange::GrpcExchange;
use pace::Pace;
use registry::Registry;

/// What the streams of a server share.
pub(crate) struct Shared {
    service: Arc<Service>,
    board: Arc<StreamBoard>,
    registry: Registry,
    pace: Pace,
    exports: watch::Sender<exports::Known>,
    dialer: Dialer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Shared {
    fn tools(&self) -> driver::Tools<'_> {
        driver::Tools { service: &self.service, board: &self.board, pace: &self.pace, stop: &self.stop }
    }
}

/// What [`PeerStreams`] is made of.
pub(crate) struct Parts {
    pub(crate) service: Arc<Service>,
    pub(crate) board: Arc<StreamBoard>,
    pub(crate) dialer: Dialer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// All peer streams of a server.
pub(crate) struct PeerStreams {
    shared: Arc<Shared>,
}

impl PeerStreams {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { service, board, dialer, clock, entropy } = parts;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (registry, pace, exports) = (Registry::default(), Pace::new(driver::now()), watch::Sender::new(None));
        let shared = Shared { service, board, registry, pace, exports, dialer, clock, entropy, tasks, stop };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the service of the peer listener.
    pub(crate) fn edge(&self) -> PeerEdge {
        PeerEdge::new(Acceptor { shared: Arc::clone(&self.shared) })
    }

    /// Begins to dial, and to finish deletions.
    pub(crate) fn start(&self) {
        let shared = Arc::clone(&self.shared);
        let stop = self.shared.stop.clone();
        self.shared.tasks.spawn(manager::run(shared, stop));
        let (service, known) = (Arc::clone(&self.shared.service), self.shared.exports.clone());
        self.shared.tasks.spawn(exports::run(service, known, self.shared.stop.clone()));
    }

    /// Ends every stream and loop, and waits for them.
    pub(crate) async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        // A peer that does not read may not keep the server from stopping.
        if timeout(DRAIN_MAX, self.shared.tasks.wait()).await.is_err() {
            warn!("streams were still open after {} s and are cut", DRAIN_MAX.as_secs());
        }
    }
}

impl Drop for PeerStreams {
    /// Streams and loops do not outlive their server, even one that was not shut down.
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
