//! A service on the bench: every part of it is the test's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use peering_core::address::ServerAddress;
use peering_core::name::Datacenter;
use peering_core::peerstream::Trouble;
use peering_core::secret::{EstablishmentSecret, StreamSecret};
use peering_core::secrets::Refusal;
use peering_core::token::{PeeringToken, UnverifiedToken};
use peering_core::transition::Origin;

use crate::clock::{Clock, ManualClock};
use crate::entropy::SystemEntropy;
use crate::keyring::Keyring;
use crate::service::cluster::{Cluster, ClusterError};
use crate::service::establish::{CallCode, CallError, EstablishRequest, ExchangeAsk, ExchangeClient};
use crate::service::outbox::Outbox;
use crate::service::peerings::TokenRequest;
use crate::service::secrets::Exchange;
use crate::service::status::StreamBoard;
use crate::service::{Parts, Service, ServiceError};
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// What several services of one cluster share.
pub(super) struct Bench {
    pub(super) clock: Arc<ManualClock>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) store: Arc<dyn Store>,
    pub(super) exchange: Arc<dyn ExchangeClient>,
    pub(super) datacenter: &'static str,
    pub(super) allow_plaintext: bool,
    /// Whether events go to an audit trail too.
    pub(super) is_audited: bool,
}

impl Bench {
    pub(super) fn new(datacenter: &'static str) -> Self {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        Self {
            clock: Arc::new(ManualClock::new(now)),
            keyring: Arc::new(Keyring::ephemeral(Arc::new(SystemEntropy))),
            store: Arc::new(MemoryStore::new()),
            exchange: Arc::new(Nobody),
            datacenter,
            allow_plaintext: false,
            is_audited: false,
        }
    }

    /// Reads who the cluster is, or draws it.
    pub(super) async fn cluster(&self) -> Result<Cluster, ClusterError> {
        let datacenter = Datacenter::parse(self.datacenter).unwrap();
        Cluster::open(self.store.as_ref(), &self.keyring, self.clock.as_ref(), &SystemEntropy, &datacenter).await
    }

    /// Makes a service, as each start of a server does.
    pub(super) async fn service(&self) -> Arc<Service> {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let cluster = self.cluster().await.unwrap();
        Arc::new(Service::new(Parts {
            store: Arc::clone(&self.store),
            keyring: Arc::clone(&self.keyring),
            clock,
            entropy: Arc::new(SystemEntropy),
            cluster,
            advertised: vec![ServerAddress::parse("127.0.0.1:8503").unwrap()],
            allow_plaintext: self.allow_plaintext,
            streams: Arc::new(StreamBoard::new("s1")),
            exchange: Arc::clone(&self.exchange),
            outbox: Arc::new(if self.is_audited { Outbox::audited() } else { Outbox::default() }),
        }))
    }
}

/// Nobody is reached.
struct Nobody;

#[async_trait]
impl ExchangeClient for Nobody {
    async fn exchange(&self, _: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        Err(CallError {
            code: CallCode::Unavailable,
            trouble: Trouble::ConnectionRefused,
            message: "nobody".to_owned(),
        })
    }
}

/// A connection to another service that loses its first answers.
pub(super) struct Lossy {
    pub(super) acceptor: Arc<Service>,
    pub(super) answers_lost: AtomicUsize,
}

impl Lossy {
    pub(super) fn new(acceptor: &Arc<Service>, answers_lost: usize) -> Arc<Self> {
        Arc::new(Self { acceptor: Arc::clone(acceptor), answers_lost: AtomicUsize::new(answers_lost) })
    }
}

#[async_trait]
impl ExchangeClient for Lossy {
    async fn exchange(&self, ask: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        let exchange = Exchange {
            peer_id: ask.dialed.remote_id.clone(),
            establishment: EstablishmentSecret::from_text(ask.establishment.expose()),
            redemption: Some(ask.redemption.clone()),
            from: None,
        };
        let answer = self.acceptor.exchange_secret(exchange).await;
        let is_lost = |left: usize| left.checked_sub(1);
        if self.answers_lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_lost).is_ok() {
            return Err(CallError {
                code: CallCode::Unavailable,
                trouble: Trouble::ConnectionLost,
                message: "the answer was lost".to_owned(),
            });
        }
        answer.map_err(|error| {
            let is_refused = matches!(error, ServiceError::Refused(_));
            let code = if is_refused { CallCode::PermissionDenied } else { CallCode::Internal };
            CallError { code, trouble: Trouble::TokenRefused, message: error.to_string() }
        })
    }
}

/// What an operator and a dialer do with a service.
pub(super) trait Operate {
    async fn token(&self, name: &str) -> Result<PeeringToken, ServiceError>;
    async fn use_token(&self, name: &str, token: &PeeringToken) -> Result<(), ServiceError>;
    async fn redeem(&self, token: &PeeringToken) -> Result<StreamSecret, ServiceError>;
}

impl Operate for Service {
    async fn token(&self, name: &str) -> Result<PeeringToken, ServiceError> {
        let request = TokenRequest { name: name.to_owned(), ..TokenRequest::default() };
        let text = self.generate_token(self.check_token_request(request)?, Origin::default()).await?;
        Ok(UnverifiedToken::decode(&text)?.claims().clone())
    }

    async fn use_token(&self, name: &str, token: &PeeringToken) -> Result<(), ServiceError> {
        let token = token.encode();
        let request = EstablishRequest { name: name.to_owned(), token, ..EstablishRequest::default() };
        self.establish(self.check_establish(request)?, Origin::default()).await
    }

    async fn redeem(&self, token: &PeeringToken) -> Result<StreamSecret, ServiceError> {
        let establishment = EstablishmentSecret::from_text(token.establishment_secret.expose());
        let exchange = Exchange { peer_id: token.peer_id.clone(), establishment, redemption: None, from: None };
        self.exchange_secret(exchange).await
    }
}

/// The refusal of core in an outcome.
pub(super) fn refusal<T>(outcome: Result<T, ServiceError>) -> Refusal {
    match outcome {
        Err(ServiceError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("not refused"),
    }
}
