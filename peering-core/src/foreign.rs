//! Text from outside, made fit for a terminal or a log line.

/// Most characters of a foreign text that are shown: enough to recognise it, too few to flood a screen.
pub const SHOWN_CHARACTERS_MAX: usize = 64;

/// Most bytes of a caller's own input that an answer repeats to it: enough to recognise, too few to amplify.
pub const ECHO_BYTES_MAX: usize = 1024;

/// Quotes a text, escapes control, bidirectional and other invisible characters, and cuts it at
/// [`SHOWN_CHARACTERS_MAX`] characters, saying so.
///
/// # Security
/// The result holds neither a line break nor a terminal sequence, and reads left to right.
///
/// # Examples
/// ```
/// use peering_core::foreign::quoted;
/// assert_eq!(quoted("dc1\u{1b}[2J"), r#""dc1\u{1b}[2J""#);
/// assert_eq!(quoted(&"a".repeat(80)), format!("\"{}\" (64 of 80 characters)", "a".repeat(64)));
/// ```
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars().take(SHOWN_CHARACTERS_MAX) {
        match c {
            '\'' => quoted.push(c),
            _ => quoted.extend(c.escape_debug()),
        }
    }
    quoted.push('"');
    let count = text.chars().count();
    if count > SHOWN_CHARACTERS_MAX {
        quoted.push_str(&format!(" ({SHOWN_CHARACTERS_MAX} of {count} characters)"));
    }
    quoted
}

/// Escapes control, bidirectional and other invisible characters and cuts the text at `characters_max`, without quotes:
/// for a message that a peer sent, inside a sentence of ours.
///
/// # Examples
/// ```
/// use peering_core::foreign::escaped;
/// assert_eq!(escaped("it's \"no\"\n", 256), r#"it's "no"\n"#);
/// assert_eq!(escaped("abcdef", 3), "abc");
/// ```
#[must_use]
pub fn escaped(text: &str, characters_max: usize) -> String {
    let mut escaped = String::new();
    for c in text.chars().take(characters_max) {
        match c {
            '\'' | '"' | '\\' => escaped.push(c),
            _ => escaped.extend(c.escape_debug()),
        }
    }
    escaped
}

/// Cuts a caller's own input at [`ECHO_BYTES_MAX`], between characters, before it is repeated to that caller.
#[must_use]
pub fn echo(text: &str) -> &str {
    let end = (0..=text.len().min(ECHO_BYTES_MAX)).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters that change the direction of text, Unicode's `Bidi_Control`.
    const BIDI: &str =
        "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";

    #[test]
    fn control_and_bidi_characters_are_escaped() {
        let shown = quoted(&format!("\u{0}\n\u{1b}\u{7f}\u{9b}{BIDI}"));
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(shown.matches('\\').count(), 5 + BIDI.chars().count(), "{shown}");
    }

    #[test]
    fn ordinary_text_stays_readable() {
        assert_eq!(quoted("O'Brien's Büro, 東京"), "\"O'Brien's Büro, 東京\"");
        assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
    }

    #[test]
    fn a_text_at_its_bound_is_shown_whole_and_a_longer_one_is_cut() {
        let text = "ü".repeat(SHOWN_CHARACTERS_MAX);
        assert_eq!(quoted(&text), format!("\"{text}\""));
        assert_eq!(quoted(&format!("{text}ü")), format!("\"{text}\" (64 of 65 characters)"));
    }

    proptest! {
        #[test]
        fn nothing_dangerous_passes(text in any::<String>()) {
            let shown = quoted(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || BIDI.contains(c)));
        }
    }
}
