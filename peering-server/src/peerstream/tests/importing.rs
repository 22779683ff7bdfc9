//! Resources that a peer sends: acknowledged once stored, refused with the code of what is wrong.

use peering_core::peering::state::Reported;

use super::foreign_acceptor::{DOMAIN, ForeignAcceptor, Identity};
use super::foreign_dialer::{ADDRESSES, ForeignDialer, ForeignStream, SERVICE_LIST, SERVICES, TRUST_BUNDLE, upsert};
use super::home::Home;
use crate::peerstream::proto::peering::{PeeringServerAddresses, PeeringTrustBundle};
use crate::peerstream::proto::peerstream::replication_message::{Request, Response};
use crate::peerstream::proto::peerstream::{ExportedService, ExportedServiceList};
use crate::peerstream::proto::service::{CheckServiceNode, Node};

async fn connected(home: &Home) -> ForeignStream {
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    dialer.dialed(&token.peer_id, &secret).await
}

fn bundle(domain: &str, root_pems: Vec<String>) -> Response {
    let bundle = PeeringTrustBundle { trust_domain: domain.to_owned(), root_pems, ..PeeringTrustBundle::default() };
    upsert("00000001", TRUST_BUNDLE, "roots", &bundle)
}

fn addresses(addresses: &[&str]) -> Response {
    let addresses = addresses.iter().map(ToString::to_string).collect();
    upsert("0000000a", ADDRESSES, "server-addrs", &PeeringServerAddresses { addresses })
}

fn list(services: &[&str]) -> Response {
    let services = services.iter().map(ToString::to_string).collect();
    upsert("nonce-1", SERVICE_LIST, "exported-service-list", &ExportedServiceList { services })
}

fn is_acknowledged(reply: &Request, url: &str) -> bool {
    *reply
        == Request { resource_url: url.to_owned(), response_nonce: reply.response_nonce.clone(), ..Request::default() }
}

fn error(reply: Request) -> (i32, String) {
    let error = reply.error.unwrap_or_else(|| panic!("acknowledged: {}", reply.resource_url));
    (error.code, error.message)
}

/// What stands in front of the cause when storing failed.
fn upserting(url: &str, id: &str) -> String {
    format!("upsert error, ResourceURL: {url:?}, ResourceID: {id:?}: ")
}

#[tokio::test]
async fn every_type_is_acknowledged_with_its_nonce_and_url() {
    let home = Home::start("dc1").await;
    let mut stream = connected(&home).await;
    let ca = Identity::new().ca_pem;
    assert!(is_acknowledged(&stream.offer(bundle(DOMAIN, vec![ca.clone()])).await, TRUST_BUNDLE));
    let peering = home.view("peer").await.unwrap().peering;
    assert_eq!(
        peering.roots.iter().map(|pem| pem.trim()).collect::<Vec<_>>(),
        [ca.trim()],
        "stored before it is acknowledged"
    );
    assert!(is_acknowledged(&stream.offer(list(&["web", "api"])).await, SERVICE_LIST));
    assert_eq!(home.view("peer").await.unwrap().stream.unwrap().imported_services, ["web", "api"]);
    let empty = upsert("3", SERVICES, "web", &ExportedService::default());
    assert!(is_acknowledged(&stream.offer(empty).await, SERVICES));
}

#[tokio::test]
async fn each_broken_rule_of_a_response_is_refused_and_the_stream_goes_on() {
    let home = Home::start("dc1").await;
    let mut stream = connected(&home).await;
    let with = |change: fn(&mut Response)| {
        let mut response = list(&["web"]);
        change(&mut response);
        response
    };
    let id = "exported-service-list";
    let mismatch = format!("mismatched resourceURL {SERVICE_LIST:?} and Any typeUrl \"hashicorp.Short\"");
    for (response, code, text) in [
        (
            with(|r| r.resource_url = "a.b/C".to_owned()),
            3,
            "received response for unknown resource type \"a.b/C\"".to_owned(),
        ),
        (with(|r| r.nonce.clear()), 3, format!("received response without a nonce for: {SERVICE_LIST}:{id}")),
        (with(|r| r.resource = None), 3, "received upsert response with no content".to_owned()),
        (with(|r| r.operation = 0), 3, "unsupported operation: \"OPERATION_UNSPECIFIED\"".to_owned()),
        (with(|r| r.operation = 7), 3, "unsupported operation: 7".to_owned()),
        (
            with(|r| r.resource.as_mut().unwrap().type_url = "hashicorp.Short".to_owned()),
            13,
            upserting(SERVICE_LIST, id) + &mismatch,
        ),
    ] {
        let reply = stream.offer(response).await;
        assert_eq!(error(reply), (code, text));
    }
    let undecodable = with(|r| r.resource.as_mut().unwrap().value = vec![0xff]);
    let (code, text) = error(stream.offer(undecodable).await);
    assert_eq!(code, 13);
    assert!(text.starts_with(&upserting(SERVICE_LIST, id)), "{text}");
    assert!(is_acknowledged(&stream.offer(list(&["web"])).await, SERVICE_LIST));
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn instances_that_nobody_could_register_are_refused() {
    let home = Home::start("dc1").await;
    let mut stream = connected(&home).await;
    let node = Some(Node { node: "n1".to_owned(), ..Node::default() });
    let nodes = vec![CheckServiceNode { node, ..CheckServiceNode::default() }];
    let (code, text) = error(stream.offer(upsert("1", SERVICES, "web", &ExportedService { nodes })).await);
    assert_eq!(code, 3);
    assert_eq!(text, upserting(SERVICES, "web") + "expected a service with an id in every instance");
}

#[tokio::test]
async fn an_acceptor_takes_no_addresses() {
    let home = Home::start("dc1").await;
    let mut stream = connected(&home).await;
    let text = upserting(ADDRESSES, "server-addrs") + "Cannot switch peering dialing mode from false to true";
    assert_eq!(error(stream.offer(addresses(&["127.0.0.1:1"])).await), (13, text));
}

#[tokio::test]
async fn a_bundle_that_could_harm_is_refused_and_leaves_the_roots_alone() {
    let home = Home::start("dc1").await;
    let mut stream = connected(&home).await;
    let identity = Identity::new();
    let good = identity.ca_pem.clone();
    assert!(is_acknowledged(&stream.offer(bundle(DOMAIN, vec![good.clone()])).await, TRUST_BUNDLE));
    let kept = home.view("peer").await.unwrap().peering.roots;
    let other_domain = "00000000-1111-2222-3333-444444444444.consul";
    for (why, response) in [
        ("empty", bundle(DOMAIN, vec![])),
        ("blank", bundle(DOMAIN, vec![" \n".to_owned()])),
        ("no certificate", bundle(DOMAIN, vec!["nonsense".to_owned()])),
        ("no CA", bundle(DOMAIN, vec![identity.leaf_pem()])),
        ("one good, one not", bundle(DOMAIN, vec![good.clone(), identity.leaf_pem()])),
        ("too many", bundle(DOMAIN, vec![good.clone(); 17])),
        ("too long", bundle(DOMAIN, vec!["x".repeat(512 * 1024 + 1)])),
        ("no domain", bundle("", vec![good.clone()])),
        ("another domain", bundle(other_domain, vec![good.clone()])),
    ] {
        let (code, text) = error(stream.offer(response).await);
        assert_eq!(code, 3, "{why}");
        assert!(text.starts_with(&upserting(TRUST_BUNDLE, "roots")), "{why}: {text}");
        assert_eq!(home.view("peer").await.unwrap().peering.roots, kept, "{why}");
    }
    let capitals = bundle(&DOMAIN.to_uppercase(), vec![good]);
    assert!(is_acknowledged(&stream.offer(capitals).await, TRUST_BUNDLE), "case is no other domain");
}

#[tokio::test]
async fn a_dialer_takes_only_bundles_of_the_domain_in_the_server_name() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    call.opened().await;
    let pem = acceptor.identity.ca_pem.clone();
    let foreign = bundle("00000000-1111-2222-3333-444444444444.consul", vec![pem.clone()]);
    let (code, text) = error(call.offer(foreign).await);
    assert_eq!(code, 3);
    assert!(text.contains(DOMAIN), "{text}");
    let old = home.view("peer").await.unwrap().peering.roots;
    let rotated = bundle(DOMAIN, vec![Identity::new().ca_pem, pem]);
    assert!(is_acknowledged(&call.offer(rotated).await, TRUST_BUNDLE));
    let new = home.view("peer").await.unwrap().peering.roots;
    assert_eq!((old.len(), new.len()), (1, 2));
}

#[tokio::test]
async fn a_dialer_keeps_the_addresses_that_it_is_told_and_refuses_none() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    call.opened().await;
    let kept = async || {
        let peering = home.view("peer").await.unwrap().peering;
        let addresses = &peering.dialed().unwrap().server_addresses;
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let text = upserting(ADDRESSES, "server-addrs") + "Cannot switch peering dialing mode from true to false";
    assert_eq!(error(call.offer(addresses(&[])).await), (13, text));
    let (code, _) = error(call.offer(addresses(&["nonsense"])).await);
    assert_eq!(code, 3);
    assert_eq!(kept().await, [acceptor.address()]);
    let told = addresses(&["127.0.0.1:4", "2001:db8::1:8503"]);
    assert!(is_acknowledged(&call.offer(told).await, ADDRESSES));
    assert_eq!(kept().await, ["127.0.0.1:4", "[2001:db8::1]:8503"], "Consul sends IPv6 without brackets");
}
