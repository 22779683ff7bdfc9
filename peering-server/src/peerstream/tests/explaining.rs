//! What explains a state is what really happened, on both sides: each way in which a stream fails is made to happen, and
//! then read.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use peering_core::peering::state::Reported;
use peering_core::peerstream::HEARTBEAT_TIMEOUT;
use tonic::Status;

use super::clock::{skip, until};
use super::foreign_acceptor::ForeignAcceptor;
use super::foreign_dialer::{ForeignDialer, told};
use super::home::Home;
use super::relay::Relay;
use crate::bounds::LEAF_CHECK_INTERVAL;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::server::Sources;
use crate::service::status::Explanation;

const FIRST_DELAY: Duration = Duration::from_millis(2_200);

/// Two clusters of ours, `right` dialing `left` through a relay.
async fn related(sources: impl Fn() -> Sources) -> (Home, Home, Relay) {
    let left = Home::start_with("dc1", sources(), |_| {}).await;
    let right = Home::start_with("dc2", sources(), |_| {}).await;
    let mut token = left.token("right").await;
    let relay = Relay::before(&mut token).await;
    right.establish("left", &token.encode()).await.unwrap();
    left.reads("right", Reported::Active).await;
    right.reads("left", Reported::Active).await;
    (left, right, relay)
}

/// The transitions in words.
fn moves(told: &Explanation) -> Vec<String> {
    told.transitions.iter().map(|told| format!("{} → {}: {}", told.from, told.to, told.cause.word())).collect()
}

#[tokio::test]
async fn a_stream_that_runs_has_ages_and_no_error() {
    let (left, right, _relay) = related(Sources::default).await;
    for (home, name, began) in
        [(&left, "right", "PENDING → ACTIVE: peer-heard"), (&right, "left", "ESTABLISHING → ACTIVE: peer-heard")]
    {
        skip(Duration::from_secs(3)).await;
        let told = home.explanation(name).await;
        for age in [told.receive_age.unwrap(), told.send_age.unwrap()] {
            assert!((Duration::from_secs(3)..Duration::from_secs(12)).contains(&age), "{age:?}");
        }
        assert_eq!((told.last_error.clone(), told.next_redial), (None, None));
        assert_eq!(moves(&told).last().unwrap(), began);
    }
    assert_eq!(moves(&right.explanation("left").await)[0], "PENDING → ESTABLISHING: secret-exchanged");
}

#[tokio::test]
async fn a_cut_connection_then_a_refused_dial_then_health_that_remembers() {
    let (left, right, mut relay) = related(Sources::default).await;
    relay.close().await;
    for (home, name) in [(&left, "right"), (&right, "left")] {
        home.fails_by(name, "connection-lost").await;
        home.reads(name, Reported::Failing).await;
        assert_eq!(moves(&home.explanation(name).await).last().unwrap(), "ACTIVE → FAILING: connection-lost");
    }
    assert_eq!(left.explanation("right").await.next_redial, None, "the acceptor waits to be dialed");
    for (failures, seconds) in [(1, 2), (2, 4), (3, 8)] {
        let waits = async || right.explanation("left").await.next_redial.is_some_and(|next| next.failures == failures);
        until("the next redial is told", waits).await;
        let next = right.explanation("left").await.next_redial.unwrap();
        let expected = Duration::from_millis(seconds * 900 - 500)..=Duration::from_millis(seconds * 1_100);
        assert!(expected.contains(&next.after), "{next:?}");
        skip(next.after).await;
        right.fails_by("left", "connection-refused").await;
    }
    let error = right.explanation("left").await.last_error.unwrap();
    assert!(error.text.contains(": could not connect: "), "{error:?}");
    relay.reopen().await;
    skip(Duration::from_secs(18)).await;
    for (home, name, code) in [(&left, "right", "connection-lost"), (&right, "left", "connection-refused")] {
        home.reads(name, Reported::Active).await;
        let told = home.explanation(name).await;
        assert_eq!(told.last_error.unwrap().trouble.code(), code, "it still explains what was");
        assert_eq!(told.next_redial, None);
        assert_eq!(told.transitions.last().unwrap().cause.word(), "peer-heard");
    }
}

#[tokio::test]
async fn a_network_that_swallows_everything() {
    let (left, right, relay) = related(Sources::default).await;
    relay.swallow();
    // Within 130 s, in steps: what is due at one of them is done before the next.
    let mut steps = 0..26;
    until("both have noticed", async || {
        if steps.next().is_some() {
            skip(Duration::from_secs(5)).await;
        }
        let (left, right) = (left.state("right").await, right.state("left").await);
        [left, right] == [Some(Reported::Failing); 2]
    })
    .await;
    for (home, name) in [(&left, "right"), (&right, "left")] {
        let last = moves(&home.explanation(name).await).pop().unwrap();
        // Whichever notices first: the connection's own pings, or the heartbeats.
        let expected = ["ACTIVE → FAILING: connection-lost", "ACTIVE → FAILING: heartbeat-timeout"];
        assert!(expected.contains(&last.as_str()), "{last}");
    }
    // What the dialer meets now is a server that takes the connection and does not say a word.
    let mut steps = 0..6;
    until("a dial has met it", async || {
        if steps.next().is_some() {
            skip(Duration::from_secs(5)).await;
        }
        right.last_code("left").await.as_deref() == Some("dial-timeout")
    })
    .await;
}

#[tokio::test]
async fn a_silent_peer_is_told_from_a_peer_that_did_not_hear_us() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("silent", &acceptor.token_text()).await.unwrap();
    let _call = acceptor.call().await.connected().await;
    home.reads("silent", Reported::Active).await;
    let token = home.token("mute").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    skip(HEARTBEAT_TIMEOUT + Duration::from_secs(1)).await;
    for name in ["silent", "mute"] {
        home.fails_by(name, "heartbeat-timeout").await;
        assert_eq!(moves(&home.explanation(name).await).last().unwrap(), "ACTIVE → FAILING: heartbeat-timeout");
    }
    let (_, status) = stream.ended().await;
    assert_eq!(status, (2, "heartbeat timeout".to_owned()));
    skip(FIRST_DELAY).await;
    let mut again = acceptor.call().await.connected().await;
    home.reads("silent", Reported::Active).await;
    again.end(Some(Status::unknown(status.1))).await;
    home.fails_by("silent", "heartbeat-timeout-at-peer").await;
}

#[tokio::test]
async fn a_stream_secret_that_counts_no_more_is_told_on_both_sides() {
    let (left, right, relay) = related(Sources::default).await;
    // Somebody else redeems a newer token, so that the secret of `right` is worth nothing.
    let token = left.token("right").await;
    let thief = ForeignDialer::connect(&token).await;
    let secret = thief.redeem(&token).await;
    let stream = thief.dialed(&token.peer_id, &secret).await;
    right.fails_by("left", "stream-replaced").await;
    relay.cut();
    skip(FIRST_DELAY).await;
    right.fails_by("left", "stream-secret-refused").await;
    left.fails_by("right", "stream-secret-wrong").await;
    assert_eq!(left.state("right").await, Some(Reported::Active), "the thief's stream runs");
    let error = left.explanation("right").await.last_error.unwrap();
    assert_eq!(&*error.text, "a dialer presented a wrong stream secret, from 127.0.0.1");
    assert!(error.trouble.remedy().contains("generate a new peering token here"));
    drop(stream);
    assert!(right.explanation("left").await.next_redial.unwrap().after > Duration::from_secs(50));
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_the_peer_s_on_one_side_and_ours_on_the_other() {
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now));
    let sources = || Sources { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Sources::default() };
    let (left, right, relay) = related(sources).await;
    assert_eq!(left.last_code("right").await, None);
    clock.set(now + SignedDuration::from_hours(73));
    assert_eq!(left.last_code("right").await, None, "while the stream runs, nothing is wrong");
    relay.cut();
    right.reads("left", Reported::Failing).await;
    skip(FIRST_DELAY).await;
    right.fails_by("left", "certificate-expired").await;
    left.fails_by("right", "own-certificate-expired").await;
    let error = left.explanation("right").await.last_error.unwrap();
    assert_eq!(error.at.as_second(), (now + SignedDuration::from_hours(72)).as_second() - 60, "when it ended");
    // Ten seconds after the clock was set, the leaf is renewed and the next dial finds it.
    skip(LEAF_CHECK_INTERVAL + Duration::from_secs(1)).await;
    until("a dial has met the new leaf", async || {
        if let Some(next) = right.explanation("left").await.next_redial {
            skip(next.after).await;
        }
        right.state("left").await == Some(Reported::Active)
    })
    .await;
    left.reads("right", Reported::Active).await;
    assert_eq!(left.last_code("right").await.as_deref(), Some("connection-lost"));
    // Ten years on the roots themselves are over; a leaf cannot outlive them.
    clock.set(now + SignedDuration::from_hours(24 * 366 * 10));
    relay.cut();
    right.reads("left", Reported::Failing).await;
    skip(FIRST_DELAY).await;
    right.fails_by("left", "roots-unusable").await;
    left.fails_by("right", "own-certificate-expired").await;
}

#[tokio::test]
async fn a_deleted_peering_is_told_to_the_other_side_whoever_deletes_it() {
    for by_acceptor in [true, false] {
        let (left, right, _relay) = related(Sources::default).await;
        let (here, there) =
            if by_acceptor { ((&left, "right"), (&right, "left")) } else { ((&right, "left"), (&left, "right")) };
        here.0.delete(here.1).await;
        there.0.reads(there.1, Reported::Terminated).await;
        there.0.fails_by(there.1, "peering-deleted-by-peer").await;
        let last = async || moves(&there.0.explanation(there.1).await).pop();
        let expected = "ACTIVE → TERMINATED: peering-deleted-by-peer";
        until("the end is told", async || last().await.as_deref() == Some(expected)).await;
        assert_eq!(there.0.explanation(there.1).await.next_redial, None, "nobody dials again");
        here.0.is_gone(here.1).await;
        assert_eq!(here.0.explanation(here.1).await, Explanation::default(), "nothing is left");
    }
}

#[tokio::test]
async fn a_dialer_after_the_end_and_one_that_names_nothing_of_ours() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    stream.terminate().await;
    stream.half_close();
    stream.ended().await;
    home.reads("peer", Reported::Terminated).await;
    assert_eq!(dialer.dial(&token.peer_id, &secret).await.refused().await.0, 10);
    home.fails_by("peer", "open-after-end").await;
    home.delete("peer").await;
    home.is_gone("peer").await;
    dialer.dial(&token.peer_id, &secret).await;
    dialer.dial("00000000-1111-4222-8333-444444444444", &secret).await.refused().await;
    let refused = dialer.exchange(&token.peer_id, "x", None).await.unwrap_err();
    assert_eq!(told(&refused).0, 7);
    assert_eq!(home.view("peer").await, None);
}
