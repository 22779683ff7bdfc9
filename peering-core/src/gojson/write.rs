//! Printing: Go's escapes for HTML, compact or with Go's usual indent.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Go programs print an answer for people with this indent.
const INDENT: &[u8] = b"    ";

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
    print(value, PrettyFormatter::with_indent(INDENT))
}

fn print<T: Serialize + ?Sized, F: Formatter>(value: &T, layout: F) -> Result<String, serde_json::Error> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, HtmlSafe { layout }))?;
    String::from_utf8(text).map_err(|error| serde::ser::Error::custom(error.utf8_error()))
}

/// Prints compactly into a buffer of the caller's, so that the caller can wipe it.
pub(crate) fn write_compact<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    value.serialize(&mut Serializer::with_formatter(buffer, HtmlSafe { layout: CompactFormatter }))
}

/// A layout whose strings are safe inside HTML, whether or not anybody puts them there.
struct HtmlSafe<F> {
    layout: F,
}

impl<F: Formatter> Formatter for HtmlSafe<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(*byte, b'<' | b'>' | b'&' | SEPARATOR_FIRST)) {
            let (plain, special) = rest.split_at(at);
            let (escaped, length) = escape(special);
            writer.write_all(plain)?;
            writer.write_all(escaped)?;
            rest = &special[length..];
        }
        writer.write_all(rest)
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

/// First byte of U+2028 and U+2029 in UTF-8, and of many characters that need no escape.
const SEPARATOR_FIRST: u8 = 0xe2;

/// Returns what to write for the first byte or character of a text, and how many bytes that takes up in the text.
const fn escape(text: &[u8]) -> (&[u8], usize) {
    match text {
        [b'<', ..] => (b"\\u003c", 1),
        [b'>', ..] => (b"\\u003e", 1),
        [b'&', ..] => (b"\\u0026", 1),
        [SEPARATOR_FIRST, 0x80, 0xa8, ..] => (b"\\u2028", 3),
        [SEPARATOR_FIRST, 0x80, 0xa9, ..] => (b"\\u2029", 3),
        [] => (text, 0),
        [..] => (text.split_at(1).0, 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_and_line_separators_are_escaped_in_keys_and_values() {
        let value = BTreeMap::from([("<k>", "a & b\u{2028}c\u{2029}\"\\\u{1}\u{8}\u{c}\u{7f}é…\u{202a}")]);
        assert_eq!(
            to_string(&value).unwrap(),
            "{\"\\u003ck\\u003e\":\"a \\u0026 b\\u2028c\\u2029\\\"\\\\\\u0001\\b\\f\u{7f}é…\u{202a}\"}"
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
