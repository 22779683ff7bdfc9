//! Terminated at every moment, told by either side: what is stored, what is shown, and how the call ends.

use std::time::Duration;

use peering_core::peering::state::{Reported, Stored};
use tonic::{Code, Status};

use super::clock::skip;
use super::foreign_acceptor::{DOMAIN, ForeignAcceptor, Identity};
use super::foreign_dialer::{ALL, ForeignDialer, ForeignStream, TRUST_BUNDLE, upsert};
use super::home::Home;
use crate::peerstream::proto::peering::PeeringTrustBundle;
use crate::peerstream::proto::peerstream::replication_message::{Heartbeat, Payload, Request, Response};

async fn redeemed(home: &Home) -> (String, String, ForeignDialer) {
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    (token.peer_id, secret, dialer)
}

async fn stored(home: &Home) -> Stored {
    home.view("peer").await.unwrap().peering.state
}

fn bundle() -> Response {
    let trust_domain = DOMAIN.to_owned();
    let bundle = PeeringTrustBundle { trust_domain, root_pems: vec![Identity::new().ca_pem], ..Default::default() };
    upsert("1", TRUST_BUNDLE, "roots", &bundle)
}

/// Reads the rest and expects a call that ended well.
async fn ends_well(stream: &mut ForeignStream) {
    assert_eq!(stream.ended().await.1, (Code::Ok.into(), String::new()));
}

#[tokio::test]
async fn a_dialer_that_has_not_opened_ends_nothing() {
    let home = Home::start("dc1").await;
    let (peer_id, secret, dialer) = redeemed(&home).await;
    let stream = dialer.stream();
    stream.terminate().await;
    let text = "first message when initiating a peering must be: Open".to_owned();
    assert_eq!(stream.refused().await, (3, text));
    assert_eq!(stored(&home).await, Stored::Pending);
    let _stream = dialer.dialed(&peer_id, &secret).await;
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn a_dialer_with_a_wrong_secret_ends_nothing() {
    let home = Home::start("dc1").await;
    let (peer_id, _, dialer) = redeemed(&home).await;
    let stream = dialer.open(&peer_id, "wrong").await;
    for _ in 0..2 {
        stream.terminate().await;
    }
    assert_eq!(stream.refused().await.0, 7);
    assert_eq!(home.state("peer").await, Some(Reported::Pending));
}

#[tokio::test]
async fn a_dialer_that_ends_the_peering_in_the_same_breath_as_its_open_is_believed() {
    let home = Home::start("dc1").await;
    let (peer_id, secret, dialer) = redeemed(&home).await;
    let mut stream = dialer.open(&peer_id, &secret).await;
    stream.terminate().await;
    home.reads("peer", Reported::Terminated).await;
    assert_eq!(stored(&home).await, Stored::Terminated);
    stream.half_close();
    ends_well(&mut stream).await;
    assert_eq!(home.state("peer").await, Some(Reported::Terminated));
}

#[tokio::test]
async fn after_a_dialer_ended_the_peering_nothing_that_it_says_counts() {
    let home = Home::start("dc1").await;
    let (peer_id, secret, dialer) = redeemed(&home).await;
    let mut stream = dialer.dialed(&peer_id, &secret).await;
    stream.terminate().await;
    home.reads("peer", Reported::Terminated).await;
    let ended = home.view("peer").await.unwrap();
    stream.terminate().await;
    stream.say(Some(Payload::Response(bundle()))).await;
    stream.subscribe("", "a.b/Unknown").await;
    stream.open(&peer_id, &secret, "elsewhere").await;
    stream.beat().await;
    stream.half_close();
    ends_well(&mut stream).await;
    let after = home.view("peer").await.unwrap();
    assert_eq!((after.peering, after.modify_index), (ended.peering, ended.modify_index));
    assert_eq!(after.state, Reported::Terminated);
    assert_eq!(dialer.dial(&peer_id, &secret).await.refused().await.0, 10, "nor does it come back");
}

#[tokio::test]
async fn a_dialer_whose_last_stream_failed_ends_the_peering_with_its_next() {
    let home = Home::start("dc1").await;
    let (peer_id, secret, dialer) = redeemed(&home).await;
    drop(dialer.dialed(&peer_id, &secret).await);
    home.reads("peer", Reported::Failing).await;
    let mut stream = dialer.open(&peer_id, &secret).await;
    stream.terminate().await;
    home.reads("peer", Reported::Terminated).await;
    assert_eq!(stored(&home).await, Stored::Terminated);
    stream.half_close();
    ends_well(&mut stream).await;
    assert_eq!(home.state("peer").await, Some(Reported::Terminated), "and no failure");
}

#[tokio::test]
async fn an_acceptor_whose_last_stream_failed_ends_the_peering_with_its_next() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    call.end(Some(Status::unavailable("gone"))).await;
    home.reads("peer", Reported::Failing).await;
    skip(Duration::from_millis(2_200)).await;
    let mut call = acceptor.call().await;
    call.opened().await;
    assert_eq!(home.state("peer").await, Some(Reported::Failing), "an Open alone heals nothing");
    call.accept();
    call.terminate().await;
    call.half_closed().await.unwrap();
    assert_eq!(stored(&home).await, Stored::Terminated);
    call.end(None).await;
    assert_eq!(home.state("peer").await, Some(Reported::Terminated));
}

#[tokio::test]
async fn a_dialer_cannot_end_a_peering_that_is_being_deleted() {
    let home = Home::start("dc1").await;
    let (peer_id, secret, dialer) = redeemed(&home).await;
    let mut stream = dialer.dialed(&peer_id, &secret).await;
    home.delete("peer").await;
    stream.terminate().await;
    stream.terminate().await;
    assert_eq!(stored(&home).await, Stored::Deleting);
    stream.half_close();
    ends_well(&mut stream).await;
    home.is_gone("peer").await;
}

#[tokio::test]
async fn an_acceptor_that_ends_the_peering_with_its_first_frame_is_believed() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await;
    call.opened().await;
    assert_eq!(home.state("peer").await, Some(Reported::Establishing));
    call.accept();
    call.terminate().await;
    call.half_closed().await.unwrap();
    assert_eq!(stored(&home).await, Stored::Terminated);
    call.end(None).await;
    assert_eq!(home.state("peer").await, Some(Reported::Terminated));
}

#[tokio::test]
async fn after_an_acceptor_ended_the_peering_nothing_that_it_says_counts() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    call.terminate().await;
    call.half_closed().await.unwrap();
    let ended = home.view("peer").await.unwrap();
    assert_eq!(ended.state, Reported::Terminated);
    call.terminate().await;
    call.say(Payload::Response(bundle())).await;
    call.say(Payload::Heartbeat(Heartbeat {})).await;
    let resource_url = "a.b/Unknown".to_owned();
    call.say(Payload::Request(Request { resource_url, ..Request::default() })).await;
    call.end(Some(Status::internal("and a lie"))).await;
    for _ in 0..3 {
        skip(Duration::from_secs(100)).await;
    }
    let after = home.view("peer").await.unwrap();
    assert_eq!((after.peering, after.modify_index), (ended.peering, ended.modify_index));
    assert_eq!(after.state, Reported::Terminated);
    assert!(!acceptor.has_call(), "nobody dials again");
}

#[tokio::test]
async fn an_acceptor_cannot_end_a_peering_that_is_being_deleted() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    home.delete("peer").await;
    call.terminate().await;
    call.half_closed().await.unwrap();
    call.terminate().await;
    assert_eq!(stored(&home).await, Stored::Deleting);
    call.end(None).await;
    home.is_gone("peer").await;
}

#[tokio::test]
async fn frames_in_any_order_change_nothing_that_they_should_not() {
    let home = Home::start("dc1").await;
    let (peer_id, secret, dialer) = redeemed(&home).await;
    // A resource, an acknowledgement of nothing and a heartbeat come before the subscriptions, and those twice.
    let mut stream = dialer.open(&peer_id, &secret).await;
    assert_eq!(stream.offer(bundle()).await.error, None);
    stream.beat().await;
    for url in ALL.into_iter().rev().chain(ALL) {
        stream.subscribe("", url).await;
    }
    stream.acknowledge(TRUST_BUNDLE, "ffffffff").await;
    stream.acknowledge(TRUST_BUNDLE, "ffffffff").await;
    assert_eq!(stream.offer(Response { nonce: "2".to_owned(), ..bundle() }).await.error, None);
    assert_eq!(home.state("peer").await, Some(Reported::Active));
    // An acknowledgement of what was never asked for reads as a subscription, and one of those has no nonce.
    let mut stream = dialer.open(&peer_id, &secret).await;
    stream.acknowledge(TRUST_BUNDLE, "ffffffff").await;
    assert_eq!(stream.ended().await.1.0, 3);
    home.reads("peer", Reported::Failing).await;
}
