//! What happens between two ends, one story each.

use super::*;
use crate::peerstream::frame::{Content, Resource, ResourceUrl};
use crate::peerstream::{FAREWELL_TIMEOUT, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Redial};

const LATENCY: Duration = Duration::from_millis(20);
const MINUTE: Duration = Duration::from_secs(60);

fn pair() -> Pair {
    Pair::new(LATENCY, 0)
}

fn running(duration: Duration) -> Pair {
    let mut pair = pair();
    pair.run(duration);
    assert!(!pair.dialer.session.is_ended() && !pair.acceptor.session.is_ended());
    pair
}

/// One word a frame, for comparing traces.
fn word(frame: &Frame) -> String {
    let short = |url: &ResourceUrl| match url {
        ResourceUrl::ExportedService => "ES",
        ResourceUrl::ExportedServiceList => "ESL",
        ResourceUrl::TrustBundle => "TB",
        ResourceUrl::ServerAddresses => "SA",
        ResourceUrl::Unknown(_) => "?",
    };
    match frame {
        Frame::Open(open) => format!("open {}", open.peer_id),
        Frame::Request(request) if request.nonce.is_empty() => {
            format!("subscribe {}{}", short(&request.url), if request.peer_id.is_empty() { "" } else { " a-id" })
        }
        Frame::Request(request) => format!("ack {} {}", short(&request.url), request.nonce),
        Frame::Response(response) => {
            format!("response {} {} {}", short(&response.url), response.nonce, response.resource_id)
        }
        Frame::Terminated => "terminated".into(),
        Frame::Heartbeat => "heartbeat".into(),
        Frame::Unknown => "unknown".into(),
    }
}

fn words(sent: &[(Duration, Frame)]) -> Vec<String> {
    sent.iter().map(|(_, frame)| word(frame)).collect()
}

#[test]
fn a_healthy_stream_starts_as_between_two_consuls() {
    let pair = running(Duration::from_secs(1));
    assert_eq!(
        words(&pair.dialer.sent),
        [
            "open a-id",
            "subscribe ES a-id",
            "subscribe ESL a-id",
            "subscribe TB a-id",
            "subscribe SA a-id",
            "heartbeat",
            "response ESL 00000001 exported-service-list",
            "response TB 00000002 roots",
            "ack ESL 00000001",
            "ack TB 00000002",
            "ack SA 00000003",
        ]
    );
    assert_eq!(
        words(&pair.acceptor.sent),
        [
            "subscribe ES",
            "subscribe ESL",
            "subscribe TB",
            "heartbeat",
            "response ESL 00000001 exported-service-list",
            "response TB 00000002 roots",
            "response SA 00000003 server-addrs",
            "ack ESL 00000001",
            "ack TB 00000002",
        ]
    );
    assert_eq!(pair.acceptor.connected(), Some(LATENCY), "accepted is connected");
    assert_eq!(pair.dialer.connected(), Some(2 * LATENCY), "the acceptor's first frame");
    let addresses = Resource::ServerAddresses(vec!["10.0.0.1:8503".into()]);
    assert!(pair.dialer.imports.iter().any(|import| import.resource == addresses));
}

#[test]
fn a_quiet_stream_lives_on_heartbeats_alone() {
    let pair = running(60 * MINUTE);
    let beats = |end: &End| end.sent.iter().filter(|(_, frame)| *frame == Frame::Heartbeat).count();
    assert_eq!((beats(&pair.dialer), beats(&pair.acceptor)), (241, 240));
}

#[test]
fn a_dialer_without_heartbeats_is_lost_after_exactly_two_minutes_and_dials_again() {
    let mut pair = running(Duration::from_secs(40));
    pair.to_acceptor.loss = Loss::Heartbeats;
    pair.run(3 * MINUTE);
    let timeout = Refusal::new(StatusCode::Unknown, "heartbeat timeout");
    let (ended, outcome) = pair.acceptor.outcome().unwrap();
    assert_eq!(outcome, Err(timeout.clone()));
    assert_eq!(ended, pair.acceptor.last_heartbeat_received() + HEARTBEAT_TIMEOUT);
    let (heard, outcome) = pair.dialer.outcome().unwrap();
    assert_eq!((heard, outcome), (ended + LATENCY, Err(timeout)));
    let active_for = heard - pair.dialer.connected().unwrap();
    let delay = Redial::default().after(StatusCode::Unknown, active_for, 0.0);
    assert_eq!(delay, Some(Duration::from_secs(2)));
}

#[test]
fn an_acceptor_without_heartbeats_is_lost_after_exactly_two_minutes() {
    let mut pair = running(Duration::from_secs(40));
    pair.to_dialer.loss = Loss::Heartbeats;
    pair.run(3 * MINUTE);
    let (ended, outcome) = pair.dialer.outcome().unwrap();
    assert_eq!(outcome, Err(Refusal::new(StatusCode::Unknown, "heartbeat timeout")));
    assert_eq!(ended, pair.dialer.last_heartbeat_received() + HEARTBEAT_TIMEOUT);
    assert_eq!(pair.acceptor.outcome().unwrap().0, ended + LATENCY);
}

#[test]
fn other_traffic_does_not_make_up_for_heartbeats() {
    let mut pair = running(Duration::from_secs(40));
    pair.to_acceptor.loss = Loss::Heartbeats;
    let mut round = 0;
    while pair.acceptor.outcome().is_none() {
        round += 1;
        pair.dialer.session.offer(offer_of(&format!("dialer {round}")));
        pair.run(Duration::from_secs(5));
    }
    assert_eq!(pair.acceptor.outcome().unwrap().0, pair.acceptor.last_heartbeat_received() + HEARTBEAT_TIMEOUT);
    assert!(pair.acceptor.imports.len() > 20, "the traffic did flow: {}", pair.acceptor.imports.len());
}

#[test]
fn both_sides_notice_a_link_that_died_silently() {
    let mut pair = running(Duration::from_secs(40));
    (pair.to_acceptor.loss, pair.to_dialer.loss) = (Loss::All, Loss::All);
    pair.run(3 * MINUTE);
    for end in [&pair.dialer, &pair.acceptor] {
        let (ended, outcome) = end.outcome().unwrap();
        assert_eq!(outcome, Err(Refusal::new(StatusCode::Unknown, "heartbeat timeout")));
        assert_eq!(ended, end.last_heartbeat_received() + HEARTBEAT_TIMEOUT);
    }
}

#[test]
fn heartbeats_that_return_in_time_save_the_stream() {
    let mut pair = running(Duration::from_secs(40));
    pair.to_acceptor.loss = Loss::Heartbeats;
    pair.run(HEARTBEAT_TIMEOUT - 2 * HEARTBEAT_INTERVAL);
    pair.to_acceptor.loss = Loss::None;
    pair.run(10 * MINUTE);
    assert_eq!((pair.acceptor.outcome(), pair.dialer.outcome()), (None, None));
}

#[test]
fn a_dialer_backs_off_to_its_cap_and_starts_over_after_a_healthy_stream() {
    let (mut redial, mut clock, mut dialed_at) = (Redial::default(), Duration::ZERO, vec![]);
    for _ in 0..9 {
        dialed_at.push(clock.as_secs());
        let mut pair = pair();
        pair.cut();
        pair.run(MINUTE);
        let (ended, outcome) = pair.dialer.outcome().unwrap();
        assert_eq!((ended, pair.dialer.connected()), (LATENCY, None));
        clock += redial.after(outcome.unwrap_err().code, Duration::ZERO, 0.0).unwrap();
    }
    assert_eq!(dialed_at, [0, 2, 6, 14, 30, 62, 126, 190, 254]);

    let mut healthy = running(Duration::from_secs(11));
    healthy.cut();
    healthy.run(MINUTE);
    let (ended, outcome) = healthy.dialer.outcome().unwrap();
    let active_for = ended - healthy.dialer.connected().unwrap();
    assert_eq!(redial.after(outcome.unwrap_err().code, active_for, 0.0), Some(Duration::from_secs(2)));
}

#[test]
fn a_duplicate_open_replaces_the_older_stream_and_leaves_the_peering_alone() {
    let mut older = running(MINUTE);
    let mut newer = running(Duration::from_secs(1));
    older.acceptor.session.replace();
    older.run(MINUTE);
    newer.run(10 * MINUTE);
    let text = "failed to register stream: there is an active stream for the given PeerID \"a-id\"";
    let (_, outcome) = older.dialer.outcome().unwrap();
    assert_eq!(outcome, Err(Refusal::new(StatusCode::Unknown, text)));
    assert!(!older.dialer.was_told_of_the_end(), "a replaced stream is not a deleted peering");
    assert_eq!(Redial::default().after(StatusCode::Unknown, MINUTE, 0.0), Some(Duration::from_secs(2)));
    assert_eq!((newer.dialer.outcome(), newer.acceptor.outcome()), (None, None));
}

#[test]
fn an_acceptor_that_deletes_tells_the_dialer_and_both_end_well() {
    let mut pair = running(MINUTE);
    pair.delete(Side::Acceptor);
    pair.run(MINUTE);
    assert!(pair.dialer.was_told_of_the_end());
    assert!(!pair.acceptor.was_told_of_the_end());
    assert_eq!(pair.acceptor.outcome(), Some((MINUTE + 2 * LATENCY, Ok(()))), "after the half-close");
    assert_eq!(pair.dialer.outcome(), Some((MINUTE + 3 * LATENCY, Ok(()))), "after the trailers");
}

#[test]
fn a_dialer_that_deletes_tells_the_acceptor_and_both_end_well() {
    let mut pair = running(MINUTE);
    pair.delete(Side::Dialer);
    pair.run(MINUTE);
    assert!(pair.acceptor.was_told_of_the_end());
    assert!(!pair.dialer.was_told_of_the_end());
    assert_eq!(pair.acceptor.outcome(), Some((MINUTE + LATENCY, Ok(()))));
    assert_eq!(pair.dialer.outcome(), Some((MINUTE + 2 * LATENCY, Ok(()))));
    let is_answer = |(when, _): &(Duration, Frame)| *when > MINUTE;
    assert!(!pair.acceptor.sent.iter().any(is_answer), "nothing is sent back");
}

#[test]
fn terminated_that_crosses_terminated_ends_both_sides_well() {
    let mut pair = running(MINUTE);
    pair.delete(Side::Dialer);
    pair.delete(Side::Acceptor);
    pair.run(MINUTE);
    for end in [&pair.dialer, &pair.acceptor] {
        assert_eq!(words(&end.sent).iter().filter(|word| *word == "terminated").count(), 1);
        assert_eq!(end.outcome().map(|(_, outcome)| outcome), Some(Ok(())));
    }
}

#[test]
fn a_terminated_that_is_lost_leaves_the_deleting_side_in_peace() {
    for side in SIDES {
        let mut pair = running(MINUTE);
        (pair.to_acceptor.loss, pair.to_dialer.loss) = (Loss::All, Loss::All);
        pair.delete(side);
        pair.run(5 * MINUTE);
        assert_eq!(pair.end(side).outcome(), Some((MINUTE + FAREWELL_TIMEOUT, Ok(()))));
    }
}

#[test]
fn a_wrong_secret_is_refused_without_ever_being_connected() {
    let mut pair = pair();
    pair.acceptor.answer = Answer::Refused { refusal: Refusal::invalid_stream_secret(), terminated: false };
    pair.run(MINUTE);
    assert_eq!((pair.dialer.connected(), pair.acceptor.connected()), (None, None));
    assert_eq!(pair.dialer.outcome(), Some((2 * LATENCY, Err(Refusal::invalid_stream_secret()))));
}

#[test]
fn a_dialer_that_comes_back_to_a_deleted_peering_learns_of_it() {
    let mut pair = pair();
    let refusal = Refusal::peering_deleted("a-id");
    pair.acceptor.answer = Answer::Refused { refusal: refusal.clone(), terminated: true };
    pair.run(MINUTE);
    assert!(pair.dialer.was_told_of_the_end());
    assert_eq!(pair.dialer.connected(), None);
    assert_eq!(pair.dialer.outcome().map(|(_, outcome)| outcome), Some(Ok(())));
    assert_eq!(pair.acceptor.outcome().map(|(_, outcome)| outcome), Some(Err(refusal)));
}

#[test]
fn a_cut_link_is_a_failure_on_both_sides() {
    let mut pair = running(MINUTE);
    pair.cut();
    pair.run(MINUTE);
    let reset = "connection reset";
    let at = MINUTE + LATENCY;
    assert_eq!(pair.dialer.outcome(), Some((at, Err(Refusal::new(StatusCode::Unavailable, reset)))));
    let text = format!("unexpected error receiving from the stream: {reset}");
    assert_eq!(pair.acceptor.outcome(), Some((at, Err(Refusal::new(StatusCode::Unavailable, text)))));
}

#[test]
fn a_shutdown_of_the_acceptor_makes_the_dialer_dial_again() {
    let mut pair = running(MINUTE);
    pair.acceptor.session.end(Refusal::shutting_down());
    pair.run(MINUTE);
    let (_, outcome) = pair.dialer.outcome().unwrap();
    assert_eq!(outcome, Err(Refusal::shutting_down()));
    assert!(!pair.dialer.was_told_of_the_end());
}

#[test]
fn a_slow_store_delays_acknowledgements_but_neither_order_nor_heartbeats() {
    let mut pair = running(Duration::from_secs(1));
    pair.dialer.store_delay = Duration::from_secs(20);
    for round in 0..40 {
        pair.acceptor.session.offer(offer_of(&format!("acceptor {round}")));
        pair.run(Duration::from_millis(1));
    }
    pair.run(100 * MINUTE);
    assert_eq!((pair.dialer.outcome(), pair.acceptor.outcome()), (None, None));
    let sent = pair.acceptor.responses_sent();
    let nonces: Vec<_> = sent.iter().map(|response| response.nonce.as_str()).collect();
    assert_eq!(nonces.len(), 43);
    assert_eq!(pair.dialer.answered(), nonces);
    let last = sent.last().map(|response| response.content.clone());
    let import = pair.dialer.imports.last().map(|import| Content::Resource(import.resource.clone()));
    assert_eq!(import, last);
}
