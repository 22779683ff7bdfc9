//! Tokens with an end: `TTL` in the request, `ExpiresAt` in the token.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use peering_server::clock::{Clock, ManualClock};
use peering_tests::cluster::{Cluster, peer_with};
use peering_tests::token;
use serde_json::{Value, json};

/// A clock that stands at a whole second, near the time at which other clusters of the test are.
fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_second(Timestamp::now().as_second()).unwrap()))
}

/// A request for a token that lives an hour.
fn for_an_hour() -> Value {
    json!({ "PeerName": "dc2", "TTL": "1h" })
}

#[tokio::test]
async fn a_token_works_until_the_second_of_its_end_and_then_is_refused_like_a_spent_one() {
    let clock = clock();
    let (acceptor, dialer) = (Cluster::start_at("dc1", &clock).await, Cluster::start("dc2").await);
    let token = acceptor.generate_with(for_an_hour()).await;
    let end = clock.now() + Duration::from_secs(3_600);
    assert_eq!(token::claim(&token, "ExpiresAt"), end.to_string());

    clock.set(end);
    dialer
        .establish("dc1", &token)
        .await
        .refuses(403, "a new peering token must be generated: invalid peering establishment secret");
    assert_eq!(acceptor.state("dc2").await, "PENDING");
    clock.set(end - Duration::from_secs(1));
    peer_with(&acceptor, &dialer, &token).await;
    // The end of a token is not the end of the peering that it made.
    clock.set(end + Duration::from_secs(3_600));
    assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));
}

#[tokio::test]
async fn a_dialer_that_reads_of_the_end_says_so_itself_with_the_same_status() {
    let clock = clock();
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start_at("dc2", &clock).await);
    let token = acceptor.generate_with(for_an_hour()).await;
    let end: Timestamp = token::claim(&token, "ExpiresAt").parse().unwrap();
    clock.set(end);
    dialer
        .establish("dc1", &token)
        .await
        .refuses(403, &format!("peering token expired at {end}; generate a new token"));
    assert_eq!(dialer.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn a_token_has_no_end_unless_one_is_asked_for() {
    let cluster = Cluster::start("dc1").await;
    for request in
        [json!({ "PeerName": "c2" }), json!({ "PeerName": "c2", "TTL": null }), json!({ "PeerName": "c2", "TTL": "" })]
    {
        assert_eq!(token::claims(&cluster.generate_with(request).await).get("ExpiresAt"), None);
    }
}

#[tokio::test]
async fn a_life_that_is_none_is_refused_and_makes_nothing() {
    let cluster = Cluster::start("dc1").await;
    for (ttl, status) in [("soon", 400), ("1", 400), ("0s", 500), ("999ms", 500), ("-1h", 500)] {
        let answer = cluster.ask_token(json!({ "PeerName": "c2", "TTL": ttl })).await;
        assert_eq!(answer.status, status, "{ttl}: {}", answer.body);
        assert!(answer.body.starts_with("TTL: "), "{}", answer.body);
    }
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}
