//! Printing: Go's escapes for HTML, compact or with Go's usual indent.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Go programs print an answer for people with this indent.
const INDENT: &[u8] = b"    ";
/// Room for a token or a usual answer. A text that grows leaves copies of itself behind, which nobody wipes.
const USUAL_BYTES: usize = 4096;

/// Prints a value as Go's `json.Marshal` does: no white space, HTML characters escaped.
///
/// # Errors
/// serde_json's, for a value that JSON cannot hold, such as a map whose keys are not text.
///
/// # Examples
/// ```
/// assert_eq!(peering_core::gojson::to_string(&["a<b"])?, r#"["a\u003cb"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    String::from_utf8(to_vec(value)?).map_err(|error| serde::ser::Error::custom(error.utf8_error()))
}

/// Prints as [`to_string`] does, to bytes.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    print(value, CompactFormatter)
}

/// Prints a value as Go's `json.MarshalIndent` does with an indent of four spaces; there is no final newline.
///
/// # Errors
/// As for [`to_string`].
///
/// # Examples
/// ```
/// assert_eq!(peering_core::gojson::to_string_pretty(&[1])?, "[\n    1\n]");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn to_string_pretty<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let text = print(value, PrettyFormatter::with_indent(INDENT))?;
    String::from_utf8(text).map_err(|error| serde::ser::Error::custom(error.utf8_error()))
}

fn print<T: Serialize + ?Sized, F: Formatter>(value: &T, layout: F) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    value.serialize(&mut Serializer::with_formatter(&mut text, HtmlSafe { layout }))?;
    Ok(text)
}

/// A layout whose strings are safe inside HTML, whether or not anybody puts them there.
struct HtmlSafe<F> {
    layout: F,
}

impl<F: Formatter> Formatter for HtmlSafe<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        // A certificate is two thousand bytes of which none needs anything. Without an early end, this becomes a few
        // vector instructions a line.
        if !bytes.iter().fold(false, |any, &byte| any | may_need_escape(byte)) {
            return writer.write_all(bytes);
        }
        let mut plain = 0;
        for at in (0..bytes.len()).filter(|&at| may_need_escape(bytes[at])) {
            if let Some((escaped, length)) = escape(&bytes[at..]) {
                writer.write_all(&bytes[plain..at])?;
                writer.write_all(escaped)?;
                plain = at + length;
            }
        }
        writer.write_all(&bytes[plain..])
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.layout.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.layout.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_object_value(writer)
    }
}

const fn may_need_escape(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'&' | 0xe2)
}

/// Returns what stands for the character at the start, and its length.
const fn escape(text: &[u8]) -> Option<(&'static [u8], usize)> {
    match text {
        [b'<', ..] => Some((b"\\u003c", 1)),
        [b'>', ..] => Some((b"\\u003e", 1)),
        [b'&', ..] => Some((b"\\u0026", 1)),
        // U+2028 and U+2029 in UTF-8.
        [0xe2, 0x80, 0xa8, ..] => Some((b"\\u2028", 3)),
        [0xe2, 0x80, 0xa9, ..] => Some((b"\\u2029", 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_and_line_separators_are_escaped_in_keys_and_values() {
        let value = BTreeMap::from([("<k>", "a & b\u{2028}c\u{2029}\"\\\u{1}\u{8}\u{c}\u{7f}é")]);
        assert_eq!(
            to_string(&value).unwrap(),
            "{\"\\u003ck\\u003e\":\"a \\u0026 b\\u2028c\\u2029\\\"\\\\\\u0001\\b\\f\u{7f}é\"}"
        );
    }

    #[test]
    fn the_indented_layout_is_gos() {
        let value = serde_json::json!({"a": [1, {"b": []}], "c": {}, "d": null});
        let expected = r#"{
    "a": [
        1,
        {
            "b": []
        }
    ],
    "c": {},
    "d": null
}"#;
        assert_eq!(to_string_pretty(&value).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was(text in any::<String>()) {
            for printed in [to_string(&text).unwrap(), to_string_pretty(&text).unwrap()] {
                let is_html_safe = !printed.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
                prop_assert!(is_html_safe, "{}", printed);
                prop_assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text.clone());
            }
        }
    }
}
