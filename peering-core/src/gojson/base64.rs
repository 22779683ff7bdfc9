//! Base64 as Go's standard encoding reads it.
//!
//! Go skips CR and LF anywhere, demands padding, and takes leftover bits that are not zero. The engine below does the
//! work; only a text that it refuses is walked by hand, for the offset that Go would name.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::wiped::Wiped;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Encodes with padding and without line breaks.
pub(crate) fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Decodes, or returns the offset that Go names.
pub(crate) fn decode(text: &str) -> Result<Wiped, usize> {
    if let Ok(bytes) = ENGINE.decode(text) {
        return Ok(Wiped::new(bytes));
    }
    if text.contains(is_line_break) {
        let one_line = Wiped::new(text.replace(is_line_break, "").into_bytes());
        if let Ok(bytes) = ENGINE.decode(&*one_line) {
            return Ok(Wiped::new(bytes));
        }
    }
    Err(offset(text.as_bytes()))
}

const fn is_line_break(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// Finds the offset that Go names for a text that is no base64.
///
/// A foreign byte is named itself. At the end of the text Go goes back by as many bytes as it holds of an incomplete
/// group of four, without counting the line breaks that it had skipped.
fn offset(text: &[u8]) -> usize {
    let mut held = 0;
    let mut bytes = text.iter().enumerate().filter(|(_, byte)| !is_line_break(char::from(**byte)));
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => held = (held + 1) % 4,
            b'=' if held == 2 => {
                return match bytes.next() {
                    Some((_, b'=')) => after_padding(bytes.next(), text),
                    // Here Go names the byte before the wrong one.
                    Some((wrong, _)) => wrong - 1,
                    None => text.len(),
                };
            }
            b'=' if held == 3 => return after_padding(bytes.next(), text),
            _ => return at,
        }
    }
    text.len() - held
}

/// Nothing may follow the padding.
fn after_padding(next: Option<(usize, &u8)>, text: &[u8]) -> usize {
    next.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::vectors::{Vector, read};
    use super::*;

    #[test]
    fn every_verdict_and_offset_is_gos() {
        for Vector { input, error, value } in read(include_str!("../../../tests/data/gojson/base64.jsonl")) {
            // Go reads any bytes, we read text; a text from outside is checked before it comes here.
            let Ok(text) = String::from_utf8(input) else { continue };
            match (decode(&text), error) {
                (Ok(bytes), None) => {
                    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    assert_eq!(hex, value.unwrap_or_default(), "{text:?}");
                }
                (Err(offset), Some(error)) => {
                    assert_eq!(format!("illegal base64 data at input byte {offset}"), error, "{text:?}");
                }
                (ours, go) => panic!("{text:?}: {ours:?}, Go says {go:?}"),
            }
        }
    }

    #[test]
    fn the_offset_of_an_incomplete_group_is_its_start() {
        for (text, offset) in [("+++/+++", 4), ("QQ", 0), ("QUJDQ", 4), ("QQ=", 3), ("QQ=Q", 2), ("QQ==Q", 4)] {
            assert_eq!(decode(text).unwrap_err(), offset, "{text}");
        }
    }

    proptest! {
        #[test]
        fn line_breaks_anywhere_change_nothing(bytes: Vec<u8>, breaks in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
            let mut text = encode(&bytes);
            for (index, line_break) in breaks.into_iter().zip(['\n', '\r', '\n', '\r']) {
                text.insert(index.index(text.len() + 1), line_break);
            }
            prop_assert_eq!(decode(&text).unwrap().to_vec(), bytes);
        }
    }
}
