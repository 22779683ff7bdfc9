//! Dials in progress that nobody wants any more.

use std::time::{Duration, Instant};

use peering_core::peering::state::Reported;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::clock::{skip, soon};
use super::foreign_acceptor::{ForeignAcceptor, Manners, Mode};
use super::home::Home;
use crate::bounds::DIAL_MAX;

/// Establishes with an acceptor that says nothing on the connection for the stream.
async fn stalled() -> (Home, ForeignAcceptor, TcpStream) {
    let home = Home::start("dc1").await;
    let manners = Manners { after_exchange: Mode::Stall, ..Manners::default() };
    let mut acceptor = ForeignAcceptor::start_with(manners).await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let socket = acceptor.stalled().await;
    (home, acceptor, socket)
}

/// Expects the dialer to leave a connection on which it waits for an answer, long before it would give up by itself.
async fn left(mut socket: TcpStream) {
    let begun = Instant::now();
    let mut hello = vec![];
    // A reset counts too: the dialer is gone.
    let _ = soon("the dialer to leave", socket.read_to_end(&mut hello)).await;
    assert!(begun.elapsed() < DIAL_MAX / 4, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_deletion_calls_off_a_dial_so_that_no_stream_outlives_the_peering() {
    let (home, mut acceptor, socket) = stalled().await;
    home.delete("peer").await;
    left(socket).await;
    home.is_gone("peer").await;
    acceptor.become_(Mode::Serve);
    skip(Duration::from_secs(100)).await;
    assert!(!acceptor.has_call());
}

#[tokio::test]
async fn a_shutdown_calls_off_a_dial() {
    let (home, _acceptor, socket) = stalled().await;
    soon("the shutdown", home.server.shutdown()).await;
    left(socket).await;
}

#[tokio::test]
async fn a_token_of_another_cluster_calls_off_a_dial() {
    let (home, _old, socket) = stalled().await;
    let mut new = ForeignAcceptor::start().await;
    let mut token = new.token(&[new.address()]);
    token.peer_id = "00000000-1111-4222-8333-444444444444".to_owned();
    home.establish("peer", &token.encode()).await.unwrap();
    left(socket).await;
    let _call = new.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
}
