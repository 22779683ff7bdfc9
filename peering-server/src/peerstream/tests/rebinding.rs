//! Host names whose addresses change: each dial asks again, and checks what it is told.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use peering_core::peering::state::Reported;
use tonic::Status;

use super::clock::{skip, until};
use super::foreign_acceptor::ForeignAcceptor;
use super::foreign_dialer::{ADDRESSES, upsert};
use super::home::Home;
use crate::dial::Resolve;
use crate::peerstream::proto::peering::PeeringServerAddresses;
use crate::server::Sources;

/// The host in tokens of these tests.
const HOST: &str = "peer.example";
/// Longer than any pause before a redial.
const PAST_ANY_DELAY: Duration = Duration::from_secs(72);

/// A name server in the hands of the peer.
#[derive(Debug, Default)]
struct Names {
    state: Mutex<(Vec<SocketAddr>, usize)>,
}

impl Names {
    /// Lets the host lead to these addresses from now on; ports are those that are asked for.
    fn lead_to(&self, addresses: &[&str]) {
        let parse = |text: &&str| match text.split_once('%') {
            None => SocketAddr::new(text.parse::<IpAddr>().unwrap(), 0),
            Some((ip, zone)) => SocketAddrV6::new(ip.parse().unwrap(), 0, 0, zone.parse().unwrap()).into(),
        };
        self.state.lock().unwrap().0 = addresses.iter().map(parse).collect();
    }

    /// Returns how often was asked.
    fn asked(&self) -> usize {
        self.state.lock().unwrap().1
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, HOST);
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        Ok(state
            .0
            .iter()
            .copied()
            .map(|mut address| {
                address.set_port(port);
                address
            })
            .collect())
    }
}

/// A cluster that peers with an acceptor whose token names a host, and what the two need.
struct Scene {
    home: Home,
    names: Arc<Names>,
    acceptor: ForeignAcceptor,
    /// Host and port, as in the token.
    address: String,
}

impl Scene {
    async fn new() -> Self {
        let names = Arc::new(Names::default());
        names.lead_to(&["127.0.0.1"]);
        let sources = Sources { resolver: Arc::clone(&names) as Arc<dyn Resolve>, ..Sources::default() };
        let deny = |config: &mut crate::config::Config| config.dial_deny = vec!["203.0.113.0/24".parse().unwrap()];
        let home = Home::start_with("dc1", sources, deny).await;
        let acceptor = ForeignAcceptor::start().await;
        let address = acceptor.address().replace("127.0.0.1", HOST);
        home.establish("peer", &acceptor.token(std::slice::from_ref(&address)).encode()).await.unwrap();
        Self { home, names, acceptor, address }
    }

    /// Waits until a dial has failed for this reason.
    async fn fails_to_dial(&self, address: &str, reason: &str) {
        let expected = format!("{address}: {reason}");
        until(&expected, async || self.home.last_error("peer").await.as_deref() == Some(expected.as_str())).await;
        assert_eq!(self.home.state("peer").await, Some(Reported::Failing));
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address_at_a_redial_is_refused_until_it_leads_back() {
    let mut scene = Scene::new().await;
    let mut call = scene.acceptor.call().await.connected().await;
    scene.home.reads("peer", Reported::Active).await;
    scene.names.lead_to(&["169.254.169.254"]);
    call.end(Some(Status::unavailable("gone"))).await;
    scene.home.reads("peer", Reported::Failing).await;
    let link_local = "the address is link-local";
    let unspecified = "the address is unspecified and leads to this machine: ask the peer to advertise a real one";
    for (addresses, reason) in [
        (["169.254.169.254"], link_local),
        (["fe80::1%2"], link_local),
        (["::ffff:169.254.169.254"], link_local),
        (["0.0.0.0"], unspecified),
        (["::"], unspecified),
        (["64:ff9b::a9fe:a9fe"], link_local),
        (["ff02::1"], "the address is a multicast address"),
        (["2002:a9fe:a9fe::1"], link_local),
        (["255.255.255.255"], "the address is a broadcast or reserved address"),
        (["2001:0:808:808::5601:5601"], link_local),
        (["::ffff:203.0.113.9"], "the address is denied by dial_deny in the settings of this server"),
    ] {
        scene.names.lead_to(&addresses);
        let asked = scene.names.asked();
        skip(PAST_ANY_DELAY).await;
        until("somebody asks again", async || scene.names.asked() > asked).await;
        scene.fails_to_dial(&scene.address, reason).await;
        assert!(!scene.acceptor.has_call());
    }
    scene.names.lead_to(&["169.254.169.254", "127.0.0.1"]);
    skip(PAST_ANY_DELAY).await;
    let _call = scene.acceptor.call().await.connected().await;
    scene.home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn a_learnt_loopback_address_is_dialed_only_while_the_token_leads_to_one() {
    let mut scene = Scene::new().await;
    let mut call = scene.acceptor.call().await.connected().await;
    call.opened().await;
    let learnt = scene.acceptor.address();
    let told = PeeringServerAddresses { addresses: vec![learnt.clone()] };
    assert_eq!(call.offer(upsert("1", ADDRESSES, "server-addrs", &told)).await.error, None);
    scene.names.lead_to(&["198.51.100.1"]);
    call.end(Some(Status::unavailable("gone"))).await;
    scene.home.reads("peer", Reported::Failing).await;
    skip(PAST_ANY_DELAY).await;
    scene.fails_to_dial(&learnt, "the peer advertised a loopback address, and its peering token held none").await;
    scene.names.lead_to(&["10.0.0.1"]);
    skip(PAST_ANY_DELAY).await;
    scene.fails_to_dial(&learnt, "the peer advertised a loopback address, and its peering token held none").await;
    assert!(!scene.acceptor.has_call());
    scene.names.lead_to(&["127.0.0.1"]);
    skip(PAST_ANY_DELAY).await;
    let _call = scene.acceptor.call().await.connected().await;
    scene.home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn an_exchange_is_refused_by_the_same_rules_with_the_category_alone() {
    let scene = Scene::new().await;
    scene.names.lead_to(&["169.254.169.254"]);
    let token = scene.acceptor.token(std::slice::from_ref(&scene.address)).encode();
    let failed = scene.home.establish("other", &token).await.unwrap_err().to_string();
    assert!(failed.contains("the address is link-local") && !failed.contains("169.254"), "{failed}");
}
