//! More connections than a listener takes: those past the bound are closed at once, and nobody else notices.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use peering_server::bounds::{
    HTTP_CONNECTIONS_MAX, PEER_CONNECTIONS_MAX, PEER_CONNECTIONS_PER_SOURCE_MAX, REQUEST_HEAD_MAX,
};
use peering_tests::cluster::{Cluster, STATE_WITHIN, peer_with};
use peering_tests::door::{Door, connect_from};
use peering_tests::eventually::eventually;
use peering_tests::hand::HandDialer;
use peering_tests::link::Link;
use peering_tests::usage::{descriptors, open_files_at_least};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait of somebody else while a crowd is there.
const OTHERS_WITHIN: Duration = Duration::from_secs(5);
/// Files of a test with the largest crowd, both ends of each connection and some to spare.
const FILES: u64 = 2 * (PEER_CONNECTIONS_MAX + PEER_CONNECTIONS_MAX / 2) as u64;

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 9, last).into()
}

/// Says whether the server has closed a connection, which it may do by a reset.
async fn is_closed(stream: &mut TcpStream) -> bool {
    // Less than the deadline that ends it in any case.
    timeout(REQUEST_HEAD_MAX / 2, stream.read(&mut [0])).await.is_ok()
}

/// Counts those that are still open, once the server has dealt with all.
async fn still_open(crowd: &mut [TcpStream], expected: usize) {
    let wait = STATE_WITHIN.min(Duration::from_secs(8));
    eventually(wait, async || {
        let open = crowd.iter().filter(|stream| is_open(stream)).count();
        if open == expected { Ok(()) } else { Err(format!("{open} connections are open, expected {expected}")) }
    })
    .await;
}

fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn crowd(size: usize, source: IpAddr, to: SocketAddr) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(size);
    for _ in 0..size {
        crowd.push(connect_from(source, to).await.unwrap());
    }
    crowd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_connections_from_one_source_leave_room_for_others() {
    one_source_too_many(500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 12,000 open files and a process of its own"]
async fn five_thousand_connections_from_one_source_leave_room_for_others() {
    open_files_at_least(FILES);
    let before = descriptors(std::process::id());
    one_source_too_many(5_000).await;
    eventually(STATE_WITHIN, async || {
        let now = descriptors(std::process::id());
        if now <= before { Ok(()) } else { Err(format!("{now} files are open, {before} before")) }
    })
    .await;
}

/// Lets a crowd come from the very address that a peer with a stream has.
async fn one_source_too_many(size: usize) {
    let (acceptor, dialer) = tokio::join!(Cluster::start("dc1"), Cluster::start("dc2"));
    let link = Link::to(acceptor.peer_address()).await;
    let token = acceptor.generate_over("dc2", link.address()).await;
    peer_with(&acceptor, &dialer, &token).await;
    let known = link.seen();
    let door = Door::of(&acceptor.generate("dc3").await);
    let begun = Instant::now();
    let mut crowd = crowd(size, Ipv4Addr::LOCALHOST.into(), door.address()).await;
    still_open(&mut crowd, PEER_CONNECTIONS_PER_SOURCE_MAX).await;
    println!(
        "{size} connections came and {} were refused in {:?}",
        size - PEER_CONNECTIONS_PER_SOURCE_MAX,
        begun.elapsed()
    );
    // Exactly the bound, so one more from there is one too many, and one from elsewhere is not.
    let mut one_more = TcpStream::connect(door.address()).await.unwrap();
    assert!(is_closed(&mut one_more).await);
    let begun = Instant::now();
    let token = acceptor.generate("dc4").await;
    let other = Door::of(&token).enter_from(loopback(1)).await.unwrap();
    HandDialer::over_socket(other, &token).await.unwrap().exchange().await.unwrap();
    assert_eq!(acceptor.http().get("/v1/peerings").await.status, 200);
    assert!(begun.elapsed() < OTHERS_WITHIN, "{:?}", begun.elapsed());
    // The stream of the known peer is the one that was there before, and it still carries what is said.
    assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));
    acceptor.delete("dc2").await;
    dialer.reaches("dc1", "TERMINATED").await;
    assert_eq!(link.seen(), known);
    drop(crowd);
    // Room is made again.
    eventually(STATE_WITHIN, async || door.enter().await.map(drop).map_err(|error| error.to_string())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 12,000 open files and a process of its own"]
async fn four_thousand_and_ninety_six_strangers_fill_the_peer_listener_and_no_more() {
    open_files_at_least(FILES);
    let cluster = Cluster::start("dc1").await;
    let token = cluster.generate("dc2").await;
    let secret = HandDialer::with(&token).await.exchange().await.unwrap();
    let dialer = HandDialer::with(&token).await;
    let stream = dialer.open(&secret).await.unwrap();
    let door = Door::of(&token);
    // Its connection stays open, so that it counts before and after.
    assert_eq!(cluster.state("dc2").await, "ACTIVE");
    let before = descriptors(std::process::id());
    let sources = u8::try_from(PEER_CONNECTIONS_MAX / PEER_CONNECTIONS_PER_SOURCE_MAX).unwrap();
    let begun = Instant::now();
    let mut all = Vec::new();
    for source in 0..sources {
        all.extend(crowd(PEER_CONNECTIONS_PER_SOURCE_MAX, loopback(source + 1), door.address()).await);
    }
    let mut one_more = connect_from(loopback(sources + 1), door.address()).await.unwrap();
    assert!(is_closed(&mut one_more).await);
    still_open(&mut all, PEER_CONNECTIONS_MAX).await;
    println!("{} connections in {:?}", all.len(), begun.elapsed());
    let begun = Instant::now();
    assert_eq!(cluster.state("dc2").await, "ACTIVE", "one that was accepted before is outside of the bounds");
    assert!(begun.elapsed() < OTHERS_WITHIN, "{:?}", begun.elapsed());
    drop((all, one_more));
    eventually(STATE_WITHIN, async || door.enter().await.map(drop).map_err(|error| error.to_string())).await;
    eventually(STATE_WITHIN, async || {
        let now = descriptors(std::process::id());
        if now <= before { Ok(()) } else { Err(format!("{now} files are open, {before} before")) }
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn the_http_api_takes_as_many_connections_as_its_settings_say() {
    let cluster = Cluster::start_changed("dc1", |config| {
        assert_eq!(config.http_max_connections, HTTP_CONNECTIONS_MAX);
        config.http_max_connections = 3;
    })
    .await;
    let mut held = crowd(3, Ipv4Addr::LOCALHOST.into(), cluster.http().address()).await;
    let mut one_more = TcpStream::connect(cluster.http().address()).await.unwrap();
    assert!(is_closed(&mut one_more).await);
    still_open(&mut held, 3).await;
    drop(held);
    eventually(STATE_WITHIN, async || {
        let mut next = TcpStream::connect(cluster.http().address()).await.unwrap();
        let _ = next.write_all(b"GET /v1/peerings HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        match next.read(&mut [0]).await {
            Ok(1) => Ok(()),
            refused => Err(format!("{refused:?}")),
        }
    })
    .await;
}
