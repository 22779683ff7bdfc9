//! An establishment secret is good for one redeemer: a dialer of ours that asks again gets the same answer until the
//! stream secret is used, and nobody else gets any.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use peering_server::clock::ManualClock;
use peering_tests::cluster::Cluster;
use peering_tests::hand::HandDialer;
use peering_tests::link::Link;
use serde_json::json;
use tonic::{Code, Status};

/// What a dialer of ours might send, and what another one might.
const OURS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const ANOTHER: &str = "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[track_caller]
fn is_refused(answer: Result<String, Status>) {
    let refused = answer.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "invalid peering establishment secret"));
}

/// An acceptor and a dialer with a token of it.
async fn acceptor_and_dialer() -> (Cluster, HandDialer) {
    let acceptor = Cluster::start("dc1").await;
    let dialer = HandDialer::with(&acceptor.generate("dc2").await).await;
    (acceptor, dialer)
}

#[tokio::test]
async fn the_same_dialer_gets_the_same_stream_secret_until_it_is_used() {
    let (acceptor, dialer) = acceptor_and_dialer().await;
    let secret = dialer.exchange_as(Some(OURS)).await.unwrap();
    assert_eq!(dialer.exchange_as(Some(OURS)).await.unwrap(), secret);
    assert_eq!(dialer.exchange_as(Some(&OURS.to_uppercase())).await.unwrap(), secret);
    is_refused(dialer.exchange_as(Some(ANOTHER)).await);
    is_refused(dialer.exchange().await);
    // Refusals took nothing from the redeemer.
    assert_eq!(dialer.exchange_as(Some(OURS)).await.unwrap(), secret);
    let stream = dialer.open(&secret).await.unwrap();
    is_refused(dialer.exchange_as(Some(OURS)).await);
    acceptor.reaches("dc2", "ACTIVE").await;
    drop(stream);
}

#[tokio::test]
async fn a_dialer_that_cannot_ask_again_gets_one_answer_as_from_consul() {
    let (_acceptor, dialer) = acceptor_and_dialer().await;
    dialer.exchange().await.unwrap();
    is_refused(dialer.exchange().await);
    is_refused(dialer.exchange_as(Some(OURS)).await);
}

#[tokio::test]
async fn a_redemption_of_another_form_is_refused_and_spends_nothing() {
    let (_acceptor, dialer) = acceptor_and_dialer().await;
    for (bad, bytes) in [("", 0), (&OURS[1..], 63), (&format!("{OURS}0"), 65), (&OURS.replace('a', "g"), 64)] {
        let refused = dialer.exchange_as(Some(bad)).await.unwrap_err();
        let text =
            format!("metadata peering-redemption: expected 64 hexadecimal digits, got {bytes} bytes of another form");
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text.as_str()));
    }
    dialer.exchange_as(Some(OURS)).await.unwrap();
}

#[tokio::test]
async fn a_dialer_may_ask_again_for_ten_minutes() {
    let clock = Arc::new(ManualClock::new(Timestamp::now()));
    let acceptor = Cluster::start_at("dc1", &clock).await;
    let dialer = HandDialer::with(&acceptor.generate("dc2").await).await;
    let secret = dialer.exchange_as(Some(OURS)).await.unwrap();
    clock.advance(Duration::from_secs(599));
    assert_eq!(dialer.exchange_as(Some(OURS)).await.unwrap(), secret);
    clock.advance(Duration::from_secs(1));
    is_refused(dialer.exchange_as(Some(OURS)).await);
    // Too late to ask is not too late to use what was answered in time.
    dialer.open(&secret).await.unwrap();
}

#[tokio::test]
async fn a_newer_exchange_ends_the_right_to_ask_again() {
    let (acceptor, dialer) = acceptor_and_dialer().await;
    let secret = dialer.exchange_as(Some(OURS)).await.unwrap();
    let newer = HandDialer::with(&acceptor.generate("dc2").await).await;
    // A token alone takes nothing away; its use does.
    assert_eq!(dialer.exchange_as(Some(OURS)).await.unwrap(), secret);
    let newer_secret = newer.exchange_as(Some(OURS)).await.unwrap();
    assert_ne!(newer_secret, secret, "another establishment secret, another stream secret");
    is_refused(dialer.exchange_as(Some(OURS)).await);
    let refused = dialer.open(&secret).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "invalid peering stream secret"));
    newer.open(&newer_secret).await.unwrap();
}

#[tokio::test]
async fn a_cluster_may_repeat_its_establish_until_the_stream_is_open_and_no_other_cluster_may() {
    let acceptor = Cluster::start("dc1").await;
    let (dialer, thief) = (Cluster::start("dc2").await, Cluster::start("dc3").await);
    let link = Link::to(acceptor.peer_address()).await;
    let token = acceptor.generate_over("dc2", link.address()).await;
    // The first connection is the exchange, the second the stream that is held back.
    link.hold(1);
    assert_eq!(dialer.establish("dc1", &token).await.accepts(), json!({}));
    link.saw(2).await;
    assert_eq!(dialer.establish("dc1", &token).await.accepts(), json!({}));
    let text = "a new peering token must be generated: invalid peering establishment secret";
    thief.establish("dc1", &token).await.refuses(403, text);
    link.release();
    dialer.reaches("dc1", "ACTIVE").await;
    acceptor.reaches("dc2", "ACTIVE").await;
    dialer.establish("dc1", &token).await.refuses(403, text);
}
