//! The rules of a running stream, seen from a foreign dialer: subscriptions, heartbeats, ends.

use std::time::Duration;

use peering_core::peering::state::Reported;
use peering_core::peerstream::HEARTBEAT_TIMEOUT;
use tonic::Code;

use super::clock::{skip, until};
use super::foreign_dialer::{ForeignDialer, ForeignStream, SERVICES, TRUST_BUNDLE};
use super::home::Home;
use crate::peerstream::proto::peerstream::replication_message::{Heartbeat, Open, Payload, Request};
use crate::peerstream::proto::status::Status as WireStatus;

async fn connected() -> (Home, String, String, ForeignDialer) {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    (home, token.peer_id, secret, dialer)
}

/// Opens a stream that subscribes to nothing and reads what comes with the acceptance.
async fn open(dialer: &ForeignDialer, peer_id: &str, secret: &str) -> ForeignStream {
    let mut stream = dialer.open(peer_id, secret).await;
    while stream.next().await.unwrap() != Some(Payload::Heartbeat(Heartbeat {})) {}
    stream
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_ends_the_stream_with_consuls_text() {
    let (home, peer_id, secret, dialer) = connected().await;
    let request = |change: fn(&mut Request)| {
        let mut request = Request { resource_url: TRUST_BUNDLE.to_owned(), ..Request::default() };
        change(&mut request);
        request
    };
    for (broken, text) in [
        (request(|r| r.resource_url = "a.b/C".to_owned()), "subscription request to unknown resource URL: a.b/C"),
        (
            request(|r| r.response_nonce = "00000001".to_owned()),
            "initial subscription requests for a resource type must not contain a nonce",
        ),
        (
            request(|r| r.error = Some(WireStatus::default())),
            "initial subscription request for a resource type must not contain an error",
        ),
    ] {
        let mut stream = open(&dialer, &peer_id, &secret).await;
        stream.say(Some(Payload::Request(broken))).await;
        let (_, status) = stream.ended().await;
        assert_eq!(status, (3, text.to_owned()));
        home.reads("peer", Reported::Failing).await;
    }
}

#[tokio::test]
async fn what_means_nothing_is_passed_over() {
    let (home, peer_id, secret, dialer) = connected().await;
    let mut stream = open(&dialer, &peer_id, &secret).await;
    stream.say(Some(Payload::Open(Open::default()))).await;
    stream.say(None).await;
    stream.subscribe("another id", TRUST_BUNDLE).await;
    let Some(Payload::Response(first)) = stream.next().await.unwrap() else { panic!("no trust bundle") };
    // Subscribing again counts as an acknowledgement, and a refusal of ours is only logged.
    stream.subscribe("", TRUST_BUNDLE).await;
    let (resource_url, response_nonce) = (TRUST_BUNDLE.to_owned(), first.nonce);
    let error = Some(WireStatus { code: 13, message: "disk full \u{1b}[2J".to_owned() });
    stream.say(Some(Payload::Request(Request { resource_url, response_nonce, error, ..Request::default() }))).await;
    stream.subscribe("", SERVICES).await;
    let Some(Payload::Response(second)) = stream.next().await.unwrap() else { panic!("no service list") };
    assert_eq!(second.nonce, "00000002");
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn a_half_close_without_terminated_is_a_failure_on_both_sides() {
    let (home, peer_id, secret, dialer) = connected().await;
    let mut stream = open(&dialer, &peer_id, &secret).await;
    assert_eq!(home.state("peer").await, Some(Reported::Active));
    stream.half_close();
    assert_eq!(stream.ended().await.1, (2, "stream ended unexpectedly".to_owned()));
    home.reads("peer", Reported::Failing).await;
    assert_eq!(home.last_error("peer").await.as_deref(), Some("stream ended unexpectedly"));
    home.fails_by("peer", "stream-ended").await;
    let _again = open(&dialer, &peer_id, &secret).await;
    assert_eq!(home.state("peer").await, Some(Reported::Active), "the next stream heals it");
}

#[tokio::test]
async fn a_dialer_that_vanishes_is_a_failure() {
    let (home, peer_id, secret, dialer) = connected().await;
    let stream = open(&dialer, &peer_id, &secret).await;
    drop((stream, dialer));
    home.reads("peer", Reported::Failing).await;
}

#[tokio::test]
async fn two_minutes_without_a_heartbeat_end_the_stream_whatever_else_arrives() {
    let (home, peer_id, secret, dialer) = connected().await;
    let mut stream = open(&dialer, &peer_id, &secret).await;
    stream.subscribe("", SERVICES).await;
    while !matches!(stream.next().await.unwrap(), Some(Payload::Response(_))) {}
    skip(HEARTBEAT_TIMEOUT - Duration::from_secs(1)).await;
    stream.acknowledge(SERVICES, "00000001").await;
    assert_eq!(
        stream.next().await.unwrap(),
        Some(Payload::Heartbeat(Heartbeat {})),
        "missed beats are not made up for"
    );
    assert_eq!(home.state("peer").await, Some(Reported::Active));
    skip(Duration::from_secs(2)).await;
    let (frames, status) = stream.ended().await;
    assert_eq!((frames, status), (vec![], (2, "heartbeat timeout".to_owned())));
    home.reads("peer", Reported::Failing).await;
}

#[tokio::test]
async fn heartbeats_keep_a_stream_and_show_in_its_status() {
    let (home, peer_id, secret, dialer) = connected().await;
    let mut stream = open(&dialer, &peer_id, &secret).await;
    let heard = async || home.view("peer").await.unwrap().stream.unwrap().last_heartbeat;
    assert_eq!(heard().await, None);
    let mut before = None;
    for _ in 0..3 {
        stream.beat().await;
        until("the heartbeat is seen", async || heard().await > before).await;
        before = heard().await;
        skip(HEARTBEAT_TIMEOUT - Duration::from_secs(1)).await;
        assert_eq!(stream.next().await.unwrap(), Some(Payload::Heartbeat(Heartbeat {})));
    }
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn a_dialer_that_ends_the_peering_is_believed_and_told_nothing_back() {
    let (home, peer_id, secret, dialer) = connected().await;
    let mut stream = open(&dialer, &peer_id, &secret).await;
    stream.terminate().await;
    home.reads("peer", Reported::Terminated).await;
    stream.half_close();
    assert_eq!(stream.ended().await, (vec![], (Code::Ok.into(), String::new())));
    assert_eq!(home.state("peer").await, Some(Reported::Terminated));
    home.token("peer").await;
    assert_eq!(home.state("peer").await, Some(Reported::Pending), "a new token begins anew");
    let text = "invalid peering stream secret".to_owned();
    assert_eq!(dialer.dial(&peer_id, &secret).await.refused().await, (7, text), "and nothing old counts");
}
