//! Our dialer against a foreign acceptor: what it says first, and what it makes of each answer.

use std::time::{Duration, Instant};

use peering_core::peering::state::Reported;
use tonic::{Code, Status};

use super::clock::{skip, until};
use super::foreign_acceptor::{ForeignAcceptor, Identity, Manners, Mode, PEER_ID, STREAM_SECRET};
use super::foreign_dialer::{ADDRESSES, ALL, upsert};
use super::home::{Home, refusal};
use crate::peerstream::proto::peering::PeeringServerAddresses;
use crate::peerstream::proto::peerstream::replication_message::{Heartbeat, Payload, Request};

/// The first ordinary delay before a redial, with its jitter.
const FIRST_DELAY: Duration = Duration::from_millis(2_200);

#[tokio::test]
async fn it_exchanges_the_tokens_secret_and_opens_with_what_it_got() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let asked = acceptor.exchange().await;
    assert_eq!(asked.peer_id, PEER_ID);
    assert_eq!(asked.establishment_secret, "11111111-2222-3333-4444-555555555555");
    let mut call = acceptor.call().await;
    // Nothing was answered yet: Open and the subscriptions do not wait for headers.
    let (open, subscriptions) = call.opened().await;
    assert_eq!((open.peer_id.as_str(), open.stream_secret_id.as_str()), (PEER_ID, STREAM_SECRET));
    assert_eq!(open.remote.unwrap().datacenter, "dc1");
    let expected = ALL.map(|url| {
        let (peer_id, resource_url) = (PEER_ID.to_owned(), url.to_owned());
        Request { peer_id, resource_url, ..Request::default() }
    });
    assert_eq!(subscriptions, expected);
    assert_eq!(call.next().await.unwrap(), Some(Payload::Heartbeat(Heartbeat {})), "at once");
    assert_eq!(home.state("peer").await, Some(Reported::Establishing), "nothing was heard yet");
    call.accept();
    call.say(Payload::Request(expected[0].clone())).await;
    home.reads("peer", Reported::Active).await;
    assert_eq!(acceptor.exchanges_waiting(), 0, "one exchange is enough");
}

#[tokio::test]
async fn an_acceptor_that_does_not_answer_alpn_is_spoken_to() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start_with(Manners { alpn: &[], ..Manners::default() }).await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn an_acceptor_that_answers_late_is_waited_for() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await;
    call.opened().await;
    skip(Duration::from_secs(25)).await;
    while call.next().await.unwrap() != Some(Payload::Heartbeat(Heartbeat {})) {}
    let _call = call.connected().await;
    home.reads("peer", Reported::Active).await;
    assert!(!acceptor.has_call(), "nobody dialed again");
}

#[tokio::test]
async fn a_follower_is_left_for_the_next_address_at_once() {
    let home = Home::start("dc1").await;
    let mut follower = ForeignAcceptor::start().await;
    let mut leader = ForeignAcceptor::start_as(follower.identity.clone(), Manners::default()).await;
    let token = follower.token(&[follower.address(), leader.address()]).encode();
    home.establish("peer", &token).await.unwrap();
    let not_leader = || Status::failed_precondition("cannot establish a peering stream on a follower node");
    let garbage = Status::with_details(Code::FailedPrecondition, "not the leader", vec![0xff; 40].into());
    for status in [not_leader(), garbage] {
        let mut refused = follower.call().await;
        refused.opened().await;
        let begun = Instant::now();
        refused.refuse(status);
        let mut call = leader.call().await;
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
        call.opened().await;
        call.refuse(not_leader());
    }
    let _call = follower.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn terminated_is_stored_then_half_closed_and_nobody_dials_again() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    call.terminate().await;
    call.half_closed().await.unwrap();
    assert_eq!(home.state("peer").await, Some(Reported::Terminated), "before the half-close");
    call.end(None).await;
    no_redial(&mut acceptor).await;
    assert_eq!(home.state("peer").await, Some(Reported::Terminated));
}

#[tokio::test]
async fn a_deleted_peering_is_given_up_however_it_is_told() {
    for is_told_first in [false, true] {
        let home = Home::start("dc1").await;
        let mut acceptor = ForeignAcceptor::start().await;
        home.establish("peer", &acceptor.token_text()).await.unwrap();
        let mut call = acceptor.call().await;
        call.opened().await;
        let deleted = Status::aborted(format!("peering is marked as deleted: {PEER_ID}"));
        if is_told_first {
            call.accept();
            call.terminate().await;
            call.half_closed().await.unwrap();
            call.end(Some(deleted)).await;
        } else {
            call.refuse(deleted);
        }
        home.reads("peer", Reported::Terminated).await;
        no_redial(&mut acceptor).await;
    }
}

async fn no_redial(acceptor: &mut ForeignAcceptor) {
    for _ in 0..3 {
        skip(Duration::from_secs(100)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!acceptor.has_call());
}

#[tokio::test]
async fn a_peering_that_ended_is_dialed_again_with_a_new_token() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let call = acceptor.call().await.connected().await;
    call.terminate().await;
    home.reads("peer", Reported::Terminated).await;
    // The old call is still being ended while the new token is used.
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    drop(call);
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn each_refusal_shows_as_failing_and_is_tried_again_at_its_own_pace() {
    let minute = Duration::from_secs(72);
    for (status, pace) in [
        (Status::unknown("failed to register stream: …"), FIRST_DELAY),
        (Status::internal("failed to find PeerID"), FIRST_DELAY),
        (Status::unavailable("Connect CA is not yet initialized"), FIRST_DELAY),
        (Status::resource_exhausted("rate limit exceeded"), Duration::from_secs(10)),
        (Status::permission_denied("invalid peering stream secret"), minute),
        (Status::invalid_argument("initial subscription for unknown PeerID"), minute),
    ] {
        let home = Home::start("dc1").await;
        let mut acceptor = ForeignAcceptor::start().await;
        home.establish("peer", &acceptor.token_text()).await.unwrap();
        let mut call = acceptor.call().await;
        call.opened().await;
        let (code, text) = (status.code(), status.message().to_owned());
        call.refuse(status);
        home.reads("peer", Reported::Failing).await;
        assert_eq!(home.last_error("peer").await, Some(text));
        if pace > FIRST_DELAY {
            skip(Duration::from_secs(7)).await;
            assert!(!acceptor.has_call(), "{code:?} was not left alone");
        }
        skip(pace).await;
        let call = acceptor.call().await;
        assert_eq!(home.state("peer").await, Some(Reported::Failing), "{code:?}: until something is heard");
        let _call = call.connected().await;
        home.reads("peer", Reported::Active).await;
    }
}

#[tokio::test]
async fn told_addresses_are_dialed_next_and_manual_ones_before_them() {
    for is_manual in [false, true] {
        let home = Home::start("dc1").await;
        let mut old = ForeignAcceptor::start().await;
        let mut new = ForeignAcceptor::start_as(old.identity.clone(), Manners::default()).await;
        let mut token = old.token(&[old.address()]);
        if is_manual {
            token.manual_server_addresses = vec![old.address()];
        }
        home.establish("peer", &token.encode()).await.unwrap();
        let mut call = old.call().await.connected().await;
        call.opened().await;
        let addresses = vec![new.address()];
        let reply = call.offer(upsert("1", ADDRESSES, "server-addrs", &PeeringServerAddresses { addresses })).await;
        assert_eq!(reply.error, None);
        call.end(Some(Status::unavailable("the server is shutting down"))).await;
        home.reads("peer", Reported::Failing).await;
        skip(FIRST_DELAY).await;
        let next = if is_manual { &mut old } else { &mut new };
        let _call = next.call().await.connected().await;
        home.reads("peer", Reported::Active).await;
    }
}

#[tokio::test]
async fn a_subscription_for_another_peering_ends_the_stream_without_a_word() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await;
    call.accept();
    let (peer_id, resource_url) = ("another".to_owned(), ALL[2].to_owned());
    call.say(Payload::Request(Request { peer_id, resource_url, ..Request::default() })).await;
    home.reads("peer", Reported::Failing).await;
    let error = home.last_error("peer").await.unwrap();
    assert!(error.contains("consistent PeerID values: got="), "{error}");
    // Whoever breaks the rules once is likely to do so again.
    skip(Duration::from_secs(72)).await;
    acceptor.call().await;
}

#[tokio::test]
async fn a_token_of_the_same_peer_leaves_a_running_stream_alone() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    skip(Duration::from_secs(15)).await;
    while call.next().await.unwrap() != Some(Payload::Heartbeat(Heartbeat {})) {}
    assert!(!acceptor.has_call());
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn a_token_of_another_cluster_moves_the_stream_there_and_shows_nothing_of_the_old_one() {
    let home = Home::start("dc1").await;
    let mut old = ForeignAcceptor::start().await;
    home.establish("peer", &old.token_text()).await.unwrap();
    let mut call = old.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    let new = ForeignAcceptor::start_with(Manners { after_exchange: Mode::Stall, ..Manners::default() }).await;
    let mut token = new.token(&[new.address()]);
    token.peer_id = "00000000-1111-4222-8333-444444444444".to_owned();
    home.establish("peer", &token.encode()).await.unwrap();
    call.left().await;
    home.reads("peer", Reported::Establishing).await;
    until("the old acceptor is left alone", async || !old.has_call()).await;
}

#[tokio::test]
async fn a_rebuilt_name_cannot_be_used_for_both_ends() {
    let home = Home::start("dc1").await;
    let acceptor = ForeignAcceptor::start().await;
    home.token("accepting").await;
    let text = "cannot create peering with name: \"accepting\"; there is an existing peering expecting to be dialed";
    assert_eq!(refusal(home.establish("accepting", &acceptor.token_text()).await).to_string(), text);
    assert_eq!(acceptor.exchanges_waiting(), 0, "the token is not spent on it");
}

#[tokio::test]
async fn an_acceptor_under_another_authority_gets_no_secret() {
    let home = Home::start("dc1").await;
    let acceptor = ForeignAcceptor::start().await;
    let mut token = acceptor.token(&[acceptor.address()]);
    token.ca = vec![Identity::new().ca_pem];
    let failed = home.establish("peer", &token.encode()).await.unwrap_err();
    assert!(failed.to_string().contains("failed to exchange peering secret through address"), "{failed}");
    assert_eq!(acceptor.exchanges_waiting(), 0);
    let mut token = acceptor.token(&[acceptor.address()]);
    token.server_name = token.server_name.replace("dc9", "dc8");
    home.establish("peer", &token.encode()).await.unwrap_err();
    assert_eq!(acceptor.exchanges_waiting(), 0);
    assert_eq!(home.state("peer").await, Some(Reported::Pending));
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_passed_over_within_the_exchange() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let begun = Instant::now();
    home.establish("peer", &acceptor.token(&[nobody, acceptor.address()]).encode()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    acceptor.exchange().await;
}
