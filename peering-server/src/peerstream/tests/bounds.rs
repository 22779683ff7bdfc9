//! What the peer listener refuses before anybody looks at it: names, paths, large frames, many streams.

use peering_core::peering::state::Reported;
use prost::Message;
use rustls::pki_types::ServerName;
use tonic::Code;

use super::clock::until;
use super::foreign_acceptor::ForeignAcceptor;
use super::foreign_dialer::{ForeignDialer, SERVICE_LIST, shake_hands, told, upsert};
use super::home::Home;
use crate::bounds::{FRAME_BYTES_BEFORE_OPEN_MAX, FRAME_BYTES_MAX, SERVICES_MAX};
use crate::peerstream::proto::peerstream::replication_message::{Payload, Request, Response};
use crate::peerstream::proto::peerstream::{ExchangeSecretRequest, ExportedServiceList, ReplicationMessage};

#[tokio::test]
async fn only_the_server_name_of_the_token_is_served() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let own = ServerName::try_from(token.server_name.clone()).unwrap();
    shake_hands(&token, own).await.unwrap();
    let loopback = ServerName::try_from("127.0.0.1").unwrap();
    let other = ServerName::try_from("server.dc2.peering.example.consul").unwrap();
    for (why, name) in [("no SNI", loopback), ("another SNI", other)] {
        let refused = shake_hands(&token, name).await.unwrap_err();
        assert!(refused.to_string().contains("alert"), "{why}: {refused}");
    }
}

#[tokio::test]
async fn no_other_service_answers() {
    let home = Home::start("dc1").await;
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    for path in ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/"] {
        let refused = dialer.call(path).await;
        assert_eq!(told(&refused), (7, "invalid permissions to the specified endpoint"), "{path}");
    }
    let unknown = "/hashicorp.consul.internal.peerstream.PeerStreamService/Other";
    assert_eq!(dialer.call(unknown).await.code(), Code::Unimplemented);
}

/// The shortest of these messages that has this many bytes; the text that fills it is given by its length.
fn of_bytes<M: Message>(bytes: usize, filled: impl Fn(usize) -> M) -> M {
    let overhead = filled(bytes).encoded_len() - bytes;
    // A shorter text may have a shorter length in front.
    let found = (bytes - overhead..bytes).map(filled).find(|message| message.encoded_len() == bytes);
    found.unwrap_or_else(|| panic!("no message has {bytes} bytes"))
}

/// A request whose message has this many bytes.
fn request_of(bytes: usize) -> Option<Payload> {
    let request = |length| {
        let payload = Some(Payload::Request(Request { resource_url: "x".repeat(length), ..Request::default() }));
        ReplicationMessage { payload }
    };
    of_bytes(bytes, request).payload
}

#[tokio::test]
async fn a_frame_before_open_may_have_16_kib() {
    let home = Home::start("dc1").await;
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    let stream = dialer.stream();
    stream.say(request_of(FRAME_BYTES_BEFORE_OPEN_MAX)).await;
    assert_eq!(stream.refused().await.0, 3, "read, and not an Open");
    let stream = dialer.stream();
    stream.say(request_of(FRAME_BYTES_BEFORE_OPEN_MAX + 1)).await;
    assert_eq!(stream.refused().await, (8, "expected a frame of at most 16384 bytes, got 16385".to_owned()));
}

#[tokio::test]
async fn an_exchange_may_have_16_kib() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret_of = |bytes| {
        let ask =
            |length| ExchangeSecretRequest { peer_id: token.peer_id.clone(), establishment_secret: "x".repeat(length) };
        of_bytes(bytes, ask).establishment_secret
    };
    for (bytes, code) in [
        (FRAME_BYTES_BEFORE_OPEN_MAX, Code::PermissionDenied),
        (FRAME_BYTES_BEFORE_OPEN_MAX + 1, Code::ResourceExhausted),
        (FRAME_BYTES_MAX, Code::ResourceExhausted),
    ] {
        let refused = dialer.exchange(&token.peer_id, &secret_of(bytes), None).await.unwrap_err();
        assert_eq!(refused.code(), code, "{bytes}");
    }
    dialer.redeem(&token).await;
}

/// A list of services in a message of this many bytes. Its nonce fills it, so the acknowledgement is about as long.
fn list_of(bytes: usize) -> Response {
    let services = (0..SERVICES_MAX).map(|index| format!("service-{index:05}")).collect();
    let list = ExportedServiceList { services };
    let response = |length| {
        let payload =
            Some(Payload::Response(upsert(&"x".repeat(length), SERVICE_LIST, "exported-service-list", &list)));
        ReplicationMessage { payload }
    };
    // The list itself is long too, which the search for a length need not know.
    let empty = response(0).encoded_len();
    let filled = |length: usize| response(length.saturating_sub(empty));
    match of_bytes(bytes, filled).payload {
        Some(Payload::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn after_open_a_frame_may_have_8_mib_and_so_may_its_acknowledgement() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    let large = list_of(FRAME_BYTES_MAX);
    let nonce = large.nonce.clone();
    assert!(nonce.len() > 8_000_000, "{}", nonce.len());
    let reply = stream.offer(large).await;
    assert_eq!((reply.error, reply.response_nonce == nonce), (None, true));
    assert_eq!(home.view("peer").await.unwrap().stream.unwrap().imported_services.len(), SERVICES_MAX);

    stream.say(Some(Payload::Response(list_of(FRAME_BYTES_MAX + 1)))).await;
    let (_, (code, text)) = stream.ended().await;
    assert_eq!(code, 8);
    assert!(text.ends_with("expected a frame of at most 8388608 bytes, got 8388609"), "{text}");
    home.reads("peer", Reported::Failing).await;
}

#[tokio::test]
async fn a_refusal_that_would_be_longer_than_any_frame_ends_the_stream_and_nothing_else() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    // A response of nothing but a nonce: what refuses it repeats the nonce, and says why besides.
    let bare = |length| {
        let response = Response { nonce: "x".repeat(length), ..Response::default() };
        ReplicationMessage { payload: Some(Payload::Response(response)) }
    };
    stream.say(of_bytes(FRAME_BYTES_MAX, bare).payload).await;
    let (_, (code, _)) = stream.ended().await;
    assert_ne!(code, 0);
    home.reads("peer", Reported::Failing).await;
    dialer.dialed(&token.peer_id, &secret).await;
    home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn an_acceptor_may_send_8_mib_in_a_frame_too_and_no_more() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let call = acceptor.call().await.connected().await;
    call.say(Payload::Response(list_of(FRAME_BYTES_MAX))).await;
    let imported = async || home.view("peer").await.unwrap().stream.unwrap().imported_services.len();
    until("the list is there", async || imported().await == SERVICES_MAX).await;
    home.reads("peer", Reported::Active).await;
    call.say(Payload::Response(list_of(FRAME_BYTES_MAX + 1))).await;
    home.reads("peer", Reported::Failing).await;
}
