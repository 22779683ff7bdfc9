//! A cluster's TLS for tests: a real authority, a real leaf and a clock that stands where it is put.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use peering_core::name::{Datacenter, TrustDomain};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::{ALPN_H2, ServerTls, client_config};
use crate::ca::{Authority, LeafKeeper, Purpose};

/// The server name of the cluster.
pub(crate) const NAME: &str = "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul";

/// A clock that is moved by hand; clones move together.
#[derive(Debug, Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }

    pub(crate) fn step(&self, by: SignedDuration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> impl Fn() -> Timestamp + Send + Sync + 'static {
        let clock = self.clone();
        move || clock.now()
    }
}

/// One cluster.
pub(crate) struct Cluster {
    pub(crate) clock: HandClock,
    pub(crate) authority: Arc<Authority>,
    pub(crate) keeper: LeafKeeper,
}

impl Cluster {
    /// Makes a cluster; all of them have the same names and different keys.
    pub(crate) fn new() -> Self {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap();
        let authority = Arc::new(Authority::create(Purpose::Peering, &domain, now).unwrap());
        let datacenter = Datacenter::parse("dc1").unwrap();
        let keeper = LeafKeeper::start(Arc::clone(&authority), datacenter, now).unwrap();
        Self { clock: HandClock(Arc::new(AtomicI64::new(now.as_second()))), authority, keeper }
    }

    /// Returns the settings of its peer listener.
    pub(crate) fn server(&self) -> ServerTls {
        self.server_with_alpn(&[ALPN_H2])
    }

    pub(crate) fn server_with_alpn(&self, alpn: &[&[u8]]) -> ServerTls {
        ServerTls::new([(NAME.to_owned(), self.keeper.slot())], alpn).unwrap()
    }

    /// Returns the settings of a dialer that believes this cluster.
    pub(crate) fn client(&self) -> ClientConfig {
        client_config([self.authority.root_pem()], self.clock.read()).unwrap()
    }
}

/// Reads a server name.
pub(crate) fn name(text: &str) -> ServerName<'static> {
    ServerName::try_from(text.to_owned()).unwrap()
}
