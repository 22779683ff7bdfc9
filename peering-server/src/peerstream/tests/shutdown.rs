//! A server that stops: its streams end with a reason, and no peer can keep it.

use std::time::{Duration, Instant};

use peering_core::peering::state::Reported;

use super::clock::{soon, until};
use super::foreign_acceptor::{ForeignAcceptor, Manners};
use super::foreign_dialer::{ForeignDialer, SERVICE_LIST, upsert};
use super::home::Home;
use crate::bounds::DRAIN_MAX;
use crate::peerstream::proto::peerstream::ExportedServiceList;
use crate::peerstream::proto::peerstream::replication_message::Payload;

/// Longest shutdown with peers that are well.
const QUICK: Duration = Duration::from_secs(5);

#[tokio::test]
async fn streams_that_we_accepted_end_with_unavailable_opened_or_not() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut running = dialer.dialed(&token.peer_id, &secret).await;
    let silent = dialer.stream();
    dialer.exchange("x", "x", None).await.unwrap_err();
    let begun = Instant::now();
    let stopping = tokio::spawn(home.server.shutdown());
    let expected = (14, "the server is shutting down".to_owned());
    assert_eq!(running.ended().await.1, expected);
    assert_eq!(silent.refused().await, expected);
    drop(dialer);
    stopping.await.unwrap();
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_pair_of_ours_stops_quickly_and_the_other_side_knows() {
    let (left, right) = (Home::start("dc1").await, Home::start("dc2").await);
    right.establish("left", &left.token_text("right").await).await.unwrap();
    left.reads("right", Reported::Active).await;
    right.reads("left", Reported::Active).await;
    let begun = Instant::now();
    left.server.shutdown().await;
    right.reads("left", Reported::Failing).await;
    let error = right.last_error("left").await;
    assert_eq!(error.as_deref(), Some("the server is shutting down"));
    right.server.shutdown().await;
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_dialer_that_does_not_hang_up_after_a_deletion_keeps_nobody() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let stream = dialer.dialed(&token.peer_id, &secret).await;
    home.delete("peer").await;
    let begun = Instant::now();
    let stopping = tokio::spawn(home.server.shutdown());
    until("it has stopped", async || stopping.is_finished()).await;
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
    drop(stream);
}

#[tokio::test]
async fn an_acceptor_that_does_not_read_keeps_nobody() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start_with(Manners { window: Some(4_000), ..Manners::default() }).await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    // Each is acknowledged, and nobody reads the acknowledgements.
    for index in 0..200 {
        let list = ExportedServiceList { services: vec![format!("s{index}")] };
        call.say(Payload::Response(upsert(&format!("{index:08x}"), SERVICE_LIST, "exported-service-list", &list)))
            .await;
        if index == 100 {
            until("it reads no more", async || home.imported().await.is_some()).await;
        }
    }
    let begun = Instant::now();
    soon("the shutdown", home.server.shutdown()).await;
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
    drop(call);
}

#[tokio::test]
async fn a_dialer_that_does_not_read_keeps_nobody_for_long() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect_by(&token, |endpoint| endpoint.initial_stream_window_size(4_000)).await;
    let secret = dialer.redeem(&token).await;
    let stream = dialer.dialed(&token.peer_id, &secret).await;
    for index in 0..200 {
        let list = ExportedServiceList { services: vec![format!("s{index}")] };
        let nonce = format!("{index:08x}");
        stream.say(Some(Payload::Response(upsert(&nonce, SERVICE_LIST, "exported-service-list", &list)))).await;
    }
    until("it reads no more", async || home.imported().await.is_some()).await;
    // From here on time stands still but for what the shutdown waits for.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    home.server.shutdown().await;
    assert!(begun.elapsed() <= DRAIN_MAX * 2, "{:?}", begun.elapsed());
    drop(stream);
}

impl Home {
    async fn imported(&self) -> Option<String> {
        self.view("peer").await?.stream?.imported_services.first().cloned()
    }
}
