//! What the peer listener refuses before anybody looks at it: names, paths, large frames, many streams.

use peering_core::peering::state::Reported;
use prost::Message;
use rustls::pki_types::ServerName;
use tonic::Code;

use super::clock::until;
use super::foreign_acceptor::ForeignAcceptor;
use super::foreign_dialer::{ForeignDialer, SERVICE_LIST, SERVICES, shake_hands, told, upsert};
use super::home::Home;
use crate::bounds::{FRAME_BYTES_BEFORE_OPEN_MAX, FRAME_BYTES_MAX, SERVICES_MAX};
use crate::peerstream::proto::peerstream::replication_message::{Payload, Request, Response};
use crate::peerstream::proto::peerstream::{
    ExchangeSecretRequest, ExportedService, ExportedServiceList, ReplicationMessage,
};
use crate::peerstream::proto::service::{CheckServiceNode, Node, NodeService};

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

/// A service in a message of this many bytes: one instance of a quarter of a megabyte after the other.
fn service_of(bytes: usize) -> Payload {
    const INSTANCE_BYTES: usize = 240_000;
    let instance = |(index, length): (usize, usize)| {
        let node = Node { node: format!("n{index}"), ..Node::default() };
        let service = NodeService { id: format!("s{index}"), address: "x".repeat(length), ..NodeService::default() };
        CheckServiceNode { node: Some(node), service: Some(service), ..CheckServiceNode::default() }
    };
    let message = |length: usize| {
        let lengths = std::iter::repeat_n(INSTANCE_BYTES, length / INSTANCE_BYTES).chain([length % INSTANCE_BYTES]);
        let nodes = lengths.enumerate().map(instance).collect();
        let payload = Some(Payload::Response(upsert("large", SERVICES, "web", &ExportedService { nodes })));
        ReplicationMessage { payload }
    };
    of_bytes(bytes, message).payload.unwrap()
}

/// The longest list of services.
fn longest_list() -> Response {
    let services = (0..SERVICES_MAX).map(|index| format!("service-{index:05}")).collect();
    upsert("list", SERVICE_LIST, "exported-service-list", &ExportedServiceList { services })
}

#[tokio::test]
async fn after_open_a_frame_may_have_8_mib() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    assert_eq!(stream.offer(longest_list()).await.error, None);
    let Payload::Response(large) = service_of(FRAME_BYTES_MAX) else { unreachable!() };
    assert_eq!(stream.offer(large).await.error, None);
    assert_eq!(home.view("peer").await.unwrap().stream.unwrap().imported_services.len(), SERVICES_MAX);

    stream.say(Some(service_of(FRAME_BYTES_MAX + 1))).await;
    let (_, (code, text)) = stream.ended().await;
    assert_eq!(code, 8);
    assert!(text.ends_with("expected a frame of at most 8388608 bytes, got 8388609"), "{text}");
    home.reads("peer", Reported::Failing).await;
    home.fails_by("peer", "protocol-violation").await;
}

#[tokio::test]
async fn an_acceptor_may_send_8_mib_in_a_frame_too_and_no_more() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let call = acceptor.call().await.connected().await;
    call.say(service_of(FRAME_BYTES_MAX)).await;
    call.say(Payload::Response(longest_list())).await;
    let imported = async || home.view("peer").await.unwrap().stream.unwrap().imported_services.len();
    until("what came after the large frame is there", async || imported().await == SERVICES_MAX).await;
    home.reads("peer", Reported::Active).await;
    call.say(service_of(FRAME_BYTES_MAX + 1)).await;
    home.reads("peer", Reported::Failing).await;
    home.fails_by("peer", "protocol-violation").await;
}
