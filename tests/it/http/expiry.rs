//! Tokens with an end: `TTL` in the request, `ExpiresAt` in the token.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use peering_server::clock::{Clock, ManualClock};
use peering_server::config::TokenPolicy;
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
async fn every_form_of_a_go_duration_is_a_life() {
    let clock = clock();
    let cluster = Cluster::start_at("dc1", &clock).await;
    for (ttl, seconds) in [
        (".5h", 1_800),
        ("1.s", 1),
        ("+1h1m1s", 3_661),
        ("0.333333333333333333333333333333h", 1_200),
        ("1000000\u{3bc}s", 1),
        ("1001ms", 2),
    ] {
        let token = cluster.generate_with(json!({ "PeerName": "c2", "TTL": ttl })).await;
        let end = clock.now() + Duration::from_secs(seconds);
        assert_eq!(token::claim(&token, "ExpiresAt"), end.to_string(), "{ttl}");
    }
}

#[tokio::test]
async fn settings_give_tokens_an_end_and_bound_it() {
    let limits = |default: Option<u64>| TokenPolicy {
        ttl_default: default.map(|hours| Duration::from_secs(hours * 3_600)),
        ttl_max: Some(Duration::from_secs(24 * 3_600)),
        ..TokenPolicy::default()
    };
    let clock = clock();
    for (default, hours) in [(None, 24), (Some(1), 1)] {
        let cluster = Cluster::start_at_changed("dc1", &clock, |config| config.tokens = limits(default)).await;
        let end = clock.now() + Duration::from_secs(hours * 3_600);
        assert_eq!(token::claim(&cluster.generate("c2").await, "ExpiresAt"), end.to_string());
        let end = clock.now() + Duration::from_secs(24 * 3_600);
        let longest = cluster.generate_with(json!({ "PeerName": "c2", "TTL": "24h" })).await;
        assert_eq!(token::claim(&longest, "ExpiresAt"), end.to_string());
        cluster
            .ask_token(json!({ "PeerName": "c3", "TTL": "24h0m0.5s" }))
            .await
            .refuses(400, "TTL: 24h0m0.5s is longer than 24h0m0s, the most that this server allows (-token-ttl-max)");
        assert_eq!(cluster.http().get("/v1/peering/c3").await.status, 404, "nothing was made");
    }
}

#[tokio::test]
async fn a_life_that_is_none_is_refused_and_makes_nothing() {
    let cluster = Cluster::start("dc1").await;
    let too_short = |got: &str| format!("expected at least 1s, got {got}");
    let digits = "3".repeat(30);
    for (ttl, problem) in [
        ("soon", "time: invalid duration \"soon\"".to_owned()),
        ("1", "time: missing unit in duration \"1\"".to_owned()),
        ("1y", "time: unknown unit \"y\" in duration \"1y\"".to_owned()),
        ("9e9h", "time: unknown unit \"e\" in duration \"9e9h\"".to_owned()),
        ("2562048h", "time: invalid duration \"2562048h\"".to_owned()),
        ("0s", too_short("0s")),
        ("999ms", too_short("999ms")),
        ("1\u{b5}s", too_short("1\u{b5}s")),
        (&format!("0.{digits}s"), too_short("333.333333ms")),
        ("-1s", too_short("-1s")),
        ("-1h", too_short("-1h0m0s")),
    ] {
        let answer = cluster.ask_token(json!({ "PeerName": "c2", "TTL": ttl })).await;
        answer.refuses(400, &format!("TTL: {problem}"));
    }
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}
