//! Quoting in error texts: Go's `%q` for texts and its own form for a single character.

use std::fmt::Write as _;

/// Puts a text in double quotes as Go's `%q` does: `\n`, `\"`, `\x00`, `\u200e` …
///
/// Combining marks come out escaped where Go prints them; everything else is the same.
///
/// # Examples
/// ```
/// assert_eq!(peering_core::gojson::go_quoted("a\"b\n\0"), r#""a\"b\n\x00""#);
/// ```
#[must_use]
pub fn go_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            other => push_escaped(&mut quoted, other),
        }
    }
    quoted.push('"');
    quoted
}

/// Puts a byte in single quotes as Go names an unexpected one: as if it were a character of Latin-1.
pub(super) fn quoted_byte(byte: u8) -> String {
    let mut quoted = String::from("'");
    match byte {
        b'\'' => quoted.push_str("\\'"),
        other => push_escaped(&mut quoted, char::from(other)),
    }
    quoted.push('\'');
    quoted
}

fn push_escaped(text: &mut String, c: char) {
    let short = match c {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        '\\' => '\\',
        printable if printable == '"' || printable == '\'' || c.escape_debug().len() == 1 => {
            text.push(c);
            return;
        }
        _ => {
            let code = u32::from(c);
            // Writing to a `String` cannot fail.
            let _ = match code {
                0..0x20 | 0x7f => write!(text, "\\x{code:02x}"),
                0..0x1_0000 => write!(text, "\\u{code:04x}"),
                _ => write!(text, "\\U{code:08x}"),
            };
            return;
        }
    };
    text.push('\\');
    text.push(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_quotes_them() {
        for (text, quoted) in [
            ("nope", r#""nope""#),
            ("a\"b\\c'd", r#""a\"b\\c'd""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{1f}\u{7f}", r#""\x00\x1f\x7f""#),
            ("é\u{80}\u{a0}\u{200e}\u{202e}\u{e000}", r#""é\u0080\u00a0\u200e\u202e\ue000""#),
            ("日本😀\u{fffd}\u{10ffff}", "\"日本😀\u{fffd}\\U0010ffff\""),
        ] {
            assert_eq!(go_quoted(text), quoted);
        }
    }

    #[test]
    fn a_byte_is_quoted_as_one_latin_character() {
        for (byte, quoted) in [
            (b'a', "'a'"),
            (b'\'', r"'\''"),
            (b'"', r#"'"'"#),
            (b'\\', r"'\\'"),
            (b'\n', r"'\n'"),
            (0, r"'\x00'"),
            (0x80, r"'\u0080'"),
            (0xe9, "'é'"),
        ] {
            assert_eq!(quoted_byte(byte), quoted);
        }
    }
}
