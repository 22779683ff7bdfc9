//! Floods of HTTP/2 frames on the peer listener: the server stays, its memory is bounded, and others are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use peering_tests::door::Door;
use peering_tests::h2::{ACK, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Ended, Kind, flood, frame, request};
use peering_tests::hand::HandDialer;
use peering_tests::http::Http;
use peering_tests::site::Site;
use peering_tests::usage::memory_bytes_max;

use super::{EXCHANGE, STREAM, stream};
use crate::under_test::program;

/// Frames, or pairs of them, in a flood: enough to see whether each costs something that stays.
const TIMES: u32 = 30_000;
/// Longest wait of somebody else meanwhile, on a machine of two cores that also makes the flood.
const OTHERS_WITHIN: Duration = Duration::from_secs(5);
/// Most memory that a flood may cost, for good: some buffers of a connection, and what an allocator does not give back.
const MEMORY_BYTES_MAX: usize = 48 << 20;

/// The window that every connection begins with: RFC 9113, section 6.9.2.
const FIRST_WINDOW_BYTES: u32 = (1 << 16) - 1;
/// Code of GOAWAY: a window became larger than 2^31 - 1.
const FLOW_CONTROL_ERROR: u32 = 3;

/// Floods a server that others use meanwhile, and returns how the flood ended.
async fn against_a_server(times: u32, chunk: impl FnMut(u32) -> Vec<u8>) -> Ended {
    let site = Site::start_logging(&program(), "dc1", "info").await;
    let token = site.generate_token("cluster-02").await;
    let door = Door::of(&token);
    let before = memory_bytes_max(site.process_id());
    let is_over = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn(others(site.http().parse().map(Http::new).unwrap(), token, Arc::clone(&is_over)));
    let begun = Instant::now();
    let ended = flood(door.enter().await.unwrap(), times, chunk).await;
    let took = begun.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let slowest = others.await.unwrap();
    let memory = memory_bytes_max(site.process_id()) - before;
    println!("{ended:?} in {took:?}; others waited {slowest:?}; {} KiB", memory >> 10);
    assert!(slowest <= OTHERS_WITHIN, "others waited {slowest:?}");
    assert!(memory <= MEMORY_BYTES_MAX, "{memory} bytes");
    let log = site.log();
    assert!(!log.contains("h2::") && log.lines().count() < 100, "{log}");
    ended
}

/// Asks over HTTP and shakes hands as a peer, again and again, and returns the longest wait.
async fn others(http: Http, token: String, is_over: Arc<AtomicBool>) -> Duration {
    let mut slowest = Duration::ZERO;
    loop {
        let begun = Instant::now();
        assert_eq!(http.get("/v1/peering/cluster-02").await.status, 200);
        HandDialer::with(&token).await.open("no secret").await.unwrap_err();
        slowest = slowest.max(begun.elapsed());
        if is_over.load(Ordering::Relaxed) {
            return slowest;
        }
    }
}

#[tokio::test]
#[ignore = "needs ten seconds and a machine of its own"]
async fn a_hundred_thousand_frames_of_any_kind_are_survived() {
    let times = 100_000;
    let pings = against_a_server(times, |_| frame(Kind::Ping, 0, 0, &[7; 8])).await;
    assert_eq!((pings.count(Kind::Ping), pings.go_away), (times as usize, None), "{pings:?}");
    let settings = against_a_server(times, |_| frame(Kind::Settings, 0, 0, &[])).await;
    assert_eq!((settings.count(Kind::Settings), settings.go_away), (times as usize + 2, None), "{settings:?}");
    let resets = against_a_server(times, reset).await;
    assert_eq!((resets.go_away, resets.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{resets:?}");
}

/// A call that is given up at once.
fn reset(number: u32) -> Vec<u8> {
    let head = frame(Kind::Headers, END_HEADERS, stream(number), &request(STREAM));
    [head, frame(Kind::RstStream, 0, stream(number), &[0, 0, 0, 8])].concat()
}

#[tokio::test]
async fn a_rapid_reset_ends_the_connection() {
    let ended = against_a_server(TIMES, reset).await;
    assert_eq!((ended.go_away, ended.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{ended:?}");
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_and_soon_end_the_connection() {
    let head = |number| frame(Kind::Headers, END_HEADERS, stream(number), &request(STREAM));
    let ended = against_a_server(TIMES, head).await;
    assert_eq!((ended.go_away, ended.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{ended:?}");
}

#[tokio::test]
async fn pings_are_answered_one_by_one() {
    let ended = against_a_server(TIMES, |_| frame(Kind::Ping, 0, 0, &[7; 8])).await;
    assert_eq!((ended.count(Kind::Ping), ended.go_away), (TIMES as usize, None), "{ended:?}");
}

#[tokio::test]
async fn acknowledgements_of_nothing_are_dropped_without_a_word() {
    let ended = against_a_server(TIMES, |_| frame(Kind::Ping, ACK, 0, &[7; 8])).await;
    assert_eq!((ended.count(Kind::Ping), ended.go_away), (0, None), "{ended:?}");
}

#[tokio::test]
async fn settings_are_answered_one_by_one() {
    let ended = against_a_server(TIMES, |_| frame(Kind::Settings, 0, 0, &[])).await;
    // One more is the acknowledgement of our first, and one the server's own.
    assert_eq!((ended.count(Kind::Settings), ended.go_away), (TIMES as usize + 2, None), "{ended:?}");
}

#[tokio::test]
async fn window_updates_and_priorities_are_absorbed_until_the_window_is_full() {
    let chunk = |number, more: u32| {
        let update = frame(Kind::WindowUpdate, 0, 0, &more.to_be_bytes());
        [update, frame(Kind::Priority, 0, stream(number), &[0, 0, 0, 0, 1])].concat()
    };
    // Each is taken in silence: the one answer is that to the last PING.
    let ended = against_a_server(TIMES, |number| chunk(number, 1)).await;
    assert!(ended.is_read && !ended.is_closed, "{ended:?}");
    assert_eq!((ended.go_away, &ended.resets[..], ended.count(Kind::Settings)), (None, &[][..], 2), "{ended:?}");
    // A window that would be larger than any ends the connection, and not a byte earlier.
    let rest = (1 << 31) - 1 - FIRST_WINDOW_BYTES;
    let more = against_a_server(3, |number| chunk(number, [rest - 1, 1, 1][number as usize])).await;
    assert_eq!((more.go_away, more.is_closed), (Some(FLOW_CONTROL_ERROR), true), "{more:?}");
    let met = against_a_server(2, |number| chunk(number, [rest - 1, 1][number as usize])).await;
    assert_eq!((met.go_away, met.is_read), (None, true), "{met:?}");
}

#[tokio::test]
async fn empty_data_ends_the_connection() {
    let ended = against_a_server(TIMES, |number| match number {
        0 => frame(Kind::Headers, END_HEADERS, 1, &request(STREAM)),
        _ => frame(Kind::Data, 0, 1, &[]),
    })
    .await;
    assert_eq!((ended.go_away, ended.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{ended:?}");
}

#[tokio::test]
async fn a_message_in_pieces_of_one_byte_ends_the_connection() {
    // Each piece costs the server a hundred times what it costs the sender.
    let ended = against_a_server(TIMES, |number| match number {
        0 => frame(Kind::Headers, END_HEADERS, 1, &request(EXCHANGE)),
        1 => frame(Kind::Data, 0, 1, &[0, 0, 0, 0x40, 0]),
        _ => frame(Kind::Data, 0, 1, &[0xff]),
    })
    .await;
    assert_eq!((ended.go_away, ended.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{ended:?}");
}

#[tokio::test]
async fn a_header_list_without_end_ends_the_connection() {
    let ended = against_a_server(TIMES, |number| match number {
        0 => frame(Kind::Headers, 0, 1, &request(STREAM)),
        _ => frame(Kind::Continuation, 0, 1, &[]),
    })
    .await;
    assert_eq!((ended.go_away, ended.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{ended:?}");
}

#[tokio::test]
async fn a_header_list_that_grows_by_reference_is_not_unpacked() {
    // One field of 4,000 bytes goes into the table, and each further byte stands for all of it: 64 MB in a frame.
    let bomb = |number| {
        let mut block = request(STREAM);
        block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
        block.extend([b'y'; 4_000]);
        block.extend([0xbe; 12_000]);
        frame(Kind::Headers, END_HEADERS | END_STREAM, stream(number), &block)
    };
    let ended = against_a_server(100, bomb).await;
    assert_eq!((ended.go_away, ended.is_closed), (Some(ENHANCE_YOUR_CALM), true), "{ended:?}");
}
