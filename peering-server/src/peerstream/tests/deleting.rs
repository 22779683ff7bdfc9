//! Deletions, told by either side and by both at once.

use std::time::Duration;

use peering_core::peering::state::Reported;
use tonic::Code;

use super::clock::skip;
use super::foreign_acceptor::ForeignAcceptor;
use super::foreign_dialer::ForeignDialer;
use super::home::Home;
use crate::peerstream::proto::peerstream::replication_message::{Payload, Terminated};

async fn pair() -> (Home, Home) {
    let (left, right) = (Home::start("dc1").await, Home::start("dc2").await);
    right.establish("left", &left.token_text("right").await).await.unwrap();
    left.reads("right", Reported::Active).await;
    right.reads("left", Reported::Active).await;
    (left, right)
}

#[tokio::test]
async fn a_deletion_by_the_acceptor_ends_the_peering_at_the_dialer() {
    let (left, right) = pair().await;
    left.delete("right").await;
    right.reads("left", Reported::Terminated).await;
    left.is_gone("right").await;
}

#[tokio::test]
async fn a_deletion_by_the_dialer_ends_the_peering_at_the_acceptor() {
    let (left, right) = pair().await;
    right.delete("left").await;
    left.reads("right", Reported::Terminated).await;
    right.is_gone("left").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_on_both_sides_at_once_end_with_both_gone() {
    let (left, right) = (Home::start("dc1").await, Home::start("dc2").await);
    for round in 0..10 {
        right.establish("left", &left.token_text("right").await).await.unwrap();
        left.reads("right", Reported::Active).await;
        tokio::join!(left.delete("right"), right.delete("left"));
        left.is_gone("right").await;
        right.is_gone("left").await;
        assert_eq!(left.state("right").await, None, "round {round}");
    }
}

#[tokio::test]
async fn a_pair_can_peer_again_after_each_end() {
    let (left, right) = pair().await;
    left.delete("right").await;
    right.reads("left", Reported::Terminated).await;
    left.is_gone("right").await;
    right.establish("left", &left.token_text("right").await).await.unwrap();
    left.reads("right", Reported::Active).await;
    right.delete("left").await;
    left.reads("right", Reported::Terminated).await;
    right.is_gone("left").await;
    right.establish("left", &left.token_text("right").await).await.unwrap();
    left.reads("right", Reported::Active).await;
    right.reads("left", Reported::Active).await;
}

#[tokio::test]
async fn a_dialer_tells_then_half_closes_then_waits_for_the_end() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    home.delete("peer").await;
    while call.next().await.unwrap() != Some(Payload::Terminated(Terminated {})) {}
    assert_eq!(call.next().await.unwrap(), None, "half-closed right after it");
    assert_eq!(home.state("peer").await, Some(Reported::Deleting));
    call.end(None).await;
    home.is_gone("peer").await;
    assert!(!acceptor.has_call());
}

#[tokio::test]
async fn an_acceptor_tells_then_reads_on_until_the_dialer_hangs_up() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    home.delete("peer").await;
    while stream.next().await.unwrap() != Some(Payload::Terminated(Terminated {})) {}
    // What crosses it means nothing any more, not even a mistake.
    stream.subscribe("", "nonsense").await;
    stream.terminate().await;
    stream.half_close();
    assert_eq!(stream.ended().await, (vec![], (Code::Ok.into(), String::new())));
    home.is_gone("peer").await;
}

#[tokio::test]
async fn a_deletion_waits_for_a_peer_that_does_not_hang_up_only_for_a_while() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    home.delete("peer").await;
    while stream.next().await.unwrap() != Some(Payload::Terminated(Terminated {})) {}
    assert_eq!(home.state("peer").await, Some(Reported::Deleting));
    skip(Duration::from_secs(5)).await;
    home.is_gone("peer").await;
}

#[tokio::test]
async fn a_deletion_without_a_stream_tells_nobody_and_is_quick() {
    let home = Home::start("dc1").await;
    let first = home.token("peer").await;
    home.delete("peer").await;
    home.is_gone("peer").await;
    let again = home.token("peer").await;
    assert_eq!(home.state("peer").await, Some(Reported::Pending));
    let id = home.view("peer").await.unwrap().peering.local_id.to_string();
    assert_eq!(id, again.peer_id);
    assert_ne!(id, first.peer_id);
}
