//! What a hostile acceptor tells over the stream: trust bundles that could harm, and more names than anybody has.

use peering_core::peering::state::Reported;
use peering_core::peerstream::SERVICES_MAX;
use tonic::Status;

use super::clock::skip;
use super::foreign_acceptor::{DOMAIN, ForeignAcceptor, ForeignCall};
use super::foreign_dialer::{ADDRESSES, SERVICE_LIST, SERVICES, TRUST_BUNDLE, upsert};
use super::home::Home;
use crate::peerstream::proto::peering::{PeeringServerAddresses, PeeringTrustBundle};
use crate::peerstream::proto::peerstream::replication_message::{Request, Response};
use crate::peerstream::proto::peerstream::{ExportedService, ExportedServiceList};

macro_rules! certificate {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/data/certificates/", $name, ".pem")).to_owned()
    };
}

async fn connected(home: &Home, acceptor: &mut ForeignAcceptor) -> ForeignCall {
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    call.opened().await;
    home.reads("peer", Reported::Active).await;
    call
}

fn bundle(root_pems: Vec<String>) -> Response {
    let trust_domain = DOMAIN.to_owned();
    upsert("b", TRUST_BUNDLE, "roots", &PeeringTrustBundle { trust_domain, root_pems, ..Default::default() })
}

fn list(count: usize) -> Response {
    let services = (0..count).map(|index| format!("service-{index}")).collect();
    upsert("l", SERVICE_LIST, "exported-service-list", &ExportedServiceList { services })
}

fn refusal(reply: Request) -> (i32, String) {
    let error = reply.error.unwrap_or_else(|| panic!("acknowledged: {}", reply.resource_url));
    assert!(error.message.len() < 1_500 && error.message.is_ascii(), "{}", error.message);
    (error.code, error.message)
}

#[tokio::test]
async fn no_bundle_takes_a_dialer_from_its_roots_or_from_tls() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    let mut call = connected(&home, &mut acceptor).await;
    let good = acceptor.identity.ca_pem.clone();
    let kept = home.view("peer").await.unwrap().peering;
    let (head, tail) = ("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n");
    for (why, roots, expected) in [
        ("empty", vec![], "expected at least one root certificate"),
        ("blank", vec![" \r\n\t".to_owned()], "expected at least one root certificate"),
        ("seventeen", vec![good.clone(); 17], "expected at most 16 roots, got 17"),
        ("no end", vec![good.replace("-----END", "-----END OF")], "no PEM-encoded data found"),
        ("no base64", vec![format!("{head}\u{202e}\u{1b}[2J{tail}")], "no PEM-encoded data found"),
        ("no DER", vec![format!("{head}AAAA\n{tail}")], "trust bundle entry 0 is not a certificate: "),
        ("a key", vec![good.replace("CERTIFICATE", "PRIVATE KEY")], "trust bundle entry 0 is not a certificate: "),
        ("a leaf", vec![good.clone(), acceptor.identity.leaf_pem()], "trust bundle entry 1 cannot be a root: it is"),
        ("weak", vec![certificate!("rsa-1024")], "trust bundle entry 0 cannot be a root: it "),
        ("nearly", vec![certificate!("rsa-2047")], "trust bundle entry 0 cannot be a root: it "),
        ("P-224", vec![certificate!("p224")], "trust bundle entry 0 cannot be a root: it "),
        ("may not sign", vec![certificate!("no-cert-sign")], "trust bundle entry 0 cannot be a root: it "),
        ("a curve", vec![certificate!("secp256k1")], "trust bundle entry 0 is not a certificate: "),
        ("long", vec![format!("{good}{}", "x".repeat(64 << 10))], "expected at most 65536"),
        ("megabytes", vec!["x".repeat(7 << 20)], "expected at most 524288 bytes of roots, got 7340032"),
        ("thousands", vec![String::new(); 40_001], "expected at most 40000 entries, got more"),
    ] {
        let (code, text) = refusal(call.offer(bundle(roots)).await);
        assert_eq!(code, 3, "{why}: {text}");
        assert!(text.contains(expected), "{why}: {text}");
        assert_eq!(home.view("peer").await.unwrap().peering, kept, "{why}");
    }
    assert_eq!(home.state("peer").await, Some(Reported::Active), "the stream goes on");
    call.end(Some(Status::unavailable("gone"))).await;
    home.reads("peer", Reported::Failing).await;
    skip(std::time::Duration::from_millis(2_200)).await;
    // Only TLS with the old roots leads there.
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn an_expired_root_is_kept_beside_a_good_one_and_vouches_for_nobody() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    let mut call = connected(&home, &mut acceptor).await;
    let (good, expired) = (acceptor.identity.ca_pem.clone(), acceptor.identity.expired_ca_pem());
    // A peer that renews its root tells of the old one for a while longer.
    assert_eq!(call.offer(bundle(vec![expired.clone(), good])).await.error, None);
    assert_eq!(home.view("peer").await.unwrap().peering.roots.len(), 2);
    call.end(Some(Status::unavailable("gone"))).await;
    home.reads("peer", Reported::Failing).await;
    skip(std::time::Duration::from_millis(2_200)).await;
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    // Alone it ends what the peer can prove, as the peer asked.
    call.opened().await;
    assert_eq!(call.offer(bundle(vec![expired])).await.error, None);
    call.end(Some(Status::unavailable("gone"))).await;
    home.reads("peer", Reported::Failing).await;
    for _ in 0..5 {
        skip(std::time::Duration::from_secs(10)).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(!acceptor.has_call(), "nobody is believed by an expired root");
}

#[tokio::test]
async fn ten_thousand_services_are_known_and_one_more_is_refused() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    let mut call = connected(&home, &mut acceptor).await;
    let known = async || home.view("peer").await.unwrap().stream.unwrap().imported_services.len();
    assert_eq!(call.offer(list(SERVICES_MAX)).await.error, None);
    assert_eq!(known().await, 10_000);
    let (code, text) = refusal(call.offer(list(SERVICES_MAX + 1)).await);
    assert_eq!(code, 3);
    assert!(text.ends_with("expected at most 10000 services, got 10001"), "{text}");
    assert_eq!(known().await, 10_000);
    // Instances are looked at and not kept, whatever they are called, so that names cost nothing.
    for index in 0..10_000 {
        let service = upsert(&format!("{index:x}"), SERVICES, &format!("other-{index}"), &ExportedService::default());
        assert_eq!(call.offer(service).await.error, None);
    }
    assert_eq!(known().await, 10_000);
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn sixty_four_addresses_are_kept_and_one_more_is_refused() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    let mut call = connected(&home, &mut acceptor).await;
    let told = |count: usize| {
        let addresses = (0..count).map(|index| format!("127.0.0.1:{}", index + 1)).collect();
        upsert("a", ADDRESSES, "server-addrs", &PeeringServerAddresses { addresses })
    };
    let kept = async || home.view("peer").await.unwrap().peering.dialed().unwrap().server_addresses.len();
    assert_eq!(call.offer(told(64)).await.error, None);
    assert_eq!(kept().await, 64);
    for (count, expected) in [
        (65, "expected at most 64 addresses, got 65"),
        (10_000, "expected at most 64 addresses, got 10000"),
        (40_001, "expected at most 40000 entries, got more"),
    ] {
        let (code, text) = refusal(call.offer(told(count)).await);
        assert_eq!(code, 3);
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(kept().await, 64);
    }
}

#[tokio::test]
async fn names_too_long_to_be_repeated_end_the_stream_with_a_short_text() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    let call = connected(&home, &mut acceptor).await;
    let giant = Response { nonce: "\u{202e}".repeat(1 << 20), ..list(1) };
    call.say(crate::peerstream::proto::peerstream::replication_message::Payload::Response(giant)).await;
    home.reads("peer", Reported::Failing).await;
    let error = home.last_error("peer").await.unwrap();
    assert_eq!(error, "expected a nonce of at most 256 bytes, got 3145728");
}
