//! Tokens that are spent or superseded, and peerings that new tokens leave alone.

use peering_tests::cluster::{Cluster, peer, peer_with};
use peering_tests::hand::HandDialer;
use peering_tests::link::Link;
use peering_tests::token;
use serde_json::json;
use tonic::Code;

/// What everyone is told whose token is not accepted.
const NEW_TOKEN_NEEDED: &str = "a new peering token must be generated: invalid peering establishment secret";

#[tokio::test]
async fn api_case_38_a_token_that_was_used_is_refused_to_everyone() {
    let acceptor = Cluster::start("dc1").await;
    let (dialer, third) = (Cluster::start("dc2").await, Cluster::start("dc3").await);
    let token = acceptor.generate("dc2").await;
    peer_with(&acceptor, &dialer, &token).await;
    for (cluster, name) in [(&dialer, "dc1"), (&dialer, "other"), (&third, "dc1")] {
        cluster.establish(name, &token).await.refuses(403, NEW_TOKEN_NEEDED);
    }
    assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));
    // What is left of the two attempts under new names never gets further.
    assert_eq!((dialer.state("other").await, third.state("dc1").await), ("PENDING".into(), "PENDING".into()));
}

#[tokio::test]
async fn api_case_39_of_two_tokens_for_one_name_only_the_newer_one_works() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let (first, second) = (acceptor.generate("dc2").await, acceptor.generate("dc2").await);
    dialer.establish("dc1", &first).await.refuses(403, NEW_TOKEN_NEEDED);
    peer_with(&acceptor, &dialer, &second).await;
    dialer.establish("dc1", &first).await.refuses(403, NEW_TOKEN_NEEDED);
}

#[tokio::test]
async fn api_case_40_a_new_token_that_nobody_uses_leaves_an_active_peering_alone() {
    let (acceptor, mut dialer) = (Cluster::start("dc1").await, Cluster::start_durable("dc2").await);
    peer(&acceptor, &dialer).await;
    let before = dialer.read("dc1").await;
    acceptor.generate("dc2").await;
    assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));
    dialer.restart().await;
    let after = dialer.reaches("dc1", "ACTIVE").await;
    acceptor.reaches("dc2", "ACTIVE").await;
    assert_eq!((&after["ID"], &after["PeerID"]), (&before["ID"], &before["PeerID"]));
}

#[tokio::test]
async fn api_case_41_establishing_again_leaves_the_stream_alone_until_it_reconnects() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let link = Link::to(acceptor.peer_address()).await;
    let first = acceptor.generate_over("dc2", link.address()).await;
    peer_with(&acceptor, &dialer, &first).await;
    assert_eq!(link.seen(), 2, "one exchange and one stream");
    let before = dialer.read("dc1").await;

    // What the acceptor said over its stream is newer than what a token says that may have been made long ago.
    let second = acceptor.generate_over("dc2", link.address()).await;
    let second = token::changed(&second, |claims| claims["ServerAddresses"] = json!(["203.0.113.7:8503"]));
    assert_eq!(dialer.establish("dc1", &second).await.accepts(), json!({}));
    assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));
    assert_eq!(link.seen(), 3, "one more exchange and no other stream");
    assert_eq!(dialer.read("dc1").await["PeerServerAddresses"], before["PeerServerAddresses"]);

    link.cut();
    link.saw(4).await;
    let after = dialer.reaches("dc1", "ACTIVE").await;
    acceptor.reaches("dc2", "ACTIVE").await;
    for key in ["ID", "PeerID", "CreateIndex"] {
        assert_eq!(after[key], before[key]);
    }
}

#[tokio::test]
async fn api_case_41_after_the_new_stream_secret_was_used_the_old_one_is_refused() {
    let acceptor = Cluster::start("dc1").await;
    let dialer = HandDialer::with(&acceptor.generate("dc2").await).await;
    let old_secret = dialer.exchange().await.unwrap();
    let old_stream = dialer.open(&old_secret).await.unwrap();
    acceptor.reaches("dc2", "ACTIVE").await;

    let again = HandDialer::with(&acceptor.generate("dc2").await).await;
    let new_secret = again.exchange().await.unwrap();
    assert_ne!(new_secret, old_secret);
    assert_eq!(acceptor.state("dc2").await, "ACTIVE");
    // Until the new one is used, the old one is good for a reconnect too.
    let reconnected = dialer.open(&old_secret).await.unwrap();
    replaced(old_stream.end().await, &acceptor).await;

    let new_stream = again.open(&new_secret).await.unwrap();
    replaced(reconnected.end().await, &acceptor).await;
    let refused = dialer.open(&old_secret).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "invalid peering stream secret"));
    assert_eq!(acceptor.state("dc2").await, "ACTIVE", "a refusal does not touch the stream that runs");
    drop(new_stream);
}

/// Checks how the older of two streams ended.
async fn replaced(end: Result<(), tonic::Status>, acceptor: &Cluster) {
    let end = end.unwrap_err();
    let id = acceptor.read("dc2").await["ID"].clone();
    let text = format!("failed to register stream: there is an active stream for the given PeerID {id}");
    assert_eq!((end.code(), end.message()), (Code::Unknown, text.as_str()));
}

#[tokio::test]
async fn a_token_refused_on_an_active_peering_leaves_it_as_it_was() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let link = Link::to(acceptor.peer_address()).await;
    let first = acceptor.generate_over("dc2", link.address()).await;
    peer_with(&acceptor, &dialer, &first).await;
    let before = dialer.read("dc1").await;
    let other = Cluster::start("dc3").await;
    let superseded = other.generate("dc2").await;
    other.generate("dc2").await;
    dialer.establish("dc1", &superseded).await.refuses(403, NEW_TOKEN_NEEDED);
    let after = dialer.read("dc1").await;
    for key in ["State", "PeerID", "PeerServerName", "PeerServerAddresses", "PeerCAPems"] {
        assert_eq!(after[key], before[key]);
    }
    link.cut();
    link.saw(3).await;
    dialer.reaches("dc1", "ACTIVE").await;
}
