//! Clients that take their time: half a handshake, half a head, a byte a second. Each has a deadline, and delays nobody.
//!
//! Time stands still but for what everybody waits for, so that deadlines come at once and are measured exactly.

use std::io;
use std::time::Duration;

use peering_server::bounds::{
    EXCHANGE_MAX, IDLE_CLOSE_MAX, REQUEST_BODY_MAX, REQUEST_HEAD_MAX, STRANGER_MAX, TLS_HANDSHAKE_MAX,
};
use peering_tests::cluster::Cluster;
use peering_tests::door::Door;
use peering_tests::h2::{END_HEADERS, Kind, frame, message, request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, pause, sleep, timeout};

use super::{EXCHANGE, STREAM, stream};

/// What a deadline may be late: a goodbye, and the time that passes while bytes are on their way.
const LATE_MAX: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);

/// Reads to the end, while one more of these bytes is written each second, and returns what came and when it ended.
async fn trickle(mut stream: impl AsyncRead + AsyncWrite + Unpin, rest: &[u8]) -> (Vec<u8>, Duration) {
    let (begun, mut came, mut rest) = (Instant::now(), Vec::new(), rest.iter());
    loop {
        match timeout(SECOND, stream.read_buf(&mut came)).await {
            Ok(Ok(0) | Err(_)) => return (came, begun.elapsed()),
            Ok(Ok(_)) => {}
            Err(_) => {
                assert!(begun.elapsed() < STRANGER_MAX * 3, "never ended: {:?}", String::from_utf8_lossy(&came));
                if let Some(byte) = rest.next() {
                    // Whoever is cut learns it by reading.
                    let _: io::Result<()> = stream.write_all(&[*byte]).await;
                }
            }
        }
    }
}

#[track_caller]
fn is_about(found: Duration, expected: Duration) {
    // The clock ran before it was stopped, on a busy machine for seconds.
    assert!((expected / 2..=expected + LATE_MAX).contains(&found), "{found:?}, expected {expected:?}");
}

#[tokio::test]
async fn half_a_handshake_ends_at_its_deadline_and_delays_nobody() {
    let cluster = Cluster::start("dc1").await;
    let door = Door::of(&cluster.generate("dc2").await);
    let hello = door.hello();
    let half = hello.len() / 2;
    let mut stalled = Vec::new();
    for sent in [0, 1, 5, half, hello.len()] {
        let mut stream = TcpStream::connect(door.address()).await.unwrap();
        stream.write_all(&hello[..sent]).await.unwrap();
        stalled.push(stream);
    }
    let slow = TcpStream::connect(door.address()).await.unwrap();
    door.enter().await.unwrap();
    pause();
    let (_, took) = trickle(slow, &hello).await;
    is_about(took, TLS_HANDSHAKE_MAX);
    for stream in stalled {
        let (_, more) = trickle(stream, &[]).await;
        assert!(more <= LATE_MAX, "{more:?} after the first one");
    }
}

#[tokio::test]
async fn a_peer_that_says_nothing_after_its_handshake_is_cut() {
    let cluster = Cluster::start("dc1").await;
    let door = Door::of(&cluster.generate("dc2").await);
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(Kind::Settings, 0, 0, &[])[..]].concat();
    // The beginning of a header block, never finished.
    let head = [&preface[..], &frame(Kind::Headers, 0, 1, &request(STREAM))].concat();
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(door.enter().await.unwrap());
    }
    pause();
    let (silent, begun, unfinished) =
        tokio::join!(trickle(streams.pop().unwrap(), &[]), trickle(streams.pop().unwrap(), &preface), async {
            let mut stream = streams.pop().unwrap();
            stream.write_all(&head).await.unwrap();
            trickle(stream, &[]).await
        });
    for (_, took) in [silent, begun, unfinished] {
        is_about(took, REQUEST_HEAD_MAX);
    }
}

#[tokio::test]
async fn an_exchange_that_is_never_finished_is_answered_at_its_deadline() {
    let cluster = Cluster::start("dc1").await;
    let door = Door::of(&cluster.generate("dc2").await);
    let mut connection = door.enter().await.unwrap();
    let begin = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(Kind::Settings, 0, 0, &[]),
        frame(Kind::Headers, END_HEADERS, 1, &request(EXCHANGE)),
        frame(Kind::Data, 0, 1, &message(&[0; 1_000])[..500]),
    ];
    connection.write_all(&begin.concat()).await.unwrap();
    pause();
    let (came, took) = trickle(connection, &[]).await;
    // The text of the status, which HTTP/2 compresses, is that of no other refusal in length at least.
    assert!(came.len() > 60, "{came:?}");
    // The answer, and then a connection on which nothing is asked.
    is_about(took, EXCHANGE_MAX + REQUEST_HEAD_MAX);
}

#[tokio::test]
async fn a_stranger_that_begins_a_call_every_second_is_cut_after_a_minute() {
    let cluster = Cluster::start("dc1").await;
    let door = Door::of(&cluster.generate("dc2").await);
    let mut connection = door.enter().await.unwrap();
    connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    connection.write_all(&frame(Kind::Settings, 0, 0, &[])).await.unwrap();
    pause();
    let begun = Instant::now();
    for number in 0.. {
        let call = [
            frame(Kind::Headers, END_HEADERS, stream(number), &request(EXCHANGE)),
            frame(Kind::Data, 1, stream(number), &message(&[])),
        ];
        let mut bytes = [0; 16_384];
        match connection.write_all(&call.concat()).await {
            Ok(()) => {}
            Err(_) => break,
        }
        match timeout(SECOND, connection.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => sleep(SECOND).await,
            Err(_) => {}
        }
        assert!(begun.elapsed() < STRANGER_MAX * 2, "it is still there");
    }
    is_about(begun.elapsed(), STRANGER_MAX);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends_at_its_deadline() {
    let cluster = Cluster::start("dc1").await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(TcpStream::connect(cluster.http().address()).await.unwrap());
    }
    pause();
    let head = b"GET /v1/peerings HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1\r\n\r\n";
    let (slow, silent) = tokio::join!(trickle(streams.pop().unwrap(), head), trickle(streams.pop().unwrap(), &[]));
    for (came, took) in [slow, silent] {
        is_about(took, REQUEST_HEAD_MAX);
        assert!(came.is_empty() || came.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&came));
    }
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_answered_408_at_its_deadline() {
    let cluster = Cluster::start("dc1").await;
    let address = cluster.http().address();
    let mut streams = Vec::new();
    for rest in ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"] {
        for path in ["/v1/peering/token", "/v1/peering/establish"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{rest}");
            stream.write_all(head.as_bytes()).await.unwrap();
            streams.push(stream);
        }
    }
    // They delay nobody, and are being read when the time stops.
    assert_eq!(cluster.http().get("/v1/peerings").await.status, 200);
    pause();
    let mut reading = tokio::task::JoinSet::new();
    for stream in streams {
        reading.spawn(async move { trickle(stream, &[b' '; 1_000]).await });
    }
    for (came, took) in reading.join_all().await {
        let came = String::from_utf8(came).unwrap();
        assert!(came.starts_with("HTTP/1.1 408 ") && came.ends_with("expected all of it within 30 s"), "{came}");
        is_about(took, REQUEST_BODY_MAX);
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_waited_for() {
    let cluster = Cluster::start("dc1").await;
    let address = cluster.http().address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/peerings HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    pause();
    let (came, took) = trickle(stream, &[b' '; 1_000]).await;
    assert!(String::from_utf8(came).unwrap().starts_with("HTTP/1.1 200 "));
    assert!(took <= REQUEST_HEAD_MAX + IDLE_CLOSE_MAX + LATE_MAX, "{took:?}");
}
