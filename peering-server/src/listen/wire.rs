//! HTTP/2 frame by frame over a pipe, for tests of when the library sends, asks and ends.
//!
//! Frames are those of RFC 9113, section 6.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:method: POST`, `:scheme: http` and `:path: /`, from the static table of RFC 7541.
const POST: &[u8] = &[0x83, 0x86, 0x84];
/// Of SETTINGS and PING: it answers one.
const ACK: u8 = 1;
/// Of HEADERS: the block is whole, and a body follows.
const END_HEADERS: u8 = 4;
/// What a timer may be late: the library rounds up to milliseconds, twice.
const LATE_MAX: Duration = Duration::from_millis(10);

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GO_AWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Returns the code of RST_STREAM or GOAWAY: the last four bytes that they must have.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GO_AWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// One end of a connection.
pub(crate) struct Wire(DuplexStream);

impl Wire {
    /// Begins as a client, with these settings, and waits for those of the server.
    pub(crate) async fn client(mut pipe: DuplexStream, settings: &[(u16, u32)]) -> Self {
        pipe.write_all(PREFACE).await.unwrap();
        let mut wire = Self(pipe);
        let settings = settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
        wire.write(SETTINGS, 0, 0, &settings.collect::<Vec<u8>>()).await;
        wire.read(SETTINGS).await.unwrap();
        wire
    }

    /// Begins as a server, and waits until a request has come.
    pub(crate) async fn server(mut pipe: DuplexStream) -> Self {
        pipe.read_exact(&mut [0; PREFACE.len()]).await.unwrap();
        let mut wire = Self(pipe);
        wire.write(SETTINGS, 0, 0, &[]).await;
        wire.read(HEADERS).await.unwrap();
        wire
    }

    /// Writes a frame; nobody hears it if the connection is over.
    pub(crate) async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        let _ = self.0.write_all(&[&head, payload].concat()).await;
    }

    /// Begins a request, whose body follows.
    pub(crate) async fn ask(&mut self, stream: u32) {
        self.write(HEADERS, END_HEADERS, stream, POST).await;
    }

    /// Reads up to a frame of this kind that answers nothing; `None` at the end of the connection.
    pub(crate) async fn read(&mut self, kind: u8) -> Option<Frame> {
        self.next(|frame| frame.kind == kind && frame.flags & ACK == 0 || kind == HEADERS && frame.kind == HEADERS)
            .await
    }

    /// Returns what the other side has against everything before.
    pub(crate) async fn complaint(&mut self) -> Option<Frame> {
        let is_answer = |frame: &Frame| frame.kind == PING && frame.flags & ACK != 0;
        // An answer may overtake what was decided before it, and does so once.
        for _ in 0..2 {
            self.write(PING, 0, 0, b"the last").await;
            let found = self.next(|frame| is_answer(frame) || matches!(frame.kind, RST_STREAM | GO_AWAY)).await;
            if let Some(complaint) = found.filter(|found| !is_answer(found)) {
                return Some(complaint);
            }
        }
        None
    }

    /// Reads up to the frame that is wanted, and acknowledges settings on the way.
    async fn next(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            let frame = Frame { kind, flags, stream: u32::from_be_bytes(stream), payload };
            if frame.kind == SETTINGS && frame.flags & ACK == 0 {
                self.write(SETTINGS, ACK, 0, &[]).await;
            }
            if is_wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Says nothing for as long as it may, answers at the last moment, and then no more: asked each time after the
    /// interval, and cut at the timeout.
    pub(crate) async fn expect_pings(mut self, interval: Duration, timeout: Duration) {
        let is_about = |begun: Instant, time: Duration| {
            let took = begun.elapsed();
            assert!((time..=time + LATE_MAX).contains(&took), "{took:?}, expected {time:?}");
        };
        for _ in 0..3 {
            let begun = Instant::now();
            let asked = self.read(PING).await.expect("a PING");
            is_about(begun, interval);
            sleep(timeout - LATE_MAX).await;
            self.write(PING, ACK, 0, &asked.payload).await;
        }
        self.read(PING).await.expect("a PING");
        let begun = Instant::now();
        while self.read(PING).await.is_some() {}
        is_about(begun, timeout);
    }
}
