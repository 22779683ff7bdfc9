//! Rules of a running stream, one test each.

use super::*;
use crate::peerstream::frame::{ExportedService, Operation, Resource, Response, TrustBundle};
use crate::peerstream::virtual_time::start_of_time;
use crate::peerstream::{Answer, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, IMPORTS_WAITING_MAX, StatusCode};
use crate::remote::RemoteInfo;
use crate::secret::StreamSecret;

/// An `Open` for the peering `a-id`.
pub(crate) fn open() -> Open {
    let remote = RemoteInfo { datacenter: "dc2".into(), ..RemoteInfo::default() };
    Open { peer_id: "a-id".into(), secret: StreamSecret::from_text("s"), remote }
}

/// A subscription as an acceptor sends it.
pub(crate) fn subscription(url: ResourceUrl) -> Frame {
    Frame::Request(Request::subscribe("", url))
}

/// Takes all actions.
pub(crate) fn drain(session: &mut Session) -> Vec<Action> {
    std::iter::from_fn(|| session.poll()).collect()
}

/// No action.
pub(crate) fn nothing() -> [Action; 0] {
    []
}

fn offer() -> Offer {
    let bundle = TrustBundle { trust_domain: "d".into(), root_pems: vec!["pem\n".into()] };
    Offer {
        trust_bundle: Some(bundle),
        server_addresses: vec!["10.0.0.1:8503".into()],
        exported_services: Some(vec![]),
    }
}

fn accepted(now: Instant) -> Session {
    let mut session = Session::accept(now);
    session.on_frame(Frame::Open(open()), now);
    session.answer(Answer::Accepted(offer()), now);
    drain(&mut session);
    session
}

fn both(now: Instant) -> [Session; 2] {
    let mut dialer = Session::dial(open(), offer(), now);
    drain(&mut dialer);
    dialer.on_frame(Frame::Heartbeat, now);
    drain(&mut dialer);
    [accepted(now), dialer]
}

fn request(url: ResourceUrl, nonce: &str, error: Option<Refusal>) -> Frame {
    Frame::Request(Request { peer_id: String::new(), nonce: nonce.to_owned(), url, error })
}

fn response(nonce: &str) -> Frame {
    let resource = Resource::ExportedServiceList(vec!["web".into()]);
    Frame::Response(Response::upsert(nonce.to_owned(), "exported-service-list", resource))
}

fn ended(code: StatusCode, text: &str) -> [Action; 1] {
    [Action::End(Err(Refusal::new(code, text)))]
}

#[test]
fn a_subscription_to_an_unknown_type_ends_the_stream() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(subscription(ResourceUrl::Unknown("a.b/C".into())), now);
        let text = "subscription request to unknown resource URL: a.b/C";
        assert_eq!(drain(&mut session), ended(StatusCode::InvalidArgument, text));
    }
}

#[test]
fn a_first_request_with_a_nonce_ends_the_stream() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(request(ResourceUrl::ExportedServiceList, "00000001", None), now);
        let text = "initial subscription requests for a resource type must not contain a nonce";
        assert_eq!(drain(&mut session), ended(StatusCode::InvalidArgument, text));
    }
}

#[test]
fn a_first_request_with_an_error_ends_the_stream() {
    let now = start_of_time();
    for mut session in both(now) {
        let error = Refusal::new(StatusCode::Other(0), "");
        session.on_frame(request(ResourceUrl::TrustBundle, "", Some(error)), now);
        let text = "initial subscription request for a resource type must not contain an error";
        assert_eq!(drain(&mut session), ended(StatusCode::InvalidArgument, text));
    }
}

#[test]
fn a_nonce_or_type_too_long_to_be_repeated_ends_the_stream() {
    let now = start_of_time();
    let nonce = |bytes: usize| "n".repeat(bytes);
    let url = |bytes: usize| ResourceUrl::Unknown("u".repeat(bytes));
    let with_url = |bytes| {
        let Frame::Response(response) = response("1") else { unreachable!() };
        Frame::Response(Response { url: url(bytes), ..response })
    };
    for mut session in both(now) {
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        drain(&mut session);
        let known = || ResourceUrl::TrustBundle;
        session.on_frame(request(known(), &nonce(NONCE_BYTES_MAX), None), now);
        session.on_frame(response(&nonce(NONCE_BYTES_MAX)), now);
        session.import_done(Ok(()), now);
        session.on_frame(with_url(TYPE_URL_BYTES_MAX), now);
        let answered = drain(&mut session);
        assert_eq!(answered.len(), 3, "stored, acknowledged, and the unknown type refused: {answered:?}");
    }
    for (frame, text) in [
        (request(ResourceUrl::TrustBundle, &nonce(NONCE_BYTES_MAX + 1), None), "a nonce of at most 256 bytes, got 257"),
        (response(&nonce(8 << 20)), "a nonce of at most 256 bytes, got 8388608"),
        (subscription(url(TYPE_URL_BYTES_MAX + 1)), "a resource URL of at most 256 bytes, got 257"),
        (with_url(TYPE_URL_BYTES_MAX + 1), "a resource URL of at most 256 bytes, got 257"),
    ] {
        for mut session in both(now) {
            session.on_frame(frame.clone(), now);
            assert_eq!(drain(&mut session), ended(StatusCode::InvalidArgument, &format!("expected {text}")));
        }
    }
}

#[test]
fn an_acknowledgement_of_nothing_or_of_another_or_a_second_one_changes_nothing() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        let [Action::Send(Frame::Response(sent))] = &drain(&mut session)[..] else { panic!("no trust bundle") };
        for nonce in ["", "ffffffff", sent.nonce.as_str(), sent.nonce.as_str(), "\u{202e}\n"] {
            session.on_frame(request(ResourceUrl::TrustBundle, nonce, None), now);
            assert_eq!(drain(&mut session), nothing(), "{nonce:?}");
            let refusal = Refusal::new(StatusCode::Other(0), "no");
            session.on_frame(request(ResourceUrl::TrustBundle, nonce, Some(refusal.clone())), now);
            let rejected = Action::Rejected { url: ResourceUrl::TrustBundle, nonce: nonce.to_owned(), refusal };
            assert_eq!(drain(&mut session), [rejected], "{nonce:?}");
        }
        assert!(!session.is_ended());
    }
}

#[test]
fn ten_thousand_answers_to_nothing_leave_nothing_behind() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        drain(&mut session);
        for index in 0..10_000 {
            session.on_frame(request(ResourceUrl::TrustBundle, &format!("{index:08x}"), None), now);
            assert!(session.actions.is_empty(), "{index}");
        }
        session.on_frame(subscription(ResourceUrl::Unknown("a.b/C0".into())), now);
        session.on_frame(subscription(ResourceUrl::Unknown("a.b/C1".into())), now);
        let text = "subscription request to unknown resource URL: a.b/C0";
        assert_eq!(drain(&mut session), ended(StatusCode::InvalidArgument, text), "the first of many ends it");
    }
}

#[test]
fn ten_thousand_and_one_names_of_resources_leave_nothing_behind() {
    let now = start_of_time();
    for mut session in both(now) {
        for index in 0..=10_000 {
            let resource = Resource::ExportedService(ExportedService::default());
            let nonce = format!("{index:08x}");
            session.on_frame(Frame::Response(Response::upsert(nonce.clone(), &format!("web-{index}"), resource)), now);
            session.import_done(Ok(()), now);
            let acknowledged = Request::reply(ResourceUrl::ExportedService, nonce, Ok(()));
            assert_eq!(drain(&mut session).last(), Some(&Action::Send(Frame::Request(acknowledged))));
        }
        let Phase::Running(running) = &session.phase else { panic!("it ended") };
        assert_eq!(format!("{:?}", running.imports), format!("{:?}", Imports::default()));
    }
}

#[test]
fn an_acceptor_does_not_compare_the_peer_id_of_a_subscription() {
    let now = start_of_time();
    let mut session = accepted(now);
    session.on_frame(Frame::Request(Request::subscribe("other", ResourceUrl::ExportedServiceList)), now);
    assert_eq!(drain(&mut session), nothing());
    assert!(!session.is_ended());
}

#[test]
fn a_subscription_is_answered_once_and_repeats_are_acknowledgements() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        let sent = drain(&mut session);
        assert!(
            matches!(&sent[..], [Action::Send(Frame::Response(response))]
                if response.nonce == "00000001" && response.operation == Operation::Upsert),
            "{sent:?}"
        );
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        session.on_frame(request(ResourceUrl::TrustBundle, "never sent", None), now);
        assert_eq!(drain(&mut session), nothing());
    }
}

#[test]
fn a_refusal_by_the_peer_is_reported_even_with_code_zero() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        drain(&mut session);
        let refusal = Refusal::new(StatusCode::Other(0), "");
        session.on_frame(request(ResourceUrl::TrustBundle, "00000001", Some(refusal.clone())), now);
        let rejected = Action::Rejected { url: ResourceUrl::TrustBundle, nonce: "00000001".into(), refusal };
        assert_eq!(drain(&mut session), [rejected]);
    }
}

#[test]
fn an_acceptor_tells_addresses_and_roots_and_an_empty_service_list() {
    let now = start_of_time();
    let mut session = accepted(now);
    let mut told = vec![];
    for url in ResourceUrl::KNOWN {
        session.on_frame(subscription(url), now);
        for action in drain(&mut session) {
            let Action::Send(Frame::Response(response)) = action else { panic!("{action:?}") };
            told.push((response.nonce, response.resource_id));
        }
    }
    let expected = [("00000001", "exported-service-list"), ("00000002", "roots"), ("00000003", "server-addrs")];
    assert_eq!(told, expected.map(|(nonce, id)| (nonce.to_owned(), id.to_owned())));
}

#[test]
fn new_roots_are_told_to_those_who_asked() {
    let now = start_of_time();
    for mut session in both(now) {
        let rotated = TrustBundle { trust_domain: "d".into(), root_pems: vec!["old\n".into(), "new\n".into()] };
        let rotated = Offer { trust_bundle: Some(rotated), ..offer() };
        session.offer(rotated.clone());
        assert_eq!(drain(&mut session), nothing());
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        assert_eq!(drain(&mut session).len(), 1);
        session.offer(rotated);
        assert_eq!(drain(&mut session), nothing());
        session.offer(offer());
        assert_eq!(drain(&mut session).len(), 1);
    }
}

#[test]
fn a_response_is_stored_then_acknowledged_with_its_nonce_and_type() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(response("n1"), now);
        let stored = drain(&mut session);
        assert!(matches!(&stored[..], [Action::Store(import)] if import.resource_id == "exported-service-list"));
        session.import_done(Ok(()), now);
        let reply = Request::reply(ResourceUrl::ExportedServiceList, "n1".into(), Ok(()));
        assert_eq!(drain(&mut session), [Action::Send(Frame::Request(reply))]);
    }
}

#[test]
fn reading_stops_while_imports_wait_and_goes_on_when_one_is_stored() {
    let now = start_of_time();
    for mut session in both(now) {
        for _ in 0..=IMPORTS_WAITING_MAX {
            assert!(session.is_reading());
            session.on_frame(response("n"), now);
        }
        assert!(!session.is_reading());
        session.import_done(Ok(()), now);
        assert!(session.is_reading());
    }
}

#[test]
fn reading_stops_while_actions_wait() {
    let now = start_of_time();
    for mut session in both(now) {
        let refused = |session: &mut Session| {
            session.on_frame(
                Frame::Response(Response::upsert(String::new(), "x", Resource::ServerAddresses(vec![]))),
                now,
            );
        };
        for _ in 0..ACTIONS_WAITING_MAX {
            assert!(session.is_reading());
            refused(&mut session);
        }
        assert!(!session.is_reading());
        drain(&mut session);
        assert!(session.is_reading());
    }
}

#[test]
fn a_second_open_and_an_empty_frame_are_ignored() {
    let now = start_of_time();
    for mut session in both(now) {
        let deadline = session.next_deadline();
        session.on_frame(Frame::Open(open()), now + HEARTBEAT_INTERVAL);
        session.on_frame(Frame::Unknown, now + HEARTBEAT_INTERVAL);
        assert_eq!(drain(&mut session), nothing());
        assert_eq!(session.next_deadline(), deadline);
    }
}

#[test]
fn heartbeats_are_sent_every_fifteen_seconds() {
    let now = start_of_time();
    for mut session in both(now) {
        for beat in 1..=7 {
            let due = now + beat * HEARTBEAT_INTERVAL;
            assert_eq!(session.next_deadline(), Some(due));
            session.on_deadline(due);
            assert_eq!(drain(&mut session), [Action::Send(Frame::Heartbeat)]);
        }
    }
}

#[test]
fn traffic_of_other_kinds_does_not_keep_a_stream_alive() {
    let now = start_of_time();
    for mut session in both(now) {
        let almost = now + HEARTBEAT_TIMEOUT - Duration::from_millis(1);
        session.on_frame(subscription(ResourceUrl::TrustBundle), almost);
        session.on_frame(response("n"), almost);
        session.on_frame(Frame::Unknown, almost);
        session.on_deadline(almost);
        assert!(!session.is_ended());
        drain(&mut session);
        session.on_deadline(now + HEARTBEAT_TIMEOUT);
        assert_eq!(drain(&mut session), ended(StatusCode::Unknown, "heartbeat timeout"));
    }
}

#[test]
fn an_acceptor_takes_a_half_close_without_terminated_for_a_failure() {
    let mut session = accepted(start_of_time());
    session.on_end(Ok(()));
    assert_eq!(drain(&mut session), ended(StatusCode::Unknown, "stream ended unexpectedly"));
}

#[test]
fn an_acceptor_says_that_receiving_failed() {
    let mut session = accepted(start_of_time());
    session.on_end(Err(Refusal::new(StatusCode::Other(1), "reset")));
    let text = "unexpected error receiving from the stream: reset";
    assert_eq!(drain(&mut session), ended(StatusCode::Other(1), text));
}

#[test]
fn an_acceptor_told_of_the_end_stores_it_and_says_nothing_until_the_half_close() {
    let now = start_of_time();
    let mut session = accepted(now);
    session.on_frame(Frame::Terminated, now);
    assert_eq!(drain(&mut session), [Action::PeerTerminated]);
    session.on_frame(Frame::Terminated, now);
    session.on_frame(response("n"), now);
    session.on_deadline(now + HEARTBEAT_INTERVAL);
    assert_eq!(drain(&mut session), nothing());
    session.on_end(Ok(()));
    assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
}

#[test]
fn an_acceptor_that_deletes_says_so_once_and_discards_until_the_half_close() {
    let now = start_of_time();
    let mut session = accepted(now);
    session.delete(now);
    session.delete(now);
    assert_eq!(drain(&mut session), [Action::Send(Frame::Terminated)]);
    session.on_frame(response("n"), now);
    session.on_frame(subscription(ResourceUrl::Unknown("x".into())), now);
    session.on_deadline(now + HEARTBEAT_INTERVAL);
    assert_eq!(drain(&mut session), nothing());
    session.on_end(Ok(()));
    assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
}

#[test]
fn terminated_that_crosses_terminated_is_discarded() {
    let now = start_of_time();
    for mut session in both(now) {
        session.delete(now);
        drain(&mut session);
        session.on_frame(Frame::Terminated, now);
        assert_eq!(drain(&mut session), nothing());
        session.on_end(Ok(()));
        assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
    }
}

#[test]
fn a_peer_that_does_not_hang_up_after_terminated_is_left() {
    let now = start_of_time();
    for mut session in both(now) {
        session.delete(now);
        drain(&mut session);
        session.on_deadline(now + FAREWELL_TIMEOUT);
        assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
    }
}

#[test]
fn an_import_that_finishes_after_the_end_is_not_acknowledged() {
    let now = start_of_time();
    for mut session in both(now) {
        session.on_frame(response("n"), now);
        session.delete(now);
        drain(&mut session);
        session.import_done(Ok(()), now);
        assert_eq!(drain(&mut session), nothing());
    }
}

#[test]
fn a_newer_stream_ends_this_one_with_the_text_of_a_second_stream() {
    let now = start_of_time();
    let mut session = accepted(now);
    session.replace();
    let text = "failed to register stream: there is an active stream for the given PeerID \"a-id\"";
    assert_eq!(drain(&mut session), ended(StatusCode::Unknown, text));
}

#[test]
fn a_shutdown_ends_a_stream_without_ending_the_peering() {
    let now = start_of_time();
    for mut session in both(now) {
        session.end(Refusal::shutting_down());
        assert_eq!(drain(&mut session), ended(StatusCode::Unavailable, "the server is shutting down"));
        session.end(Refusal::shutting_down());
        session.on_end(Ok(()));
        session.on_deadline(now + HEARTBEAT_TIMEOUT);
        session.on_frame(Frame::Heartbeat, now);
        assert_eq!(drain(&mut session), nothing(), "nothing follows the end");
    }
}

#[test]
fn a_shutdown_during_a_farewell_does_not_make_a_failure_of_it() {
    let now = start_of_time();
    for mut session in both(now) {
        session.delete(now);
        drain(&mut session);
        session.end(Refusal::shutting_down());
        assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
    }
}
