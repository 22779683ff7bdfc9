//! Characters that deceive a reader, to be put wherever text from outside goes, and a look for those that came through.

use peering_core::foreign::may_deceive;

/// A mark in every hostile text, by which a test sees that the text was shown at all.
pub const MARK: &str = "mark";

/// Characters that move the cursor, forge a line, reverse the order of text, or show as nothing.
const DECEITFUL: &str = "\u{1b}[2J\u{1b}]0;t\u{7}\r\nforged\u{8}\t\u{b}\u{c}\u{7f}\u{85}\u{9b}31m\u{90}\u{61c}\u{200b}\u{200d}\u{200e}\
    \u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{ad}\
    \u{feff}\u{fff9}\u{3164}\u{e0041}";

/// Returns the mark among every kind of deceitful character but NUL, which some carriers forbid.
#[must_use]
pub fn text() -> String {
    format!("{MARK}{DECEITFUL}")
}

/// Returns the same without control characters, for carriers that forbid them.
#[must_use]
pub fn printable() -> String {
    text().chars().filter(|c| !c.is_control()).collect()
}

/// Checks that what was printed deceives nobody: the only controls are line ends, and tabs that indent a line, and no
/// line is forged.
///
/// # Panics
/// If it does.
#[track_caller]
pub fn look_for_it(place: &str, printed: &str) {
    for line in printed.split('\n') {
        let shown = line.trim_start_matches(['\t', ' ']);
        if let Some(c) = shown.chars().find(|&c| may_deceive(c)) {
            panic!("{place} shows U+{:04X}: {line:?}", u32::from(c));
        }
        assert!(!shown.starts_with("forged"), "{place} has a line of somebody else: {line:?}");
    }
}
