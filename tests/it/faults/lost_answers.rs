//! An answer that is lost at any byte: a dialer of ours asks again and gets the same stream secret, one of Consul's gets
//! Consul's refusal, and whoever else holds the token gets nothing.

use std::sync::Arc;

use peering_tests::cluster::Cluster;
use peering_tests::hand::HandDialer;
use peering_tests::link::{Link, Lost};
use serde_json::json;
use tokio::task::JoinSet;
use tonic::{Code, Status};

/// What a dialer of ours might send, and what another one might.
const OURS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const ANOTHER: &str = "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Places tried at the same time: each has up to two calls on one connection, which bears a few.
const AT_ONCE: usize = 3;

#[track_caller]
fn is_refused(answer: Result<String, Status>, place: Lost) {
    match answer {
        Err(refused) => {
            let text = "invalid peering establishment secret";
            assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, text), "{place:?}");
        }
        Ok(_) => panic!("{place:?}: accepted"),
    }
}

/// A token that leads over a link which loses the first answer there.
async fn token_over(acceptor: &Cluster, name: &str, place: Lost) -> (String, Link) {
    let link = Link::to(acceptor.peer_address()).await;
    link.lose(0, place);
    (acceptor.generate_over(name, link.address()).await, link)
}

/// Measures an exchange that goes well: bytes of the handshake, and bytes after it up to the end of the answer.
async fn measure(acceptor: &Cluster) -> (usize, usize) {
    let (token, link) = token_over(acceptor, "measured", Lost::After(usize::MAX)).await;
    HandDialer::with(&token).await.exchange().await.unwrap();
    let (handshake, rest) = link.answered();
    assert!(handshake > 500 && rest > 100, "{handshake} and {rest} bytes are no exchange over TLS");
    (handshake, rest)
}

/// Loses an answer on a dialer of ours, which asks again, here over another connection. Returns whether it was lost.
async fn ours(acceptor: &Cluster, near: &HandDialer, place: Lost, name: &str) -> bool {
    let (token, _link) = token_over(acceptor, name, place).await;
    let heard = match HandDialer::try_with(&token).await {
        Ok(dialer) => dialer.exchange_as(Some(OURS)).await.ok(),
        Err(_) => None,
    };
    let near = near.holding(&token);
    let secret = near.exchange_as(Some(OURS)).await.unwrap_or_else(|status| panic!("{place:?}: {status}"));
    let is_lost = heard.is_none();
    assert!(heard.is_none_or(|heard| heard == secret), "{place:?}: another stream secret");
    is_refused(near.exchange_as(Some(ANOTHER)).await, place);
    is_refused(near.exchange().await, place);
    assert_eq!(near.exchange_as(Some(OURS)).await.unwrap(), secret, "{place:?}");
    let stream = near.open(&secret).await.unwrap_or_else(|status| panic!("{place:?}: {status}"));
    assert_eq!(acceptor.state(name).await, "ACTIVE", "{place:?}");
    is_refused(near.exchange_as(Some(OURS)).await, place);
    drop(stream);
    is_lost
}

/// Loses an answer on a dialer as Consul's. Returns whether the token was spent by it.
async fn consuls(acceptor: &Cluster, near: &HandDialer, place: Lost, name: &str) -> bool {
    let (token, _link) = token_over(acceptor, name, place).await;
    let heard = match HandDialer::try_with(&token).await {
        Ok(dialer) => dialer.exchange().await.ok(),
        Err(_) => None,
    };
    let near = near.holding(&token);
    let again = near.exchange().await;
    let is_spent = again.is_err();
    assert!(is_spent || heard.is_none(), "{place:?}: one token, two stream secrets");
    if is_spent {
        is_refused(again, place);
    }
    is_refused(near.exchange().await, place);
    is_refused(near.exchange_as(Some(OURS)).await, place);
    is_spent
}

/// Loses answers at every `step`-th byte from the exchange on.
async fn lose_answers(step: usize) {
    let acceptor = Arc::new(Cluster::start("dc1").await);
    let (_, rest) = measure(&acceptor).await;
    let near = HandDialer::with(&acceptor.generate("near").await).await;
    let mut running = JoinSet::new();
    let (mut places, mut lost, mut spent) = (0, 0, 0);
    for bytes in (0..rest).step_by(step) {
        let (acceptor, near) = (Arc::clone(&acceptor), near.clone());
        running.spawn(async move {
            let place = Lost::AfterHandshake(bytes);
            let is_lost = ours(&acceptor, &near, place, &format!("ours-{bytes}")).await;
            (is_lost, consuls(&acceptor, &near, place, &format!("consuls-{bytes}")).await)
        });
        places += 1;
        while running.len() >= AT_ONCE || (bytes + step >= rest && !running.is_empty()) {
            let (is_lost, is_spent) = running.join_next().await.unwrap().unwrap();
            lost += usize::from(is_lost);
            spent += usize::from(is_spent);
        }
    }
    println!("cut at {places} of {rest} bytes: {lost} answers lost, {spent} tokens of a dialer as Consul's spent");
    assert!(lost * 10 > places * 9, "the link lets too much through");
    assert!(spent > 0, "the acceptor never came to commit");
}

#[tokio::test]
async fn an_answer_lost_here_and_there_costs_a_dialer_of_ours_nothing() {
    lose_answers(61).await;
}

#[tokio::test]
#[ignore = "needs a minute"]
async fn an_answer_lost_at_any_byte_costs_a_dialer_of_ours_nothing() {
    lose_answers(1).await;
}

#[tokio::test]
async fn a_cluster_repeats_what_was_lost_by_itself_and_gets_to_active() {
    let acceptor = Cluster::start("dc1").await;
    let (handshake, rest) = measure(&acceptor).await;
    let dialer = Arc::new(Cluster::start("dc2").await);
    let in_handshake = (0..handshake).step_by(handshake / 3).map(Lost::After);
    let places = in_handshake.chain((0..rest).step_by(rest / 8).map(Lost::AfterHandshake));
    let mut establishing = JoinSet::new();
    for (number, place) in places.enumerate() {
        let (token, link) = token_over(&acceptor, &format!("dialer-{number}"), place).await;
        let dialer = Arc::clone(&dialer);
        establishing.spawn(async move {
            let name = format!("acceptor-{number}");
            assert_eq!(dialer.establish(&name, &token).await.accepts(), json!({}), "{place:?}");
            assert!(link.seen() >= 2, "{place:?}: asked once");
            (number, link)
        });
    }
    let links = establishing.join_all().await;
    for (number, _link) in &links {
        dialer.reaches(&format!("acceptor-{number}"), "ACTIVE").await;
        acceptor.reaches(&format!("dialer-{number}"), "ACTIVE").await;
    }
}
