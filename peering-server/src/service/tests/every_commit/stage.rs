//! Two clusters over stores that can be made to fail, and a peering between them that nobody touches.

use std::sync::Arc;

use peering_core::peering::Stored;
use peering_core::remote::RemoteInfo;
use peering_core::secret::StreamSecret;
use peering_core::token::PeeringToken;

use super::super::bench::{Bench, Lossy, Operate};
use super::super::doubtful_store::DoubtfulStore;
use super::whole;
use crate::clock::ManualClock;
use crate::service::Service;

/// Which of the two clusters does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Acceptor,
    Dialer,
}

pub(super) struct Stage {
    pub(super) acceptor: Arc<Service>,
    pub(super) dialer: Arc<Service>,
    pub(super) acceptor_store: Arc<DoubtfulStore>,
    pub(super) dialer_store: Arc<DoubtfulStore>,
    pub(super) acceptor_clock: Arc<ManualClock>,
    bystander: PeeringToken,
    bystander_secret: StreamSecret,
    unused: PeeringToken,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let (acceptor_store, dialer_store) = (DoubtfulStore::new(), DoubtfulStore::new());
        let bench = Bench { store: acceptor_store.clone(), ..Bench::new("dc1") };
        let (acceptor, acceptor_clock) = (bench.service().await, bench.clock);
        let exchange = Lossy::new(&acceptor, 0);
        let dialer = Bench { store: dialer_store.clone(), exchange, ..Bench::new("dc2") }.service().await;
        let bystander = acceptor.token("bystander").await.unwrap();
        dialer.use_token("to-bystander", &bystander).await.unwrap();
        let id = dialer.read_peering("to-bystander").await.unwrap().value.peering.local_id;
        let bystander_secret = dialer.dial_target(id).await.unwrap().unwrap().secret;
        acceptor.admit(&bystander.peer_id, &bystander_secret, RemoteInfo::default(), None).await.unwrap();
        let unused = acceptor.token("unused").await.unwrap();
        Self { acceptor, dialer, acceptor_store, dialer_store, acceptor_clock, bystander, bystander_secret, unused }
    }

    pub(super) fn store_of(&self, side: Side) -> Arc<DoubtfulStore> {
        match side {
            Side::Acceptor => Arc::clone(&self.acceptor_store),
            Side::Dialer => Arc::clone(&self.dialer_store),
        }
    }

    pub(super) async fn is_whole(&self, place: &str) {
        whole::check(self.acceptor_store.as_ref(), &format!("{place}, acceptor")).await;
        whole::check(self.dialer_store.as_ref(), &format!("{place}, dialer")).await;
    }

    /// What was acknowledged before is there: the running peering on both sides, and the token that nobody used.
    pub(super) async fn nothing_is_lost(&self, place: &str) {
        let secret = &self.bystander_secret;
        let admitted = self.acceptor.admit(&self.bystander.peer_id, secret, RemoteInfo::default(), None).await;
        admitted.unwrap_or_else(|error| panic!("{place}: {error}"));
        let dialed = self.dialer.read_peering("to-bystander").await.unwrap().value.peering;
        assert_eq!(dialed.state, Stored::Establishing, "{place}");
        let target = self.dialer.dial_target(dialed.local_id).await.unwrap().unwrap();
        assert_eq!(target.secret.hash(), secret.hash(), "{place}");
        self.acceptor.redeem(&self.unused).await.unwrap_or_else(|error| panic!("{place}: {error}"));
    }
}
