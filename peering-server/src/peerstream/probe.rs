//! The wire of the peer stream for tests outside of this crate: the same functions that streams run, fed with any bytes.

use peering_core::peerstream::Frame;
use prost::{DecodeError, Message};

use super::bounded::{Meter, Opened};
use super::proto::peerstream::ReplicationMessage;
use super::wire;

/// Reads a message of the stream.
///
/// # Errors
/// What the decoder says of bytes that are no message.
pub fn decode_frame(message: &[u8]) -> Result<Frame, DecodeError> {
    ReplicationMessage::decode(message).map(wire::decode)
}

/// Writes a message of the stream; `None` if it has no wire form, or one that no peer takes.
#[must_use]
pub fn encode_frame(frame: Frame) -> Option<Vec<u8>> {
    wire::encode(frame).ok().map(|message| message.encode_to_vec())
}

/// Measures the frames of a request's body that arrives in these parts, and says whether all are within their bound.
#[must_use]
pub fn are_within_bounds<'a>(parts: impl IntoIterator<Item = &'a [u8]>, is_opened: bool) -> bool {
    let (mut meter, opened) = (Meter::default(), Opened::default());
    if is_opened {
        opened.set();
    }
    parts.into_iter().all(|part| meter.measure(part, &opened).is_ok())
}
