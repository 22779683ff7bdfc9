//! What the peer listener refuses before anybody looks at it: names, paths, large frames, many streams.

use peering_core::peering::state::Reported;
use rustls::pki_types::ServerName;
use tonic::Code;

use super::foreign_dialer::{ForeignDialer, SERVICE_LIST, SERVICES, shake_hands, told, upsert};
use super::home::Home;
use crate::bounds::{FRAME_BYTES_BEFORE_OPEN_MAX, FRAME_BYTES_MAX};
use crate::peerstream::proto::peerstream::replication_message::{Payload, Request, Response};
use crate::peerstream::proto::peerstream::{ExportedService, ExportedServiceList};
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

/// A request whose message has this many bytes.
fn request_of(bytes: usize) -> Option<Payload> {
    // Three bytes of tag and length for the payload and three for the field, at these sizes.
    let overhead = if bytes > 1 << 14 { 8 } else { 6 };
    Some(Payload::Request(Request { resource_url: "x".repeat(bytes - overhead), ..Request::default() }))
}

#[tokio::test]
async fn a_frame_before_open_may_have_16_kib() {
    let home = Home::start("dc1").await;
    let dialer = ForeignDialer::connect(&home.token("peer").await).await;
    let stream = dialer.stream();
    stream.say(request_of(FRAME_BYTES_BEFORE_OPEN_MAX)).await;
    assert_eq!(stream.refused().await.0, 3, "read, and not an Open");
    let stream = dialer.stream();
    stream.say(request_of(FRAME_BYTES_BEFORE_OPEN_MAX + 100)).await;
    let (code, text) = stream.refused().await;
    assert_eq!(code, 8);
    assert!(text.starts_with("expected a frame of at most 16384 bytes, got 164"), "{text}");
}

#[tokio::test]
async fn an_exchange_may_have_16_kib() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let refused = dialer.exchange(&token.peer_id, &"x".repeat(FRAME_BYTES_BEFORE_OPEN_MAX), None).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    dialer.redeem(&token).await;
}

/// A service with one instance of a quarter of a megabyte after the other.
fn large_service(bytes: usize) -> Response {
    let text = |bytes| "x".repeat(bytes);
    let instance = |index: usize| {
        let node = Node { node: format!("n{index}"), ..Node::default() };
        let service = NodeService { id: format!("s{index}"), address: text(240_000), ..NodeService::default() };
        CheckServiceNode { node: Some(node), service: Some(service), ..CheckServiceNode::default() }
    };
    let nodes = (0..bytes / 240_100).map(instance).collect();
    upsert("large", SERVICES, "web", &ExportedService { nodes })
}

#[tokio::test]
async fn after_open_a_frame_may_have_8_mib() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = dialer.redeem(&token).await;
    let mut stream = dialer.dialed(&token.peer_id, &secret).await;
    let services = (0..9_000).map(|index| format!("service-{index:05}")).collect();
    let reply = stream.offer(upsert("list", SERVICE_LIST, "exported-service-list", &ExportedServiceList { services }));
    assert_eq!(reply.await.error, None);
    let large = large_service(7_900_000);
    assert!(prost::Message::encoded_len(&large) > 7_600_000);
    assert_eq!(stream.offer(large).await.error, None);
    assert_eq!(home.view("peer").await.unwrap().stream.unwrap().imported_services.len(), 9_000);

    stream.say(Some(Payload::Response(large_service(FRAME_BYTES_MAX + 500_000)))).await;
    let (_, (code, text)) = stream.ended().await;
    assert_eq!(code, 8);
    assert!(text.contains("expected a frame of at most 8388608 bytes"), "{text}");
    home.reads("peer", Reported::Failing).await;
}
