//! The bounds of one HTTP/2 connection, exactly: streams, resets, header lists, and bursts that are no flood.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use peering_core::name::{Datacenter, TrustDomain};
use peering_server::bounds::{
    HTTP2_FAULTS_MAX, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_REQUESTS_PER_CONNECTION_MAX, HTTP2_RESETS_WAITING_MAX,
    HTTP2_STREAM_WINDOW_BYTES, STREAMS_PER_CONNECTION_MAX,
};
use peering_server::ca::{Authority, LeafKeeper, Purpose};
use peering_server::listen::{ListenAddress, ListenerEntry, TlsRule, http, serve};
use peering_server::tls::{ALPN_H2, ServerTls, client_config};
use peering_tests::cluster::Cluster;
use peering_tests::door::Door;
use peering_tests::h2::{
    END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Ended, Kind, REFUSED_STREAM, block, flood, flood_until, frame, message,
    request,
};
use peering_tests::hand::HandDialer;
use peering_tests::token;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{EXCHANGE, STREAM, stream};

/// Streams at a time on the peer listener.
const STREAMS: u32 = STREAMS_PER_CONNECTION_MAX;

/// A cluster and the way to its peer listener.
async fn peer_listener() -> (Cluster, Door) {
    let cluster = Cluster::start("dc1").await;
    let door = Door::of(&cluster.generate("dc2").await);
    (cluster, door)
}

async fn sent(door: &Door, times: u32, chunk: impl FnMut(u32) -> Vec<u8>) -> Ended {
    flood(door.enter().await.unwrap(), times, chunk).await
}

fn call(number: u32) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS, stream(number), &request(STREAM))
}

fn reset(number: u32) -> Vec<u8> {
    [call(number), frame(Kind::RstStream, 0, stream(number), &[0, 0, 0, 8])].concat()
}

#[tokio::test]
async fn eight_streams_run_on_a_connection_and_a_ninth_is_refused() {
    let (_cluster, door) = peer_listener().await;
    assert_eq!(STREAMS, 8);
    let at = sent(&door, STREAMS, call).await;
    assert_eq!((at.resets.as_slice(), at.go_away, at.is_closed), (&[][..], None, false), "{at:?}");
    let past = sent(&door, STREAMS + 1, call).await;
    assert_eq!(
        (past.resets.as_slice(), past.go_away, past.is_closed),
        (&[REFUSED_STREAM][..], None, false),
        "{past:?}"
    );
}

#[tokio::test]
async fn the_server_tells_its_bounds() {
    let (_cluster, door) = peer_listener().await;
    let told = sent(&door, 0, call).await;
    // Streams, the window of each, and the header list: RFC 9113, section 6.5.2.
    let expected = [(3, STREAMS), (4, HTTP2_STREAM_WINDOW_BYTES), (6, HTTP2_HEADER_LIST_BYTES_MAX + 1)];
    for (number, value) in expected {
        assert_eq!(told.settings.get(&number), Some(&value), "{told:?}");
    }
}

#[tokio::test]
async fn so_many_refused_streams_are_forgiven_and_no_more() {
    let (_cluster, door) = peer_listener().await;
    let faults = u32::try_from(HTTP2_FAULTS_MAX).unwrap();
    let at = sent(&door, STREAMS + faults, call).await;
    assert_eq!((at.resets.len(), at.go_away), (HTTP2_FAULTS_MAX, None), "{at:?}");
    let past = sent(&door, STREAMS + faults + 1, call).await;
    assert_eq!((past.go_away, past.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{past:?}");
}

#[tokio::test]
async fn so_many_resets_at_once_are_forgiven_and_no_more() {
    let (_cluster, door) = peer_listener().await;
    let waiting = u32::try_from(HTTP2_RESETS_WAITING_MAX).unwrap();
    let at = sent(&door, waiting, reset).await;
    assert_eq!((at.go_away, at.is_closed), (None, false), "{at:?}");
    let past = sent(&door, waiting + 1, reset).await;
    assert_eq!((past.go_away, past.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{past:?}");
}

/// The header block of an exchange whose header list has this many bytes, with 32 for each field.
fn list_of(bytes: usize) -> Vec<u8> {
    const FIELD_BYTES: usize = 32;
    let mut list = request(EXCHANGE);
    // What `block` writes for short fields: three bytes besides name and value.
    let mut counted = 6 * FIELD_BYTES;
    counted += list.len() - 6 * 3;
    let rest = bytes - counted - FIELD_BYTES - "x".len();
    list.extend(block(&[("x", &"y".repeat(rest))]));
    list
}

#[tokio::test]
async fn a_header_list_may_have_16_kib() {
    let (_cluster, door) = peer_listener().await;
    let list = |bytes: usize| move |_| frame(Kind::Headers, END_HEADERS | END_STREAM, 1, &list_of(bytes));
    let max = HTTP2_HEADER_LIST_BYTES_MAX as usize;
    let answered = async |list| {
        let socket = door.enter().await.unwrap();
        flood_until(socket, 1, list, |ended| !ended.blocks.is_empty()).await
    };
    let at = answered(list(max)).await;
    assert_eq!((at.answers(), at.blocks.len(), at.go_away), (1, 1, None), "{at:?}");
    let past = answered(list(max + 1)).await;
    assert_eq!((past.answers(), past.go_away), (0, None), "{past:?}");
    // ":status" of the static table with the text 431, Huffman-coded or not.
    assert!(past.blocks.len() == 1 && past.blocks[0][0] & 0x0f == 8, "{past:?}");
}

#[tokio::test]
async fn a_burst_of_acknowledgements_is_no_flood() {
    let cluster = Cluster::start("dc1").await;
    let token = cluster.generate("dc2").await;
    let secret = HandDialer::with(&token).await.exchange().await.unwrap();
    let open = HandDialer::open_bytes(&token::claim(&token, "PeerID"), &secret);
    let ack = HandDialer::acknowledgement_bytes();
    let pieces = HTTP2_STREAM_WINDOW_BYTES / 128;
    assert!((90..128).contains(&message(&ack).len()), "{}", message(&ack).len());
    let pieces_of = |number| match number {
        0 => call(0),
        1 => frame(Kind::Data, 0, 1, &message(&open)),
        _ => frame(Kind::Data, 0, 1, &message(&ack)),
    };
    let socket = Door::of(&token).enter().await.unwrap();
    let ended = flood_until(socket, pieces, pieces_of, |ended| ended.answers() > 0).await;
    assert_eq!((ended.answers(), ended.go_away, ended.is_closed), (1, None, false), "{ended:?}");
    cluster.eventually_reads("dc2", "frame", |peering| peering["StreamStatus"]["LastReceive"].is_string()).await;
}

/// A listener of the HTTP API that speaks HTTP/2, which the server does not offer yet.
async fn http_listener() -> (Door, DropGuard) {
    const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
    let domain = TrustDomain::parse(DOMAIN).unwrap();
    let authority = Arc::new(Authority::create(Purpose::Peering, &domain, Timestamp::now()).unwrap());
    let root = authority.root_pem().to_owned();
    let leaf = LeafKeeper::start(authority, Datacenter::parse("dc1").unwrap(), Timestamp::now()).unwrap();
    let name = format!("server.dc1.peering.{DOMAIN}");
    let mut entry = ListenerEntry::http(ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))));
    entry.tls = TlsRule::ByServerName(ServerTls::new([(name.clone(), leaf.slot())], &[ALPN_H2]).unwrap());
    let listener = entry.bind().await.unwrap();
    let address = listener.tcp_address().unwrap();
    let shutdown = CancellationToken::new();
    let router = Router::new().fallback(std::future::pending::<()>);
    let handler = move |connection| http::serve_connection(connection, router.clone());
    tokio::spawn(serve(listener, handler, shutdown.clone()));
    let config = client_config([root.as_str()], Timestamp::now).unwrap();
    (Door::to(address, config, &name, ALPN_H2), shutdown.drop_guard())
}

#[tokio::test]
async fn the_http_api_has_the_same_bounds_and_more_streams() {
    let (door, _stop) = http_listener().await;
    let at = sent(&door, HTTP2_REQUESTS_PER_CONNECTION_MAX, call).await;
    assert_eq!((at.resets.as_slice(), at.go_away), (&[][..], None), "{at:?}");
    let past = sent(&door, HTTP2_REQUESTS_PER_CONNECTION_MAX + 1, call).await;
    assert_eq!((past.resets.as_slice(), past.go_away), (&[REFUSED_STREAM][..], None), "{past:?}");
    let resets = sent(&door, 10_000, reset).await;
    assert_eq!((resets.go_away, resets.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{resets:?}");
    let list =
        |_| frame(Kind::Headers, END_HEADERS | END_STREAM, 1, &list_of(HTTP2_HEADER_LIST_BYTES_MAX as usize * 5));
    let large = sent(&door, 1, list).await;
    assert!(large.is_closed, "a frame of more than 16 KiB: {large:?}");
}
