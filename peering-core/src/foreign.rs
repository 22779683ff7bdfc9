//! Text from outside, made fit for a terminal or a log line.

/// Most characters of a foreign text that are shown: enough to recognise it, too few to flood a screen.
pub const SHOWN_CHARACTERS_MAX: usize = 64;

/// Most bytes of a caller's own input that an answer repeats to it: enough to recognise, too few to amplify.
pub const ECHO_BYTES_MAX: usize = 1024;

/// Says whether a terminal may do something else than show this character in its place: controls, line and paragraph
/// separators, format characters (bidirectional ones among them), and what is shown as nothing at all.
///
/// # Source
/// Unicode 16: categories `Cc`, `Cf`, `Zl`, `Zp`, and the property `Default_Ignorable_Code_Point`.
///
/// # Examples
/// ```
/// use peering_core::foreign::may_deceive;
/// assert!("\u{1b}\r\u{202e}\u{200b}".chars().all(may_deceive));
/// assert!(!"größe 東京 שלום".chars().any(may_deceive));
/// ```
#[must_use]
pub fn may_deceive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Writes a character as Rust escapes it if it may not be shown as it is.
fn push_visible(text: &mut String, c: char) {
    if may_deceive(c) && !matches!(c, '\0' | '\t' | '\r' | '\n') {
        text.extend(c.escape_unicode());
    } else {
        text.extend(c.escape_debug());
    }
}

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
            _ => push_visible(&mut quoted, c),
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
            _ => push_visible(&mut escaped, c),
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
    fn what_may_deceive_is_what_unicode_calls_control_format_separator_or_ignorable() {
        let class = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]";
        let hir = regex_syntax::parse(class).unwrap();
        let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = hir.kind() else { panic!() };
        for c in '\0'..=char::MAX {
            let is_in_class = class.ranges().binary_search_by(|range| {
                if c < range.start() {
                    std::cmp::Ordering::Greater
                } else if c > range.end() {
                    std::cmp::Ordering::Less
                } else {
                    std::cmp::Ordering::Equal
                }
            });
            assert_eq!(may_deceive(c), is_in_class.is_ok(), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn characters_that_show_as_nothing_are_escaped() {
        for c in ['\u{200b}', '\u{ad}', '\u{2060}', '\u{feff}', '\u{3164}', '\u{115f}', '\u{e0041}', '\u{fe0f}'] {
            assert_eq!(quoted(&c.to_string()), format!("\"\\u{{{:x}}}\"", u32::from(c)));
            assert_eq!(escaped(&c.to_string(), 1), format!("\\u{{{:x}}}", u32::from(c)));
        }
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
            for shown in [quoted(&text), escaped(&text, 64)] {
                prop_assert!(!shown.chars().any(may_deceive), "{shown:?}");
            }
        }
    }
}
