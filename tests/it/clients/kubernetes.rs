//! What the controllers of Consul on Kubernetes send for `PeeringAcceptor` and `PeeringDialer`.
//!
//! Source: `hashicorp/consul-k8s` 2.0.3, `control-plane/connect-inject/controllers/peering`, built on
//! `github.com/hashicorp/consul/api` 1.34.4. A controller looks at a resource whenever that or its secret changes, and
//! each time makes a client anew. It sends no metadata, and gives each request 5 s.

use std::time::Duration;

use peering_tests::cluster::Cluster;
use peering_tests::go_client::{Connection, GoClient};
use peering_tests::http::Answer;
use serde_json::json;
use tokio::time::timeout;

use super::once_deleted;

/// Longest time that the controllers wait for an answer, unless told otherwise.
const API_TIMEOUT: Duration = Duration::from_secs(5);

const SPENT: &str = "a new peering token must be generated: invalid peering establishment secret";

/// A cluster as a controller sees it.
struct Consul<'a>(&'a Cluster);

impl Consul<'_> {
    async fn connect(&self) -> Connection {
        GoClient::new(self.0.http().address(), "consul-k8s/v2.0.3").token("secret").connect().await
    }
}

/// Reads a peering; true if it is there.
async fn exists(consul: &mut Connection, name: &str) -> bool {
    let answer = timeout(API_TIMEOUT, consul.get(&format!("/v1/peering/{name}"))).await.unwrap();
    match answer.status {
        200 => true,
        404 => false,
        status => panic!("{status} {}", answer.body),
    }
}

async fn delete(consul: &Consul<'_>, name: &str) {
    let mut consul = consul.connect().await;
    let answer = timeout(API_TIMEOUT, consul.delete(&format!("/v1/peering/{name}"))).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

/// A `PeeringAcceptor`: its secret, and the version up to which it was reconciled.
#[derive(Default)]
struct Acceptor {
    name: &'static str,
    /// The annotation `consul.hashicorp.com/peering-version`.
    version: Option<u64>,
    reconciled: Option<u64>,
    has_status: bool,
    secret: Option<String>,
}

impl Acceptor {
    /// Looks at the resource; true if a token was generated.
    async fn reconcile(&mut self, consul: &Consul<'_>) -> bool {
        let mut consul = consul.connect().await;
        let is_there = exists(&mut consul, self.name).await;
        let is_newer = self.has_status && self.version.is_some() && self.version > self.reconciled;
        if is_there && !is_newer && self.secret.is_some() {
            return false;
        }
        let body = json!({ "PeerName": self.name }).to_string();
        let ask = async || timeout(API_TIMEOUT, consul.post("/v1/peering/token", body.clone())).await.unwrap();
        let answer = once_deleted(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.secret = Some(answer.json()["PeeringToken"].as_str().unwrap().to_owned());
        (self.has_status, self.reconciled) = (true, self.version.or(self.reconciled));
        true
    }
}

/// A `PeeringDialer`: what its secret holds, and what was used last.
#[derive(Default)]
struct Dialer {
    name: &'static str,
    version: Option<u64>,
    reconciled: Option<u64>,
    secret: String,
    used: Option<String>,
}

impl Dialer {
    /// Looks at the resource; true if the token of its secret was used.
    async fn reconcile(&mut self, consul: &Consul<'_>) -> Result<bool, Answer> {
        let mut consul = consul.connect().await;
        if let Some(used) = &self.used {
            let is_there = exists(&mut consul, self.name).await;
            let is_newer = self.version.is_some() && self.version > self.reconciled;
            if is_there && *used == self.secret && !is_newer {
                return Ok(false);
            }
        }
        let body = json!({ "PeerName": self.name, "PeeringToken": self.secret }).to_string();
        let answer = timeout(API_TIMEOUT, consul.post("/v1/peering/establish", body)).await.unwrap();
        if answer.status != 200 {
            return Err(answer);
        }
        assert_eq!(answer.json(), json!({}));
        (self.used, self.reconciled) = (Some(self.secret.clone()), self.version.or(self.reconciled));
        Ok(true)
    }
}

#[tokio::test]
async fn an_acceptor_generates_once_and_again_only_for_a_newer_version() {
    let cluster = Cluster::start("dc1").await;
    let consul = Consul(&cluster);
    let mut acceptor = Acceptor { name: "dialer-dc", ..Acceptor::default() };

    // 1. It reads, finds nothing, and generates; looked at again, it only reads.
    assert!(acceptor.reconcile(&consul).await);
    let (first, made) = (acceptor.secret.clone(), cluster.read("dialer-dc").await);
    for _ in 0..3 {
        assert!(!acceptor.reconcile(&consul).await);
    }
    assert_eq!(cluster.read("dialer-dc").await["ModifyIndex"], made["ModifyIndex"], "reading changes nothing");

    // 2. A newer version makes another token for the same peering, once.
    acceptor.version = Some(2);
    assert!(acceptor.reconcile(&consul).await);
    assert!(!acceptor.reconcile(&consul).await);
    assert_ne!(acceptor.secret, first);
    let after = cluster.read("dialer-dc").await;
    assert_eq!((&after["ID"], &after["State"]), (&made["ID"], &json!("PENDING")));

    // 3. A secret that somebody removed is made again.
    acceptor.secret = None;
    assert!(acceptor.reconcile(&consul).await);

    // 4. So is a peering that somebody deleted.
    cluster.delete("dialer-dc").await;
    assert!(acceptor.reconcile(&consul).await);
    assert_ne!(cluster.read("dialer-dc").await["ID"], made["ID"]);

    // 5. With the resource goes the peering; one of the same name may follow at once.
    delete(&consul, "dialer-dc").await;
    let mut another = Acceptor { name: "dialer-dc", ..Acceptor::default() };
    assert!(another.reconcile(&consul).await);
    assert_eq!(cluster.state("dialer-dc").await, "PENDING");
    delete(&consul, "dialer-dc").await;
}

#[tokio::test]
async fn a_dialer_establishes_from_its_secret_and_again_when_that_or_the_version_changes() {
    let (here, there) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let (on_acceptor, on_dialer) = (Consul(&here), Consul(&there));
    let mut acceptor = Acceptor { name: "dialer-dc", ..Acceptor::default() };
    let mut dialer = Dialer { name: "acceptor-dc", ..Dialer::default() };

    // 1. The secret is copied over by somebody. The first time nothing is read.
    acceptor.reconcile(&on_acceptor).await;
    dialer.secret = acceptor.secret.clone().unwrap();
    assert!(dialer.reconcile(&on_dialer).await.unwrap());
    there.reaches("acceptor-dc", "ACTIVE").await;
    here.reaches("dialer-dc", "ACTIVE").await;
    assert!(!acceptor.reconcile(&on_acceptor).await, "an active peering needs no token");
    assert!(!dialer.reconcile(&on_dialer).await.unwrap(), "nor an establishment");

    // 2. A newer version on both sides: the dialer, first, has only the spent token and fails; with the new one in its
    //    secret it succeeds, and the peering never was away.
    (acceptor.version, dialer.version) = (Some(1), Some(1));
    dialer.reconcile(&on_dialer).await.unwrap_err().refuses(403, SPENT);
    assert_eq!(there.state("acceptor-dc").await, "ACTIVE");
    assert!(acceptor.reconcile(&on_acceptor).await);
    dialer.secret = acceptor.secret.clone().unwrap();
    assert!(dialer.reconcile(&on_dialer).await.unwrap());
    assert!(!dialer.reconcile(&on_dialer).await.unwrap());
    there.reaches("acceptor-dc", "ACTIVE").await;

    // 3. The peering is deleted behind the dialer's back: looked at again, it tries the token it has, which is spent.
    there.delete("acceptor-dc").await;
    dialer.reconcile(&on_dialer).await.unwrap_err().refuses(403, SPENT);
    here.reaches("dialer-dc", "TERMINATED").await;

    // 4. A newer version of the acceptor heals it.
    acceptor.version = Some(2);
    assert!(acceptor.reconcile(&on_acceptor).await);
    dialer.secret = acceptor.secret.clone().unwrap();
    assert!(dialer.reconcile(&on_dialer).await.unwrap());
    there.reaches("acceptor-dc", "ACTIVE").await;
    here.reaches("dialer-dc", "ACTIVE").await;

    // 5. The dialer's resource goes, then the acceptor's.
    delete(&on_dialer, "acceptor-dc").await;
    here.reaches("dialer-dc", "TERMINATED").await;
    delete(&on_acceptor, "dialer-dc").await;
    here.is_gone("dialer-dc").await;
    there.is_gone("acceptor-dc").await;
    assert!(!exists(&mut on_acceptor.connect().await, "dialer-dc").await);
    assert!(!exists(&mut on_dialer.connect().await, "acceptor-dc").await);
}

#[tokio::test]
async fn controllers_that_look_at_one_resource_at_the_same_time_end_with_one_usable_token() {
    let (here, there) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let consul = Consul(&here);
    let mut first = Acceptor { name: "dialer-dc", ..Acceptor::default() };
    let mut second = Acceptor { name: "dialer-dc", ..Acceptor::default() };
    tokio::join!(first.reconcile(&consul), second.reconcile(&consul));
    let tokens = [first.secret.unwrap(), second.secret.unwrap()];
    let mut usable = 0;
    for token in &tokens {
        let answer = there.establish("acceptor-dc", token).await;
        usable += u32::from(answer.status == 200);
        assert!(answer.status == 200 || answer.body == SPENT, "{}", answer.body);
    }
    assert_eq!(usable, 1);
}
