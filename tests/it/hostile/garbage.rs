//! Garbage, and the languages of other ports, on every port: each connection ends, and the port serves the next one.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;

use peering_server::bounds::{REQUEST_HEAD_MAX, TLS_HANDSHAKE_MAX};
use peering_tests::cluster::Cluster;
use peering_tests::door::Door;
use peering_tests::h2::{Kind, frame};
use peering_tests::hand::HandDialer;
use peering_tests::site::private_directory;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{pause, resume, timeout};

/// Longest life of a connection that makes no sense.
const END_WITHIN: Duration = Duration::from_secs(15);
/// How long the machine itself may take to bring the end of a connection, while deadlines come at once.
const BROUGHT_WITHIN: Duration = Duration::from_secs(30);

/// What is said, with a name.
fn garbage(door: &Door) -> Vec<(&'static str, Vec<u8>)> {
    let seed = RandomState::new().hash_one(());
    println!("random bytes of {seed}");
    let random = random(seed).take(2_000).collect();
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(Kind::Settings, 0, 0, &[])[..]].concat();
    vec![
        ("nothing", Vec::new()),
        ("random bytes", random),
        ("64 KiB of zeros", vec![0; 1 << 16]),
        ("1 MiB of ones", vec![0xff; 1 << 20]),
        ("line ends", b"\r\n".repeat(10_000)),
        ("a line without end", vec![b'A'; 100_000]),
        ("a banner of SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec()),
        ("a hello of TLS", door.hello()),
        ("a preface of HTTP/2", preface),
        ("a request of HTTP/1.1 without Host", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a request of HTTP/0.9", b"GET /\r\n".to_vec()),
        ("a request to a proxy", b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n".to_vec()),
        ("an endless list of headers", [&b"GET / HTTP/1.1\r\n"[..], &b"X: y\r\n".repeat(20_000)].concat()),
        ("two lengths", b"POST /v1/peering/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx".to_vec()),
        ("a length and pieces", b"POST /v1/peering/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a piece of 16 EiB", b"POST /v1/peering/token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_vec()),
    ]
}

/// Returns the bytes of a xorshift generator, the same for the same seed.
fn random(seed: u64) -> impl Iterator<Item = u8> {
    std::iter::successors(Some(seed | 1), |state| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 7);
        Some(state ^ (state << 17))
    })
    .map(|state| state.to_be_bytes()[0])
}

/// Says it and reads to the end.
async fn say(what: &str, bytes: &[u8], mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Vec<u8> {
    // Whoever is cut half-way learns it by reading.
    let _ = timeout(END_WITHIN, stream.write_all(bytes)).await;
    let (mut came, begun) = (Vec::new(), std::time::Instant::now());
    loop {
        match timeout(END_WITHIN, stream.read_buf(&mut came)).await {
            Ok(Ok(0) | Err(_)) => return came,
            Ok(Ok(_)) => {}
            // All deadlines have come, and what they led to is on its way: on a busy machine for longer than no time.
            Err(_) => assert!(begun.elapsed() < BROUGHT_WITHIN, "{what}: the connection is still there"),
        }
    }
}

#[track_caller]
fn is_a_refusal(what: &str, came: &[u8]) {
    let text = String::from_utf8_lossy(came);
    let is_refused = came.is_empty() || text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4");
    assert!(is_refused, "{what}: {text:?}");
}

async fn unix(path: &Path) -> UnixStream {
    UnixStream::connect(path).await.unwrap()
}

#[tokio::test]
async fn every_port_survives_every_garbage() {
    let directory = private_directory();
    let socket = directory.path().join("api.sock");
    let cluster = Cluster::start_changed("dc1", |config| config.http_unix.push(socket.clone())).await;
    let token = cluster.generate("dc2").await;
    let door = Door::of(&token);
    for (what, bytes) in garbage(&door) {
        let http = TcpStream::connect(cluster.http().address()).await.unwrap();
        let local = unix(&socket).await;
        let peer = TcpStream::connect(door.address()).await.unwrap();
        let inside = door.enter().await.unwrap();
        // Deadlines come at once; how long they are is measured elsewhere.
        pause();
        let (http, local, peer, inside) = tokio::join!(
            say(what, &bytes, http),
            say(what, &bytes, local),
            say(what, &bytes, peer),
            say(what, &bytes, inside)
        );
        resume();
        is_a_refusal(what, &http);
        is_a_refusal(what, &local);
        assert!(peer.is_empty() || what == "a hello of TLS" || peer[0] == 21, "{what}: {peer:?}");
        // Only SETTINGS and a goodbye of HTTP/2 come back, if anything.
        assert!(inside.get(3).is_none_or(|kind| [4, 7].contains(kind)), "{what}: {inside:?}");
        assert_eq!(cluster.http().get("/v1/peering/dc2").await.status, 200, "after {what}");
    }
    HandDialer::with(&token).await.exchange().await.unwrap();
    let mut local = unix(&socket).await;
    local.write_all(b"GET /v1/peerings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    local.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(END_WITHIN > REQUEST_HEAD_MAX && END_WITHIN > TLS_HANDSHAKE_MAX);
}
