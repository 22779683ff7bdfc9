//! Escapes text from outside, so that no name, metadata or server message moves the cursor or reorders a line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use peering_core::foreign::may_deceive;

/// Escapes every character that may deceive a reader: for one cell or one value.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, may_deceive, go_style)
}

/// Escapes as [`line`] but keeps newline and tab: for whole messages, which Consul breaks into lines.
pub(crate) fn block(text: &str) -> Cow<'_, str> {
    escape(text, |c| !matches!(c, '\n' | '\t') && may_deceive(c), go_style)
}

/// Escapes as [`block`] but lets a line go on only as Consul's lists of errors do, indented by a tab: another server's
/// message cannot look like a line of ours.
pub(crate) fn answer(text: &str) -> String {
    let mut lines = text.trim().split('\n');
    let mut out = line(lines.next().unwrap_or_default()).into_owned();
    for next in lines {
        match next.strip_prefix('\t') {
            Some(rest) => out.extend(["\n\t", line(rest).as_ref()]),
            None => out.extend(["\\n", line(next).as_ref()]),
        }
    }
    out
}

/// Escapes what a JSON encoder leaves in its strings: DEL, C1 controls, bidi and other format characters. The meaning is
/// the same.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    escape(text, may_deceive, json_style)
}

fn go_style(out: &mut String, c: char) -> fmt::Result {
    match (c, u32::from(c)) {
        ('\n', _) => out.write_str("\\n"),
        ('\r', _) => out.write_str("\\r"),
        ('\t', _) => out.write_str("\\t"),
        (_, code @ 0..=0x7f) => write!(out, "\\x{code:02x}"),
        (_, code @ 0..=0xffff) => write!(out, "\\u{code:04x}"),
        (_, code) => write!(out, "\\U{code:08x}"),
    }
}

/// Writes a character as JSON does, beyond 16 bits as two halves.
fn json_style(out: &mut String, c: char) -> fmt::Result {
    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|half| write!(out, "\\u{half:04x}"))
}

fn escape(
    text: &str,
    is_unsafe: impl Fn(char) -> bool,
    write_escaped: impl Fn(&mut String, char) -> fmt::Result,
) -> Cow<'_, str> {
    if !text.chars().any(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a `String` cannot fail.
            let _ = write_escaped(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_bidi_characters_become_visible() {
        assert_eq!(
            line("a\u{1b}[2Jb\u{7f}\r\n\t\u{9b}\u{202e}\u{2066}\u{200f}\u{200b}\u{e0041}"),
            r"a\x1b[2Jb\x7f\r\n\t\u009b\u202e\u2066\u200f\u200b\U000e0041"
        );
    }

    #[test]
    fn a_message_keeps_its_lines_but_not_its_carriage_returns() {
        assert_eq!(block("1 error occurred:\n\t* x\r\u{1b}"), "1 error occurred:\n\t* x\\r\\x1b");
    }

    #[test]
    fn an_answer_goes_on_in_indented_lines_alone() {
        let errors = "2 errors occurred:\n\t* x\n\t* y\n\n";
        assert_eq!(answer(errors), errors.trim_end());
        assert_eq!(answer("x\r\nSuccess\n\t* y\tz"), "x\\r\\nSuccess\n\t* y\\tz");
    }

    #[test]
    fn other_scripts_are_left_alone() {
        let text = "größe 東京 שלום";
        assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn escaped_json_means_the_same() {
        let given = "x\u{7f}\u{85}\u{202e}\u{e0041}\u{feff}";
        let escaped = json(&serde_json::to_string(given).unwrap()).into_owned();
        assert_eq!(escaped, r#""x\u007f\u0085\u202e\udb40\udc41\ufeff""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), given);
    }
}
