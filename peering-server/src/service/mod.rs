//! What the product does, one file per noun; speaks core and store, never HTTP or gRPC.
//!
//! Every change has the same three steps: read the record, let core decide, commit on condition that the record has not
//! changed (else start again). What must happen afterwards travels as events in the same commit.

pub mod access;
pub mod acl;
pub mod audit;
pub mod changes;
mod cleanup;
pub mod cluster;
pub mod config_entries;
pub mod dial_target;
pub mod error;
pub mod establish;
pub mod issued;
pub mod keys_in_use;
pub mod outbox;
pub mod peerings;
mod records;
pub(crate) mod refusals;
pub mod roots;
pub mod secrets;
pub mod status;
mod telemetry;
#[cfg(test)]
mod tests;
pub mod trust_bundles;
mod warnings;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use peering_core::address::ServerAddress;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::TokenPolicy;
use crate::entropy::Entropy;
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::store::Store;
use access::Access;
use acl::CompiledPolicies;
use changes::Changes;
use cluster::Cluster;
pub use error::ServiceError;
use establish::ExchangeClient;
use outbox::Outbox;
use refusals::{Refusals, Tallies};
use status::StreamStatus;

/// Everything that a service works with; cheap to clone behind an [`Arc`].
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cluster: Cluster,
    pub(crate) advertised: Vec<ServerAddress>,
    /// Whether nobody said where peers reach us and the system had to be asked.
    pub(crate) is_guessed: bool,
    pub(crate) tokens: ArcSwap<TokenPolicy>,
    pub(crate) allow_plaintext: bool,
    pub(crate) access: Access,
    pub(crate) changes: Arc<Changes>,
    pub(crate) compiled: CompiledPolicies,
    pub(crate) streams: Arc<dyn StreamStatus>,
    pub(crate) exchange: Arc<dyn ExchangeClient>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) deletions: AtomicUsize,
    pub(crate) refusals: Refusals,
    /// Refusals that the audit trail is to tell, if there is one.
    pub(crate) tallies: Tallies,
    pub(crate) metrics: Metrics,
}

/// What a [`Service`] is made of.
pub struct Parts {
    /// Where facts live.
    pub store: Arc<dyn Store>,
    /// Seals and derives.
    pub keyring: Arc<Keyring>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids and secrets.
    pub entropy: Arc<dyn Entropy>,
    /// Who we are.
    pub cluster: Cluster,
    /// Where peers reach us; goes into tokens.
    pub advertised: Vec<ServerAddress>,
    /// Whether a token without CA may be used.
    pub allow_plaintext: bool,
    /// Knows which streams run.
    pub streams: Arc<dyn StreamStatus>,
    /// Asks an acceptor for a stream secret.
    pub exchange: Arc<dyn ExchangeClient>,
    /// Counts and trims waiting events.
    pub outbox: Arc<Outbox>,
}

impl Service {
    /// Puts a service together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, keyring, clock, entropy, cluster, advertised, allow_plaintext, streams, exchange, outbox } =
            parts;
        Self {
            metrics: Metrics::new(Arc::clone(&clock)),
            store,
            keyring,
            clock,
            entropy,
            cluster,
            advertised,
            is_guessed: false,
            tokens: ArcSwap::default(),
            allow_plaintext,
            access: Access::default(),
            changes: Arc::default(),
            compiled: CompiledPolicies::default(),
            streams,
            exchange,
            outbox,
            deletions: AtomicUsize::new(0),
            refusals: Refusals::default(),
            tallies: Tallies::default(),
        }
    }

    /// Tells those who wait for changes of them, until `stop` says that none will be told any more.
    pub async fn follow_changes(&self, stop: CancellationToken) {
        self.changes.follow(self.store.as_ref(), stop).await;
    }

    /// Puts rules in force; without this everyone may do everything.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Says where peers reach us; goes into tokens. `is_guessed` if that is what the system told and no operator.
    #[must_use]
    pub fn with_advertised(self, advertised: Vec<ServerAddress>, is_guessed: bool) -> Self {
        Self { advertised, is_guessed, ..self }
    }

    /// Says how long tokens live and are kept, from now on.
    pub fn set_token_policy(&self, policy: TokenPolicy) {
        self.tokens.store(Arc::new(policy));
    }

    /// Returns who we are.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}
