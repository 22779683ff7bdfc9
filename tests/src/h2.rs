//! HTTP/2 frame by frame, for what no library would send.
//!
//! Frames are those of RFC 9113, section 6; header blocks are literals without indexing and without Huffman codes, as in
//! RFC 7541, section 6.2.2.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes in front of each frame.
const HEAD_BYTES: usize = 9;
/// Bytes written at once: within one record of TLS, so that a server gets them together.
const CHUNK_BYTES: usize = 16_000;
/// What the PING after everything else carries; whoever answers it has read what came before.
const LAST_PING: [u8; 8] = *b"the last";
/// Longest flood.
const END_WITHIN: Duration = Duration::from_secs(60);

/// The kinds of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the specification")]
pub enum Kind {
    Data = 0,
    Headers = 1,
    Priority = 2,
    RstStream = 3,
    Settings = 4,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

/// No more frames of this direction follow on the stream.
pub const END_STREAM: u8 = 1;
/// The header block is whole.
pub const END_HEADERS: u8 = 4;
/// Of SETTINGS and PING: it answers one.
pub const ACK: u8 = 1;
/// Code of RST_STREAM: nothing was done, too many streams are open.
pub const REFUSED_STREAM: u32 = 7;
/// Code of GOAWAY: the client behaves in a way that might overload the server.
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// Writes a frame.
///
/// # Panics
/// If the payload is longer than any frame.
#[must_use]
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    assert_eq!(length[0], 0, "{} bytes", payload.len());
    let mut bytes = vec![length[1], length[2], length[3], kind as u8, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Writes a header block.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            integer(text.len(), &mut bytes);
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// Writes an integer with a prefix of seven bits: RFC 7541, section 5.1.
fn integer(value: usize, bytes: &mut Vec<u8>) {
    const PREFIX_MAX: usize = 127;
    if value < PREFIX_MAX {
        return bytes.push(value as u8);
    }
    bytes.push(PREFIX_MAX as u8);
    let mut rest = value - PREFIX_MAX;
    while rest >= 128 {
        bytes.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    bytes.push(rest as u8);
}

/// Writes a gRPC message with its prefix.
///
/// # Panics
/// If it is longer than any message.
#[must_use]
pub fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], bytes].concat()
}

/// Writes the header block of a request.
#[must_use]
pub fn request(path: &str) -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}

/// How a connection ended, or did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Frames that came, by their kinds.
    pub frames: [usize; 10],
    /// The code of the last GOAWAY.
    pub go_away: Option<u32>,
    /// The header blocks that came, undecoded.
    pub blocks: Vec<Vec<u8>>,
    /// The settings that the server told, by their numbers.
    pub settings: BTreeMap<u16, u32>,
    /// The codes of RST_STREAM.
    pub resets: Vec<u32>,
    /// Whether the server has read everything.
    pub is_read: bool,
    /// Whether the server closed the connection, or would take no more.
    pub is_closed: bool,
}

impl Ended {
    /// Returns how many answers began with status 200: the eighth entry of the static table of RFC 7541.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.blocks.iter().filter(|block| block.first() == Some(&0x88)).count()
    }

    /// Returns how many frames of a kind came.
    #[must_use]
    pub const fn count(&self, kind: Kind) -> usize {
        self.frames[kind as usize]
    }
}

/// Begins a connection, and once the server's settings are agreed to writes these bytes so many times while it reads
/// whatever comes. Returns once the server has closed, or has read all. The chunks are told their number, so that streams
/// can be counted up.
///
/// # Panics
/// If the server does neither.
pub async fn flood<S>(socket: S, times: u32, chunk: impl FnMut(u32) -> Vec<u8>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    flood_until(socket, times, chunk, |_| true).await
}

/// As [`flood`], and waits for something besides, such as an answer, if the server does not close.
///
/// # Panics
/// If it does not come.
pub async fn flood_until<S>(
    socket: S,
    times: u32,
    mut chunk: impl FnMut(u32) -> Vec<u8>,
    is_enough: impl Fn(&Ended) -> bool,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = split(socket);
    let (tell, told) = oneshot::channel();
    let write = async move {
        let begin = [PREFACE, &frame(Kind::Settings, 0, 0, &[])].concat();
        if writer.write_all(&begin).await.is_err() || told.await.is_err() {
            return;
        }
        let mut bytes = frame(Kind::Settings, ACK, 0, &[]);
        for number in 0..times {
            bytes.extend(chunk(number));
            if bytes.len() >= CHUNK_BYTES {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
                bytes.clear();
            }
        }
        bytes.extend(frame(Kind::Ping, 0, 0, &LAST_PING));
        let _ = writer.write_all(&bytes).await;
        // Kept open: the server, not we, is to end the connection.
        pending().await
    };
    let read = async move {
        let (mut bytes, mut ended, mut tell) = (Vec::new(), Ended::default(), Some(tell));
        while !(ended.is_read && is_enough(&ended)) {
            if matches!(reader.read_buf(&mut bytes).await, Ok(0) | Err(_)) {
                ended.is_closed = true;
                break;
            }
            note(&mut bytes, &mut ended);
            if let Some(tell) = tell.take_if(|_| ended.count(Kind::Settings) > 0) {
                let _ = tell.send(());
            }
        }
        ended
    };
    let both = async {
        let (mut read, mut write) = (pin!(read), pin!(write));
        tokio::select! {
            ended = &mut read => ended,
            // What the server said before it took no more is still to be read.
            () = &mut write => read.await,
        }
    };
    timeout(END_WITHIN, both).await.expect("the server neither reads nor closes")
}

/// Takes whole frames off the bytes.
fn note(bytes: &mut Vec<u8>, ended: &mut Ended) {
    let mut taken = 0;
    while let Some(head) = bytes.get(taken..taken + HEAD_BYTES) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let kind = head[3];
        let Some(payload) = bytes.get(taken + HEAD_BYTES..taken + HEAD_BYTES + length) else { break };
        if kind == Kind::Ping as u8 && payload == LAST_PING {
            ended.is_read = true;
        } else if let Some(count) = ended.frames.get_mut(usize::from(kind)) {
            *count += 1;
        }
        let code = |at: usize| u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]]);
        match kind {
            kind if kind == Kind::GoAway as u8 => ended.go_away = Some(code(4)),
            kind if kind == Kind::RstStream as u8 => ended.resets.push(code(0)),
            kind if kind == Kind::Settings as u8 => {
                let pairs = payload.chunks_exact(6);
                let pair = |pair: &[u8]| {
                    (u16::from_be_bytes([pair[0], pair[1]]), u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
                };
                ended.settings.extend(pairs.map(pair));
            }
            kind if kind == Kind::Headers as u8 => ended.blocks.push(payload.to_vec()),
            _ => {}
        }
        taken += HEAD_BYTES + length;
    }
    bytes.drain(..taken);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_the_specification() {
        // RFC 7541, appendix C.1.2 has a prefix of five bits; with seven, 1337 is 127 and 1210.
        for (value, expected) in [(10, vec![10]), (127, vec![127, 0]), (1_337, vec![127, 0b1011_1010, 9])] {
            let mut bytes = Vec::new();
            integer(value, &mut bytes);
            assert_eq!(bytes, expected, "{value}");
        }
    }

    #[test]
    fn a_frame_has_its_length_in_front() {
        assert_eq!(frame(Kind::Ping, ACK, 1, &[7; 2]), [0, 0, 2, 6, 1, 0, 0, 0, 1, 7, 7]);
    }
}
