//! What the log tells of requests.

use std::time::Duration;

use peering_tests::eventually::eventually;
use peering_tests::http::Http;
use peering_tests::process::Signal;
use peering_tests::site::Site;
use reqwest::Method;

use crate::under_test::program;

/// Something that opens a door, and must be in no log.
const SECRET: &str = "5ec4e700-0000-4000-8000-000000000001";

#[tokio::test]
async fn each_request_is_told_once_and_each_refusal_with_its_reason_and_no_token_is_shown() {
    let mut site = Site::start(&program(), "dc1").await;
    let http = Http::new(site.http().parse().unwrap());
    let from = "from=\"127.0.0.1:";
    let _ = http.get(&format!("/v1/peerings?stale=&token={SECRET}&pretty")).await.accepts();
    let bearer = format!("Bearer {SECRET}");
    let headers = [("x-consul-token", SECRET), ("authorization", &bearer)];
    http.send(Method::GET, "/v1/peering/nope", &headers, "").await.refuses(404, "Peering not found for \"nope\"");
    http.ask(Method::PUT, "/v1/peerings").await.refuses(405, "method PUT not allowed");
    http.get("/v1/peerings?%zz").await.refuses(500, "");
    let line = async |parts: &[&str]| {
        eventually(Duration::from_secs(5), async || {
            let log = site.log();
            let found = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
            found.map(str::to_owned).ok_or_else(|| format!("no line with {parts:?}: {log}"))
        })
        .await
    };
    line(&[
        "DEBUG",
        "Request finished",
        "method=\"GET\"",
        "url=\"/v1/peerings?stale=&token=<hidden>&pretty\"",
        from,
        "latency=",
    ])
    .await;
    line(&["ERROR", "Request error", "url=\"/v1/peering/nope\"", from, "error=\"Peering not found for \\\"nope\\\"\""])
        .await;
    line(&["DEBUG", "Request finished", "url=\"/v1/peering/nope\""]).await;
    line(&["ERROR", "Request error", "method=\"PUT\"", "error=\"method PUT not allowed\""]).await;
    line(&["ERROR", "Request error", "url=\"/v1/peerings?%zz\"", "error=\"Failed to decode query\""]).await;
    site.stop(Signal::TERM).await;
    assert!(!site.log().contains(SECRET), "{}", site.log());
    assert_eq!(site.log().matches("Request error").count(), 3);
}

#[tokio::test]
async fn what_consul_logs_of_a_peering_is_logged_here_under_the_same_names() {
    let program = program();
    let (mut acceptor, mut dialer) = tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"));
    let token = acceptor.generate_token("dc2").await;
    dialer.establish("dc1", &token).await.success();
    dialer.reaches("dc1", "ACTIVE").await;
    acceptor.reaches("dc2", "ACTIVE").await;
    acceptor.stop(Signal::TERM).await;
    dialer.reaches("dc1", "FAILING").await;
    acceptor.restart().await;
    dialer.reaches("dc1", "ACTIVE").await;
    acceptor.reaches("dc2", "ACTIVE").await;
    acceptor.ask(&["delete", "-name", "dc2"]).await.success();
    dialer.reaches("dc1", "TERMINATED").await;
    for site in [&mut acceptor, &mut dialer] {
        site.stop(Signal::TERM).await;
    }
    let terminated =
        "peering was deleted by our peer: marking peering as terminated and cleaning up imported resources";
    for (site, level, name, text) in [
        (&acceptor, "INFO", "peerstream.stream-resources", "accepted initial replication request from peer"),
        (&acceptor, "INFO", "peerstream.stream-resources", "subscribing to resource type"),
        (&acceptor, "INFO", "peerstream.stream-resources", "ending stream"),
        (&dialer, "INFO", "peerstream.stream-resources", "subscribing to resource type"),
        (&dialer, "ERROR", "peering-syncer", "error managing peering stream"),
        (&dialer, "INFO", "peering-syncer", "closed outbound stream"),
        (&dialer, "INFO", "peering", terminated),
    ] {
        let log = site.log();
        let is_it = |line: &&str| line.contains(&format!(" {level} {name}: {text}"));
        assert!(log.lines().any(|line| is_it(&line)), "no {level} {name}: {text} in {log}");
    }
    // One for each of the two streams and four types, however often the peer asks.
    let subscriptions = acceptor.log().matches("subscribing to resource type").count();
    assert!((4..=8).contains(&subscriptions), "{subscriptions}");
}
