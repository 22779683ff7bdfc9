//! Where in a text a token is, by what each kind begins with.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::is_quote;
use crate::token::inspect::{is_bootstrap_token, is_short_k3s_token};

/// How the base64 of a JSON object begins: of `{"`, of `{` and a line break or a blank.
const OBJECT_BEGINS: [&str; 2] = ["ey", "ew"];
/// Fewest characters of something that begins as a token and is none: a word such as `eyes` is not meant.
const DAMAGED_CHARS_MIN: usize = 40;
/// Digits of the hash in a k3s token.
const K3S_HASH_DIGITS: usize = 64;
/// Fewest digits of a hash that was cut: after fewer, `K10` is a word like any other.
const K3S_DIGITS_MIN: usize = 16;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token within a text.
pub(super) struct Found {
    /// Where it stands.
    pub(super) range: Range<usize>,
    /// The token, without the blanks in it.
    pub(super) text: Zeroizing<String>,
    /// How many `=` were put back.
    pub(super) padding: usize,
}

/// Finds the first token of the first kind of which there is one.
pub(super) fn token(whole: &str) -> Option<Found> {
    begins(whole, "SWMTKN-", |c| c.is_ascii_alphanumeric() || c == '-')
        .map(|at| swarm(whole, at))
        .next()
        .or_else(|| begins(whole, "K10", |c| c.is_ascii_alphanumeric()).find_map(|at| k3s(whole, at)))
        .or_else(|| {
            OBJECT_BEGINS.iter().find_map(|begin| begins(whole, begin, is_base64).find_map(|at| object(whole, at)))
        })
        .or_else(|| word(whole, is_bootstrap_token))
        .or_else(|| word(whole, is_short_k3s_token))
}

/// Returns where a mark begins a word.
fn begins<'a>(whole: &'a str, mark: &'a str, is_of_word: fn(char) -> bool) -> impl Iterator<Item = usize> + 'a {
    whole.match_indices(mark).map(|(at, _)| at).filter(move |at| !whole[..*at].ends_with(is_of_word))
}

const fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/')
}

const fn is_line_break(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// A join token, which may be folded.
fn swarm(whole: &str, start: usize) -> Found {
    let fits = |_: &str, c: char| c.is_ascii_alphanumeric() || c == '-';
    taken(whole, start, fits, |text| text.len() < if text.starts_with("SWMTKN-2") { 87 } else { 85 })
}

/// A k3s token. Its password may hold anything but blanks and quotes; before it, where the token may be folded, there are
/// only digits and colons.
fn k3s(whole: &str, start: usize) -> Option<Found> {
    let is_begun = |text: &str| !text.contains("::");
    let fits = |text: &str, c: char| match is_begun(text) {
        true => c.is_ascii_alphanumeric() || c == ':',
        false => !c.is_whitespace() && !is_quote(c),
    };
    let found = taken(whole, start, fits, is_begun);
    let hash = &found.text["K10".len()..];
    let digits = hash.bytes().take_while(u8::is_ascii_hexdigit).count();
    let is_cut = (K3S_DIGITS_MIN..=K3S_HASH_DIGITS).contains(&digits) && matches!(&hash[digits..], "" | ":");
    (found.text.contains("::") || is_cut).then_some(found)
}

/// Takes characters as long as they fit, and leaves out the line breaks between them as long as more must come.
fn taken(whole: &str, start: usize, fits: impl Fn(&str, char) -> bool, goes_on: impl Fn(&str) -> bool) -> Found {
    let mut text = Zeroizing::new(String::with_capacity(whole.len() - start));
    let mut end = start;
    for (at, c) in whole[start..].char_indices() {
        if fits(&text, c) {
            text.push(c);
            end = start + at + c.len_utf8();
        } else if !(is_line_break(c) && goes_on(&text)) {
            break;
        }
    }
    Found { range: start..end, text, padding: 0 }
}

/// The base64 of a JSON object, which may be folded, and ends with the object.
fn object(whole: &str, start: usize) -> Option<Found> {
    let (mut text, mut ends) = (Zeroizing::new(String::with_capacity(whole.len() - start)), Vec::new());
    let mut doubtful = None;
    for word in words(&whole[start..]) {
        let run = &whole[start..][word.clone()];
        let fitting = run.find(|c| !is_base64(c)).unwrap_or(run.len());
        // The beginning of a later word is a part of the token, or of a prompt.
        if !text.is_empty() && fitting < run.len() && !run[fitting..].starts_with(|c| c == '=' || is_quote(c)) {
            doubtful = Some(text.len());
        }
        text.push_str(&run[..fitting]);
        ends.extend((0..fitting).map(|at| start + word.start + at + 1));
        if fitting < run.len() {
            break;
        }
    }
    let decoded = decode(&text);
    let mut values = serde_json::Deserializer::from_slice(&decoded).into_iter::<IgnoredAny>();
    let chars = match values.next()? {
        Ok(_) => (values.byte_offset() * 4).div_ceil(3).min(text.len()),
        Err(error) if error.is_eof() && decoded.len() > 1 || text.len() >= DAMAGED_CHARS_MIN => {
            doubtful.unwrap_or(text.len())
        }
        Err(_) => return None,
    };
    let is_whole = values.byte_offset() > 0;
    text.truncate(chars);
    let end = *ends.get(chars.checked_sub(1)?)?;
    let present =
        whole[end..].bytes().filter(|byte| !byte.is_ascii_whitespace()).take_while(|byte| *byte == b'=').count();
    let wanted = if is_whole { (4 - chars % 4) % 4 } else { present };
    let padded = whole[end..].char_indices().filter(|(_, c)| *c == '=').take(present.min(wanted)).last();
    text.extend(std::iter::repeat_n('=', wanted));
    let end = padded.map_or(end, |(at, _)| end + at + 1);
    Some(Found { range: start..end, text, padding: wanted.saturating_sub(present) })
}

/// Decodes as much as there is.
pub(crate) fn decode(text: &str) -> Zeroizing<Vec<u8>> {
    let whole = text.trim_end_matches('=');
    let length = if whole.len() % 4 == 1 { whole.len() - 1 } else { whole.len() };
    Zeroizing::new(whole.get(..length).and_then(|whole| LENIENT.decode(whole).ok()).unwrap_or_default())
}

/// Returns where the words of a text are.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(move |word| start(word)..start(word) + word.len())
}

/// The first word that is a token, whatever stands around it.
fn word(whole: &str, is_token: fn(&str) -> bool) -> Option<Found> {
    let is_edge = |c: char| c.is_whitespace() || is_quote(c) || matches!(c, '=' | ':' | ',' | ';');
    let mut start = 0;
    for part in whole.split_inclusive(is_edge) {
        let word = part.trim_end_matches(is_edge);
        if is_token(word) {
            let text = Zeroizing::new(word.to_owned());
            return Some(Found { range: start..start + word.len(), text, padding: 0 });
        }
        start += part.len();
    }
    None
}
