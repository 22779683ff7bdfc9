//! What is fed with any bytes: one check for each kind of text from outside, run by `fuzz/` and by the replay test.
//!
//! A check panics when something must not be, and passes over what is merely refused. It asks for more than that nothing
//! panics: what was read is written and read again as the same, a text for people is short and safe to print, and no
//! output depends on a secret.

pub mod bodies;
pub mod frames;
pub mod mutate;
pub mod records;
pub mod tokens;
pub mod words;

use jiff::Timestamp;

/// A check with a name, under which `fuzz/corpus` keeps its inputs.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The check.
    pub check: fn(&[u8]),
    /// Texts that open ways which chance does not find.
    pub words: &'static [&'static str],
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target { name: "tokens", check: tokens::check, words: &tokens::WORDS },
    Target { name: "frames", check: frames::check, words: &frames::WORDS },
    Target { name: "bodies", check: bodies::check, words: &bodies::WORDS },
    Target { name: "words", check: words::check, words: &words::WORDS },
    Target { name: "records", check: records::check, words: &records::WORDS },
];

/// The time at which everything is checked: the certificates of our samples are good then.
///
/// # Panics
/// Never.
fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

/// Checks a text that people see: short, and without a character that moves a cursor or turns a line around.
#[track_caller]
fn is_fit_to_show(text: &str, bytes_max: usize) {
    assert!(text.len() <= bytes_max, "a text for people has {} bytes, expected at most {bytes_max}", text.len());
    let raw = text.chars().find(|&c| !matches!(c, '\n' | '\t') && is_unsafe(c));
    assert_eq!(raw, None, "a text for people has a raw character: {text:?}");
}

/// Says whether a terminal may do something else than show this character in its place.
fn is_unsafe(c: char) -> bool {
    const DIRECTING: &str =
        "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    c.is_control() || DIRECTING.contains(c)
}
