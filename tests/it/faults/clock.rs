//! A clock that is set back an hour: survived, or refused with a text that speaks of clocks.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use peering_server::clock::ManualClock;
use peering_tests::cluster::{Cluster, peer_with, sources_at};
use peering_tests::hand::HandDialer;
use peering_tests::link::Link;
use peering_tests::site::private_directory;
use serde_json::json;
use tonic::Code;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// What a dialer sends to be told the same stream secret again.
const REDEMPTION: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

fn clock(now: Timestamp) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(now))
}

#[tokio::test]
async fn peers_of_some_hours_stay_and_find_each_other_again_whichever_clock_is_set_back() {
    let start = now();
    let (ours, theirs) = (clock(start), clock(start));
    let (acceptor, dialer) = (Cluster::start_at("dc1", &ours).await, Cluster::start_at("dc2", &theirs).await);
    let link = Link::to(acceptor.peer_address()).await;
    peer_with(&acceptor, &dialer, &acceptor.generate_over("dc2", link.address()).await).await;
    let later = start + 2 * HOUR;
    let both = |acceptors, dialers| {
        ours.set(acceptors);
        theirs.set(dialers);
    };
    both(later, later);
    for (acceptors, dialers) in [(later - HOUR, later), (later, later - HOUR)] {
        both(acceptors, dialers);
        assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));
        let seen = link.seen();
        link.cut();
        link.saw(seen + 1).await;
        dialer.reaches("dc1", "ACTIVE").await;
        acceptor.reaches("dc2", "ACTIVE").await;
    }
    // New tokens work too, and one that ends does so by the clock of whoever looks at it.
    both(later - HOUR, later);
    let other = Cluster::start_at("dc3", &theirs).await;
    let short = acceptor.generate_with(json!({ "PeerName": "dc3", "TTL": "30m" })).await;
    let end = later - HOUR / 2;
    other.establish("dc1", &short).await.refuses(403, &format!("peering token expired at {end}; generate a new token"));
    peer_with(&acceptor, &other, &acceptor.generate("dc3").await).await;
}

#[tokio::test]
async fn a_root_from_the_future_is_refused_with_a_word_on_clocks_and_works_when_its_time_has_come() {
    let start = now();
    let theirs = clock(start - HOUR);
    let (acceptor, dialer) = (Cluster::start_at("dc1", &clock(start)).await, Cluster::start_at("dc2", &theirs).await);
    let token = acceptor.generate("dc2").await;
    let begin = start - SignedDuration::from_secs(60);
    let text = format!(
        "peering token has no usable root certificate among 1, the first one is not valid before {begin}; compare the \
         clocks of both clusters; generate a new token"
    );
    dialer.establish("dc1", &token).await.refuses(500, &text);
    assert_eq!(dialer.http().get("/v1/peerings").await.body, "[]");
    theirs.set(start);
    peer_with(&acceptor, &dialer, &token).await;
}

#[tokio::test]
async fn a_leaf_from_the_future_is_refused_with_a_word_on_clocks_and_spends_no_token() {
    let start = now();
    let (ours, theirs) = (clock(start - 2 * HOUR), clock(start - HOUR));
    let mut acceptor = Cluster::start_in("dc1", private_directory(), sources_at(&ours)).await;
    let dialer = Cluster::start_at("dc2", &theirs).await;
    let token = acceptor.generate("dc2").await;
    // A server that starts has a new leaf, of its own time.
    ours.set(start);
    acceptor.restart().await;
    let answer = dialer.establish("dc1", &token).await;
    let text = "the certificate is not valid yet: compare the clocks of both sides";
    assert!(answer.status == 503 && answer.body.contains(text), "{answer:?}");
    theirs.set(start);
    peer_with(&acceptor, &dialer, &token).await;
}

#[tokio::test]
async fn a_server_that_starts_an_hour_before_its_last_end_has_everything() {
    let start = now();
    let ours = clock(start);
    let mut acceptor = Cluster::start_in("dc1", private_directory(), sources_at(&ours)).await;
    let unused = acceptor.generate("unused").await;
    let redeemed = acceptor.generate("redeemed").await;
    let hand = HandDialer::with(&redeemed).await;
    let secret = hand.exchange_as(Some(REDEMPTION)).await.unwrap();
    let deleted_token = acceptor.generate("deleted").await;
    let deleted = HandDialer::with(&deleted_token).await;
    let deleted_secret = deleted.exchange().await.unwrap();
    drop(deleted.open(&deleted_secret).await.unwrap());
    acceptor.delete("deleted").await;

    ours.set(start - HOUR);
    acceptor.restart().await;
    // Whoever redeemed may ask again for ten minutes after the exchange, and not from the restart on.
    let again = HandDialer::with(&redeemed).await;
    assert_eq!(again.exchange_as(Some(REDEMPTION)).await.unwrap(), secret);
    ours.set(start + Duration::from_secs(599));
    assert_eq!(again.exchange_as(Some(REDEMPTION)).await.unwrap(), secret);
    ours.set(start + Duration::from_secs(600));
    assert_eq!(again.exchange_as(Some(REDEMPTION)).await.unwrap_err().code(), Code::PermissionDenied);
    ours.set(start - HOUR);
    again.open(&secret).await.unwrap();

    // What was deleted in the future is deleted.
    let refused = HandDialer::with(&deleted_token).await.open(&deleted_secret).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted, "{refused}");
    // A token from the future works, and so does what supersedes it.
    let newer = acceptor.generate("unused").await;
    assert!(HandDialer::with(&unused).await.exchange().await.is_err());
    HandDialer::with(&newer).await.exchange().await.unwrap();
    assert_eq!(acceptor.state("unused").await, "PENDING");
}
