//! A newer stream takes the place of an older one, and nobody sees a failure between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peering_core::peering::state::Reported;
use tonic::Code;

use super::clock::until;
use super::foreign_dialer::{ForeignDialer, SERVICES};
use super::home::Home;
use crate::peerstream::proto::peerstream::replication_message::{Payload, Terminated};

fn replaced(peer_id: &str) -> (i32, String) {
    (2, format!("failed to register stream: there is an active stream for the given PeerID {peer_id:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_stream_ends_and_the_peering_reads_active_throughout() {
    let home = Arc::new(Home::start("dc1").await);
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut older = dialer.dialed(&token.peer_id, &secret).await;
    let (is_over, watched) = (Arc::new(AtomicBool::new(false)), Arc::clone(&home));
    let stop = Arc::clone(&is_over);
    let watching = tokio::spawn(async move {
        let mut looks = 0;
        while !stop.load(Ordering::Relaxed) {
            assert_eq!(watched.state("peer").await, Some(Reported::Active), "after {looks} looks");
            looks += 1;
            tokio::task::yield_now().await;
        }
        looks
    });
    for _ in 0..50 {
        let newer = dialer.dialed(&token.peer_id, &secret).await;
        assert_eq!(older.ended().await.1, replaced(&token.peer_id));
        older = newer;
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(watching.await.unwrap() > 50);
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_opens_at_once_one_stays_and_is_the_one_that_is_shown() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let first = ForeignDialer::connect(&token).await;
    let secret = first.redeem(&token).await;
    for _ in 0..10 {
        let mut opened = vec![];
        for _ in 0..6 {
            let (token, secret) = (token.clone(), secret.clone());
            opened.push(tokio::spawn(async move {
                let dialer = ForeignDialer::connect(&token).await;
                (dialer.dialed(&token.peer_id, &secret).await, dialer)
            }));
        }
        let mut streams = vec![];
        for task in opened {
            streams.push(task.await.unwrap());
        }
        // All but one end; the one that stays is ended by its own mistake, and that is what the peering then shows.
        let mut ends = vec![];
        for (mut stream, dialer) in streams {
            ends.push(tokio::spawn(async move {
                stream.subscribe("", "nonsense").await;
                let end = stream.ended().await.1;
                drop(dialer);
                end
            }));
        }
        let mut mistakes = 0;
        for end in ends {
            let (code, text) = end.await.unwrap();
            mistakes += usize::from(code == 3);
            assert!(code == 3 || (code, text) == replaced(&token.peer_id));
        }
        assert!(mistakes >= 1, "somebody stayed");
        home.reads("peer", Reported::Failing).await;
    }
}

#[tokio::test]
async fn a_token_that_is_redeemed_disturbs_no_stream_until_its_secret_is_used() {
    let home = Home::start("dc1").await;
    let first = home.token("peer").await;
    let dialer = ForeignDialer::connect(&first).await;
    let old = dialer.redeem(&first).await;
    let mut older = dialer.dialed(&first.peer_id, &old).await;
    let new = dialer.redeem(&home.token("peer").await).await;
    older.subscribe("", SERVICES).await;
    while !matches!(older.next().await.unwrap(), Some(Payload::Response(_))) {}
    assert_eq!(home.state("peer").await, Some(Reported::Active));
    let newer = dialer.dialed(&first.peer_id, &new).await;
    assert_eq!(older.ended().await.1, replaced(&first.peer_id));
    let refused = dialer.dial(&first.peer_id, &old).await.refused().await;
    assert_eq!(refused, (7, "invalid peering stream secret".to_owned()));
    assert_eq!(home.state("peer").await, Some(Reported::Active), "a refusal leaves the other stream alone");
    drop(newer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_reaches_whichever_stream_is_opened_beside_it() {
    let home = Home::start("dc1").await;
    for round in 0..20 {
        let name = format!("peer-{round}");
        let token = home.token(&name).await;
        let dialer = ForeignDialer::connect(&token).await;
        let secret = dialer.redeem(&token).await;
        let opening = {
            let (dialer, peer_id) = (dialer.clone(), token.peer_id.clone());
            tokio::spawn(async move {
                let mut stream = dialer.dial(&peer_id, &secret).await;
                let mut is_told = false;
                while let Ok(Some(frame)) = stream.next().await {
                    if frame == Payload::Terminated(Terminated {}) {
                        is_told = true;
                        stream.half_close();
                    }
                }
                is_told
            })
        };
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        home.delete(&name).await;
        assert!(opening.await.unwrap(), "round {round}");
        home.is_gone(&name).await;
    }
}

#[tokio::test]
async fn what_an_older_stream_still_sends_is_not_shown() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let older = dialer.dialed(&token.peer_id, &secret).await;
    let newer = dialer.dialed(&token.peer_id, &secret).await;
    older.beat().await;
    newer.beat().await;
    until("a heartbeat is seen", async || home.view("peer").await.unwrap().stream.unwrap().last_heartbeat.is_some())
        .await;
    drop(newer);
    home.reads("peer", Reported::Failing).await;
    assert_eq!(dialer.exchange("x", "x", None).await.unwrap_err().code(), Code::Internal, "the connection goes on");
    drop(older);
}
