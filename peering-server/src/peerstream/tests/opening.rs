//! Opening a stream with our acceptor: what is accepted, and every refusal with its code and text.

use std::time::Duration;

use peering_core::peering::state::Reported;
use peering_core::peerstream::OPEN_TIMEOUT;
use tonic::Code;

use super::clock::skip;
use super::foreign_acceptor::{ForeignAcceptor, STREAM_SECRET};
use super::foreign_dialer::{ADDRESSES, ALL, ForeignDialer, SERVICE_LIST, SERVICES, TRUST_BUNDLE};
use super::home::Home;
use crate::peerstream::proto::common::Locality;
use crate::peerstream::proto::peering::RemoteInfo;
use crate::peerstream::proto::peerstream::replication_message::{Heartbeat, Open, Payload, Request, Terminated};

const STRANGER: &str = "00000000-1111-4222-8333-444444444444";

#[tokio::test]
async fn the_first_frame_must_be_open() {
    let home = Home::start("dc1").await;
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    let subscription = Request { resource_url: SERVICES.to_owned(), ..Request::default() };
    for frame in [
        Some(Payload::Heartbeat(Heartbeat {})),
        Some(Payload::Terminated(Terminated {})),
        Some(Payload::Request(subscription)),
        None,
    ] {
        let stream = dialer.stream();
        stream.say(frame).await;
        let expected = (3, "first message when initiating a peering must be: Open".to_owned());
        assert_eq!(stream.refused().await, expected);
    }
}

#[tokio::test]
async fn a_peer_id_must_be_there_and_a_uuid_and_known() {
    let home = Home::start("dc1").await;
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    for (peer_id, code, text) in [
        ("", 3, "initial subscription request must specify a PeerID".to_owned()),
        ("nonsense", 13, "failed to find PeerID: nonsense".to_owned()),
        (STRANGER, 3, format!("initial subscription for unknown PeerID: {STRANGER}")),
    ] {
        assert_eq!(dialer.dial(peer_id, "x").await.refused().await, (code, text));
    }
}

#[tokio::test]
async fn a_stream_secret_must_be_the_active_or_the_pending_one() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let refused = (7, "invalid peering stream secret".to_owned());
    let establishment = token.establishment_secret.expose();
    for wrong in ["", "nonsense", establishment] {
        assert_eq!(dialer.dial(&token.peer_id, wrong).await.refused().await, refused);
    }
    let secret = dialer.redeem(&token).await;
    assert_eq!(dialer.dial(&token.peer_id, establishment).await.refused().await, refused);
    assert_eq!(home.state("peer").await, Some(Reported::Pending), "refused opens leave no trace");
    let _stream = dialer.dialed(&token.peer_id, &secret).await;
    assert_eq!(home.state("peer").await, Some(Reported::Active));
}

#[tokio::test]
async fn a_peering_without_secrets_must_be_re_established() {
    let home = Home::start("dc1").await;
    let acceptor = ForeignAcceptor::start().await;
    let mut token = acceptor.token(&[acceptor.address()]);
    token.server_addresses = vec!["127.0.0.1:1".to_owned()];
    home.establish("dialed", &token.encode()).await.unwrap_err();
    let id = home.view("dialed").await.unwrap().peering.local_id.to_string();
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    let text = "unable to authorize connection, peering must be re-established".to_owned();
    assert_eq!(dialer.dial(&id, STREAM_SECRET).await.refused().await, (13, text));
}

#[tokio::test]
async fn the_end_that_dials_is_not_dialed_even_with_the_right_secret() {
    let home = Home::start("dc1").await;
    let acceptor = ForeignAcceptor::start().await;
    home.establish("dialed", &acceptor.token_text()).await.unwrap();
    let id = home.view("dialed").await.unwrap().peering.local_id.to_string();
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    let text = "expected PeerID to be empty; the wrong end of peering is being dialed".to_owned();
    assert_eq!(dialer.dial(&id, STREAM_SECRET).await.refused().await, (3, text));
    let text = "invalid peering stream secret".to_owned();
    assert_eq!(dialer.dial(&id, "x").await.refused().await, (7, text), "and a wrong one is told nothing");
}

#[tokio::test]
async fn a_call_that_does_not_open_within_ten_seconds_is_ended() {
    let home = Home::start("dc1").await;
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    let stream = dialer.stream();
    // The call is under way once the server has answered another one on the same connection.
    dialer.exchange("x", "x", None).await.unwrap_err();
    skip(OPEN_TIMEOUT).await;
    let text = "expected Open within 10 s of the call".to_owned();
    assert_eq!(stream.refused().await, (4, text));
}

#[tokio::test]
async fn what_a_dialer_says_of_itself_is_bounded() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let stream_secret_id = dialer.redeem(&token).await;
    let locality = Some(Locality { region: "r".repeat(254), zone: String::new() });
    let remote = Some(RemoteInfo { locality, ..RemoteInfo::default() });
    let stream = dialer.stream();
    stream.say(Some(Payload::Open(Open { peer_id: token.peer_id.clone(), stream_secret_id, remote }))).await;
    let text = "expected at most 253 bytes in each field of Remote, got 254".to_owned();
    assert_eq!(stream.refused().await, (3, text));
    assert_eq!(home.view("peer").await.unwrap().peering.remote, Default::default());
}

#[tokio::test]
async fn acceptance_shows_as_three_subscriptions_without_a_peer_id_and_a_heartbeat_at_once() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.open(&token.peer_id, &secret).await;
    for url in [SERVICES, SERVICE_LIST, TRUST_BUNDLE] {
        let expected = Request { resource_url: url.to_owned(), ..Request::default() };
        assert_eq!(stream.next().await.unwrap(), Some(Payload::Request(expected)));
    }
    assert_eq!(stream.next().await.unwrap(), Some(Payload::Heartbeat(Heartbeat {})));
}

#[tokio::test]
async fn every_type_is_told_once_it_is_asked_for() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    let mut told = vec![];
    while told.len() < 3 {
        if let Some(Payload::Response(response)) = stream.next().await.unwrap() {
            told.push(response);
        }
    }
    let nonces: Vec<_> = told.iter().map(|response| response.nonce.as_str()).collect();
    assert_eq!(nonces, ["00000001", "00000002", "00000003"]);
    for response in told {
        let (url, any) = (response.resource_url.as_str(), response.resource.unwrap());
        assert_eq!((any.type_url.as_str(), response.operation), (url, 1));
        match url {
            SERVICE_LIST => {
                assert_eq!((response.resource_id.as_str(), any.value.len()), ("exported-service-list", 0));
            }
            TRUST_BUNDLE => {
                use crate::peerstream::proto::peering::PeeringTrustBundle;
                let bundle: PeeringTrustBundle = prost::Message::decode(any.value.as_slice()).unwrap();
                assert_eq!((response.resource_id.as_str(), &bundle.root_pems), ("roots", &token.ca));
                let domain = token.server_name.strip_prefix("server.dc1.peering.").unwrap();
                assert_eq!(bundle.trust_domain, domain);
            }
            ADDRESSES => {
                use crate::peerstream::proto::peering::PeeringServerAddresses;
                let list: PeeringServerAddresses = prost::Message::decode(any.value.as_slice()).unwrap();
                assert_eq!(
                    (response.resource_id.as_str(), list.addresses),
                    ("server-addrs", token.server_addresses.clone())
                );
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_promotion_stores_what_the_dialer_says_of_itself_and_a_later_open_does_not() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    for datacenter in ["dc-first", "dc-later", "dc-later"] {
        let mut stream = dialer.stream();
        stream.open(&token.peer_id, &secret, datacenter).await;
        stream.next().await.unwrap().unwrap();
        assert_eq!(home.view("peer").await.unwrap().peering.remote.datacenter, "dc-first");
    }
}

#[tokio::test]
async fn a_promotion_voids_the_secret_before_it() {
    let home = Home::start("dc1").await;
    let first = home.token("peer").await;
    let dialer = ForeignDialer::connect(&first).await;
    let old = dialer.redeem(&first).await;
    drop(dialer.dialed(&first.peer_id, &old).await);
    let second = home.token("peer").await;
    let new = dialer.redeem(&second).await;
    drop(dialer.dialed(&first.peer_id, &old).await);
    let mut stream = dialer.dialed(&first.peer_id, &new).await;
    let refused = (7, "invalid peering stream secret".to_owned());
    assert_eq!(dialer.dial(&first.peer_id, &old).await.refused().await, refused);
    stream.acknowledge(SERVICES, "00000001").await;
    stream.subscribe("", "nonsense").await;
    let (_, (code, _)) = stream.ended().await;
    assert_eq!(code, 3, "the stream was still read after the refusal of the other");
}

#[tokio::test]
async fn a_terminated_peering_is_refused_with_a_status_alone() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    stream.terminate().await;
    stream.half_close();
    let (frames, status) = stream.ended().await;
    assert_eq!(status.0, 0);
    assert!(!frames.iter().any(|frame| matches!(frame, Payload::Terminated(_))), "it knows already");
    assert_eq!(home.state("peer").await, Some(Reported::Terminated));
    let text = format!("peering is marked as deleted: {}", token.peer_id);
    assert_eq!(dialer.dial(&token.peer_id, &secret).await.refused().await, (10, text));
}

#[tokio::test]
async fn a_deleted_peering_is_refused_with_terminated_first_while_it_goes_and_after() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    // A peer that does not hang up keeps the record in DELETING for a while.
    let mut slow = dialer.dialed(&token.peer_id, &secret).await;
    home.delete("peer").await;
    while slow.next().await.unwrap() != Some(Payload::Terminated(Terminated {})) {}
    assert_eq!(home.state("peer").await, Some(Reported::Deleting));
    let text = format!("peering is marked as deleted: {}", token.peer_id);
    for is_gone in [false, true] {
        if is_gone {
            slow.half_close();
            assert_eq!(slow.ended().await.1.0, 0);
            home.is_gone("peer").await;
        }
        let mut late = dialer.dial(&token.peer_id, &secret).await;
        assert_eq!(late.next().await.unwrap(), Some(Payload::Terminated(Terminated {})), "gone: {is_gone}");
        late.half_close();
        assert_eq!(late.ended().await, (vec![], (10, text.clone())), "gone: {is_gone}");
    }
    let refused = dialer.exchange(&token.peer_id, token.establishment_secret.expose(), None).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_refusal_waits_for_the_subscriptions_that_are_on_their_way() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let stream = dialer.open(&token.peer_id, "wrong").await;
    dialer.exchange("x", "x", None).await.unwrap_err();
    skip(Duration::from_millis(90)).await;
    for url in ALL {
        stream.subscribe(&token.peer_id, url).await;
    }
    assert_eq!(stream.refused().await.0, 7);
}

#[tokio::test]
async fn a_dialer_that_takes_no_window_can_still_be_refused() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect_by(&token, |endpoint| endpoint.initial_stream_window_size(0)).await;
    assert_eq!(dialer.dial(&token.peer_id, "wrong").await.refused().await.0, 7);
}
