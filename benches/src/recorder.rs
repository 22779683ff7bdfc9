//! A store that notes what is committed, so that the same rows can be written again without us.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use async_trait::async_trait;
use peering_core::address::ServerAddress;
use peering_core::name::Datacenter;
use peering_core::peerstream::Trouble;
use peering_core::secret::StreamSecret;
use peering_core::transition::Origin;
use peering_server::clock::{Clock, SystemClock};
use peering_server::entropy::SystemEntropy;
use peering_server::keyring::Keyring;
use peering_server::service::cluster::Cluster;
use peering_server::service::establish::{CallCode, CallError, ExchangeAsk, ExchangeClient};
use peering_server::service::outbox::Outbox;
use peering_server::service::peerings::TokenRequest;
use peering_server::service::status::StreamBoard;
use peering_server::service::{Parts, Service};
use peering_server::store::memory::MemoryStore;
use peering_server::store::{Commit, Page, Record, Revision, Store, StoreError, Txn, Watch};
use tokio_util::sync::CancellationToken;

/// Notes every transaction that was committed, in order.
struct Recorder {
    store: MemoryStore,
    noted: Mutex<Vec<Txn>>,
}

#[async_trait]
impl Store for Recorder {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.store.get(key).await
    }

    async fn range(&self, prefix: &str, limit: usize, after: Option<&str>) -> Result<Page, StoreError> {
        self.store.range(prefix, limit, after).await
    }

    async fn commit(&self, txn: Txn) -> Result<Commit, StoreError> {
        let copy = txn.clone();
        let outcome = self.store.commit(txn).await?;
        if matches!(outcome, Commit::Committed(_)) {
            self.noted.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        }
        Ok(outcome)
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        self.store.watch(prefix, from).await
    }

    async fn revision(&self) -> Result<Revision, StoreError> {
        self.store.revision().await
    }
}

/// Nobody is dialed here.
struct Nobody;

#[async_trait]
impl ExchangeClient for Nobody {
    async fn exchange(&self, _: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        let (code, trouble) = (CallCode::Unavailable, Trouble::ConnectionRefused);
        Err(CallError { code, trouble, message: "nobody is dialed here".to_owned() })
    }
}

/// Returns the transactions that generating this many tokens for new peerings commits, trimming of the outbox included.
pub(crate) async fn transactions_of_generate(count: usize) -> Result<Vec<Txn>> {
    let recorder = Arc::new(Recorder { store: MemoryStore::new(), noted: Mutex::default() });
    let store = Arc::clone(&recorder) as Arc<dyn Store>;
    let keyring = Arc::new(Keyring::ephemeral(Arc::new(SystemEntropy)));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let datacenter = Datacenter::parse("dc1")?;
    let cluster = Cluster::open(store.as_ref(), &keyring, clock.as_ref(), &SystemEntropy, &datacenter).await?;
    let service = Arc::new(Service::new(Parts {
        store,
        keyring,
        clock,
        entropy: Arc::new(SystemEntropy),
        cluster,
        advertised: vec![ServerAddress::parse("127.0.0.1:8503")?],
        allow_plaintext: false,
        streams: Arc::new(StreamBoard::new("s1")),
        exchange: Arc::new(Nobody),
        outbox: Arc::new(Outbox::default()),
    }));
    recorder.noted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let stop = CancellationToken::new();
    let consumer = Arc::clone(&service);
    let consuming = stop.clone();
    let log = tokio::spawn(async move { consumer.log_events(consuming).await });
    for number in 0..count {
        let request = TokenRequest { name: format!("raw-{number}"), ..TokenRequest::default() };
        service.generate_token(service.check_token_request(request)?, Origin::default()).await?;
        // Lets the consumer see each event, so that rows are trimmed as steadily as in a server at work.
        tokio::task::yield_now().await;
    }
    let noted = std::mem::take(&mut *recorder.noted.lock().unwrap_or_else(PoisonError::into_inner));
    stop.cancel();
    log.await??;
    Ok(noted)
}
