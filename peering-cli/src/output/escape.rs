//! Escapes text from outside, so that no name, metadata or server message moves the cursor or reorders a line.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes every control and bidi character: for one cell or one value.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe, go_style)
}

/// Escapes as [`line`] but keeps newline and tab: for whole messages, which Consul breaks into lines.
pub(crate) fn block(text: &str) -> Cow<'_, str> {
    escape(text, |c| !matches!(c, '\n' | '\t') && is_unsafe(c), go_style)
}

/// Escapes what a JSON encoder leaves in its strings: DEL, C1 controls and bidi characters. The meaning is the same.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe, |out, c| write!(out, "\\u{:04x}", u32::from(c)))
}

/// Says whether a terminal may do something else than show this character in its place.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}')
}

fn go_style(out: &mut String, c: char) -> std::fmt::Result {
    match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{:04x}", u32::from(c)),
    }
}

fn escape(
    text: &str,
    is_unsafe: impl Fn(char) -> bool,
    write_escaped: impl Fn(&mut String, char) -> std::fmt::Result,
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
            line("a\u{1b}[2Jb\u{7f}\r\n\t\u{9b}\u{202e}\u{2066}\u{200f}"),
            r"a\x1b[2Jb\x7f\r\n\t\u009b\u202e\u2066\u200f"
        );
    }

    #[test]
    fn a_message_keeps_its_lines_but_not_its_carriage_returns() {
        assert_eq!(block("1 error occurred:\n\t* x\r\u{1b}"), "1 error occurred:\n\t* x\\r\\x1b");
    }

    #[test]
    fn other_scripts_are_left_alone() {
        let text = "größe 東京 שלום";
        assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn escaped_json_means_the_same() {
        let given = "x\u{7f}\u{85}\u{202e}";
        let escaped = json(&serde_json::to_string(given).unwrap()).into_owned();
        assert_eq!(escaped, r#""x\u007f\u0085\u202e""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), given);
    }
}
