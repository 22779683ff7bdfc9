//! The entries of a repeated field, found and counted before anything is decoded.
//!
//! An empty entry takes two bytes on the wire and hundreds as a struct, so a frame within its bound could still fill our
//! memory. Walking over the entries costs next to none.

use prost::bytes::Buf;
use prost::decode_length_delimiter;
use thiserror::Error;

/// Wire types of protobuf, the low three bits of a field's key.
const VARINT: usize = 0;
const FIXED_64: usize = 1;
const LENGTH_DELIMITED: usize = 2;
const FIXED_32: usize = 5;

/// Says why there is no list of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum EntriesError {
    /// The message is not well formed at its top level.
    #[error("malformed protobuf message")]
    Malformed,
    /// There are more entries than asked for.
    #[error("expected at most {max} entries, got more")]
    TooMany {
        /// What was asked for.
        max: usize,
    },
}

/// Returns the entries of the length-delimited field with this number, each still encoded.
///
/// # Errors
/// [`EntriesError`]; both are found without reading on.
pub(super) fn entries(mut message: &[u8], number: usize, max: usize) -> Result<Vec<&[u8]>, EntriesError> {
    let mut found = vec![];
    while message.has_remaining() {
        let key = varint(&mut message)?;
        let length = match key & 7 {
            VARINT => varint(&mut message).map(|_| 0)?,
            FIXED_64 => 8,
            LENGTH_DELIMITED => varint(&mut message)?,
            FIXED_32 => 4,
            _ => return Err(EntriesError::Malformed),
        };
        let (value, rest) = message.split_at_checked(length).ok_or(EntriesError::Malformed)?;
        message = rest;
        if key == number << 3 | LENGTH_DELIMITED {
            if found.len() == max {
                return Err(EntriesError::TooMany { max });
            }
            found.push(value);
        }
    }
    Ok(found)
}

/// Reads a varint: a length delimiter is one.
fn varint(message: &mut &[u8]) -> Result<usize, EntriesError> {
    decode_length_delimiter(message).map_err(|_| EntriesError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_field_are_found_among_others() {
        // Field 1 "web", field 2 varint 300, field 3 fixed 64, field 1 "", field 4 fixed 32, field 4 "x".
        let message =
            b"\x0a\x03web\x10\xac\x02\x19\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x00\x25\x01\x02\x03\x04\x22\x01x";
        assert_eq!(entries(message, 1, 2).unwrap(), [b"web".as_slice(), b""]);
        assert_eq!(entries(message, 4, 1).unwrap(), [b"x"]);
        assert_eq!(entries(b"", 1, 0).unwrap(), [b""; 0]);
    }

    #[test]
    fn one_entry_too_many_is_noticed_at_once() {
        let message = [b"\x0a\x00".repeat(3), b"\xff".to_vec()].concat();
        assert_eq!(entries(&message, 1, 2), Err(EntriesError::TooMany { max: 2 }));
        assert_eq!(entries(&message, 1, 3), Err(EntriesError::Malformed));
    }

    #[test]
    fn broken_messages_are_refused() {
        for message in [
            b"\x0a".as_slice(),
            b"\x0a\x05web",
            b"\x0b\x00",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x19\x01",
        ] {
            assert_eq!(entries(message, 1, 9), Err(EntriesError::Malformed), "{message:?}");
        }
    }
}
