//! A cluster of one server in this process, on free ports of loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peering_core::name::Datacenter;
use peering_server::clock::ManualClock;
use peering_server::config::{Config, StoreChoice};
use peering_server::listen::ListenAddress;
use peering_server::server::{Server, Sources};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::eventually::eventually;
use crate::http::{Answer, Http};
use crate::site::private_directory;

/// Longest wait for a state: a reconnect begins within 2.2 s, and a busy machine may make anything five times slower.
pub const STATE_WITHIN: Duration = Duration::from_secs(15);

/// A cluster of one server.
pub struct Cluster {
    server: Option<Server>,
    config: Config,
    sources: Sources,
    http: Http,
    _directory: Option<TempDir>,
}

impl Cluster {
    /// Starts a cluster that keeps nothing. Its answers are not indented.
    pub async fn start(datacenter: &str) -> Self {
        Self::start_with(config(datacenter), Sources::default(), None).await
    }

    /// Starts a cluster that keeps nothing, with something changed in its settings.
    pub async fn start_changed(datacenter: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(datacenter);
        change(&mut config);
        Self::start_with(config, Sources::default(), None).await
    }

    /// Starts a cluster whose time is this clock's.
    pub async fn start_at(datacenter: &str, clock: &Arc<ManualClock>) -> Self {
        Self::start_with(config(datacenter), sources_at(clock), None).await
    }

    /// Starts a cluster whose time is this clock's, with something changed in its settings.
    pub async fn start_at_changed(
        datacenter: &str,
        clock: &Arc<ManualClock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(datacenter);
        change(&mut config);
        Self::start_with(config, sources_at(clock), None).await
    }

    /// Starts a cluster that indents every answer, as in development mode.
    pub async fn start_dev(datacenter: &str) -> Self {
        let config = Config { dev: true, ..config(datacenter) };
        Self::start_with(config, Sources::default(), None).await
    }

    /// Starts a cluster with a data directory of its own, so that it can be restarted.
    pub async fn start_durable(datacenter: &str) -> Self {
        Self::start_in(datacenter, private_directory(), Sources::default()).await
    }

    /// Starts a cluster whose data directory is `data` in this one, made or found there.
    pub async fn start_in(datacenter: &str, directory: TempDir, sources: Sources) -> Self {
        let data_dir = directory.path().join("data");
        let keyring = data_dir.join("keyring");
        let config = Config { store: StoreChoice::Sqlite { data_dir, keyring }, ..config(datacenter) };
        Self::start_with(config, sources, Some(directory)).await
    }

    /// Starts a cluster whose data is kept in this directory, which outlives it.
    pub async fn start_at_place(datacenter: &str, data_dir: &Path) -> Self {
        let (data_dir, keyring) = (data_dir.to_owned(), data_dir.join("keyring"));
        let config = Config { store: StoreChoice::Sqlite { data_dir, keyring }, ..config(datacenter) };
        Self::start_with(config, Sources::default(), None).await
    }

    async fn start_with(mut config: Config, sources: Sources, directory: Option<TempDir>) -> Self {
        let server = Server::start_with(config.clone(), sources.clone()).await.unwrap();
        // After a restart, tokens that were handed out must still lead here.
        config.peer_addr = server.peer_address();
        let http = Http::new(http_address(&server));
        Self { server: Some(server), config, sources, http, _directory: directory }
    }

    /// Ends the server in order and starts it anew with the same data, at the same address for its peers.
    pub async fn restart(&mut self) {
        self.stop().await;
        let server = Server::start_with(self.config.clone(), self.sources.clone()).await.unwrap();
        self.http = Http::new(http_address(&server));
        self.server = Some(server);
    }

    /// Ends the server in order.
    pub async fn stop(&mut self) {
        self.server.take().expect("the server runs").shutdown().await;
    }

    /// Returns a client for its HTTP API.
    #[must_use]
    pub const fn http(&self) -> &Http {
        &self.http
    }

    /// Returns where its peers find it.
    #[must_use]
    pub const fn peer_address(&self) -> SocketAddr {
        self.config.peer_addr
    }

    /// Asks for a token.
    pub async fn ask_token(&self, body: Value) -> Answer {
        self.http.post("/v1/peering/token", body.to_string()).await
    }

    /// Generates a token with this request.
    pub async fn generate_with(&self, body: Value) -> String {
        let answer = self.ask_token(body).await;
        let answer = answer.accepts();
        answer["PeeringToken"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
    }

    /// Generates a token for this peer.
    pub async fn generate(&self, name: &str) -> String {
        self.generate_with(json!({ "PeerName": name })).await
    }

    /// Generates a token for this peer that leads over another address.
    pub async fn generate_over(&self, name: &str, address: SocketAddr) -> String {
        self.generate_with(json!({ "PeerName": name, "ServerExternalAddresses": [address.to_string()] })).await
    }

    /// Uses a token under this name.
    pub async fn establish(&self, name: &str, token: &str) -> Answer {
        let body = json!({ "PeerName": name, "PeeringToken": token });
        self.http.post("/v1/peering/establish", body.to_string()).await
    }

    /// Exports services: each with the peers that may use it.
    pub async fn export(&self, services: &[(&str, &[&str])]) {
        let services: Vec<Value> = services
            .iter()
            .map(|(name, peers)| {
                let consumers: Vec<Value> = peers.iter().map(|peer| json!({ "Peer": peer })).collect();
                json!({ "Name": name, "Consumers": consumers })
            })
            .collect();
        let entry = json!({ "Kind": "exported-services", "Name": "default", "Services": services });
        assert_eq!(self.http.put("/v1/config", entry.to_string()).await.accepts(), true);
    }

    /// Reads a peering that is there.
    pub async fn read(&self, name: &str) -> Value {
        self.http.get(&format!("/v1/peering/{name}")).await.accepts()
    }

    /// Deletes a peering and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        let path = format!("/v1/peering/{name}");
        assert_eq!(self.http.delete(&path).await.status, 200);
        self.is_gone(name).await;
    }

    /// Waits until a peering that was deleted is gone.
    pub async fn is_gone(&self, name: &str) {
        let path = format!("/v1/peering/{name}");
        eventually(STATE_WITHIN, async || {
            let answer = self.http.get(&path).await;
            if answer.status == 404 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    }

    /// Reads the state of a peering that is there.
    pub async fn state(&self, name: &str) -> String {
        self.read(name).await["State"].as_str().unwrap().to_owned()
    }

    /// Waits until a peering is in this state, and returns it.
    pub async fn reaches(&self, name: &str, state: &str) -> Value {
        self.eventually_reads(name, &format!("state {state}"), |peering| peering["State"] == state).await
    }

    /// Waits until a peering reads as wanted, and returns it.
    pub async fn eventually_reads(&self, name: &str, what: &str, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        eventually(STATE_WITHIN, async || {
            let peering = self.read(name).await;
            if is_it(&peering) { Ok(peering) } else { Err(format!("no {what}: {peering:#}")) }
        })
        .await
    }
}

/// Makes two clusters peers: the first generates, the second establishes, and both get to ACTIVE.
///
/// Each is known to the other by its datacenter.
pub async fn peer(acceptor: &Cluster, dialer: &Cluster) {
    let token = acceptor.generate(dialer.config.datacenter.as_str()).await;
    peer_with(acceptor, dialer, &token).await;
}

/// As [`peer`], with a token that was generated before.
pub async fn peer_with(acceptor: &Cluster, dialer: &Cluster, token: &str) {
    let name = acceptor.config.datacenter.as_str();
    assert_eq!(dialer.establish(name, token).await.accepts(), json!({}));
    dialer.reaches(name, "ACTIVE").await;
    acceptor.reaches(dialer.config.datacenter.as_str(), "ACTIVE").await;
}

/// Returns this clock with the machine's randomness.
#[must_use]
pub fn sources_at(clock: &Arc<ManualClock>) -> Sources {
    Sources { clock: Arc::clone(clock) as _, ..Sources::default() }
}

fn config(datacenter: &str) -> Config {
    Config { dev: false, ..Config::ephemeral(Datacenter::parse(datacenter).unwrap()) }
}

fn http_address(server: &Server) -> SocketAddr {
    match server.http_addresses() {
        [ListenAddress::Tcp(address), ..] => *address,
        other => panic!("expected an address over TCP first, got {other:?}"),
    }
}
