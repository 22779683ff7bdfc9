//! Where in a text a token is, by what each kind begins with.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::is_quote;
use crate::gojson::Struct as _;
use crate::token::inspect::{is_bootstrap_token, is_short_k3s_token};
use crate::token::wire::Read;

/// How the base64 of a JSON object begins: of `{"`, of `{` and a line break or a blank.
const OBJECT_BEGINS: [&str; 2] = ["ey", "ew"];
/// Fewest characters of something that begins as a token and is none: a word such as `eyes` is not meant.
const DAMAGED_CHARS_MIN: usize = 40;
/// Most `=` that base64 ends with, or that are put back.
const PADDING_MAX: usize = 3;
/// Digits of the hash in a k3s token.
const K3S_HASH_DIGITS: usize = 64;
/// Fewest digits of a hash that was cut: after fewer, `K10` is a word like any other.
const K3S_DIGITS_MIN: usize = 16;
/// Most bytes of a k3s token before its password that are looked at: twice what belongs there.
const K3S_HEAD_BYTES_MAX: usize = 128;
/// Characters that are looked at for each of a text, among all the places where base64 of an object may begin. Two or
/// three are what honest texts take; without a bound, a text full of beginnings would be read from each of them.
const OBJECT_STEPS: usize = 8;

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
        .or_else(|| objects(whole))
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
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let chars_of = |text: &str| if text.starts_with("SWMTKN-2") { 87 } else { 85 };
    let first = whole[start..].find(|c| !is_of_token(c)).unwrap_or(whole.len() - start);
    let fits = |text: &str| text.len() <= chars_of(text) && text.chars().all(is_of_token);
    unfolded(whole, start..start + first, |text| text.len() < chars_of(text), fits)
}

/// A k3s token. Its password may hold anything but blanks and quotes; before it, where the token may be folded, there are
/// only digits and colons.
fn k3s(whole: &str, start: usize) -> Option<Found> {
    let text = &whole[start..];
    let is_of_head = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b':';
    let head = &text[..text.bytes().take(K3S_HEAD_BYTES_MAX).take_while(is_of_head).count()];
    let first = match head.find("::") {
        Some(colons) => {
            let password = colons + "::".len();
            text[password..].find(ends_a_run).map_or(text.len(), |length| password + length)
        }
        None => head.len(),
    };
    let found = unfolded(
        whole,
        start..start + first,
        |text| !text.contains("::"),
        |text| text.contains("::") && k3s_digits(text).is_some() || is_cut_in_its_hash(text),
    );
    let is_cut = is_cut_in_its_hash(&found.text) && k3s_digits(&found.text) >= Some(K3S_DIGITS_MIN);
    (found.text.contains("::") || is_cut).then_some(found)
}

/// Returns how many digits the hash in what begins as a k3s token has, if it has no more than fit.
fn k3s_digits(text: &str) -> Option<usize> {
    let hash = text.get("K10".len()..)?;
    let digits = hash.bytes().take_while(u8::is_ascii_hexdigit).count();
    (digits <= K3S_HASH_DIGITS && matches!(hash.as_bytes().get(digits), None | Some(b':'))).then_some(digits)
}

/// Says whether there is only a hash and at most one colon.
fn is_cut_in_its_hash(text: &str) -> bool {
    k3s_digits(text).is_some_and(|digits| matches!(&text["K10".len() + digits..], "" | ":"))
}

fn ends_a_run(c: char) -> bool {
    c.is_whitespace() || is_quote(c)
}

/// Takes the lines after the first as long as more must come, each of which holds a piece of the token and nothing else: a
/// prompt is none.
fn unfolded(whole: &str, first: Range<usize>, goes_on: impl Fn(&str) -> bool, fits: impl Fn(&str) -> bool) -> Found {
    let Range { start, mut end } = first;
    let mut text = Zeroizing::new(whole[start..end].to_owned());
    while goes_on(&text) {
        let line = whole[end..].trim_start_matches(is_line_break);
        if line.len() == whole.len() - end {
            break;
        }
        let run = &line[..line.find(ends_a_run).unwrap_or(line.len())];
        let behind = line[run.len()..].trim_start_matches(|c| ends_a_run(c) && !is_line_break(c));
        let is_alone = behind.is_empty() || behind.starts_with(is_line_break);
        if run.is_empty() || !is_alone {
            break;
        }
        let longer = Zeroizing::new([&text, run].concat());
        if !fits(&longer) {
            break;
        }
        text = longer;
        end = whole.len() - line.len() + run.len();
    }
    Found { range: start..end, text, padding: 0 }
}

/// The first object that is a token.
fn objects(whole: &str) -> Option<Found> {
    let mut steps = OBJECT_STEPS * whole.len();
    OBJECT_BEGINS.iter().find_map(|begin| begins(whole, begin, is_base64).find_map(|at| object(whole, at, &mut steps)))
}

/// The base64 of a JSON object, which may be folded, and ends with the object. Nothing is looked at once there are no
/// steps left.
fn object(whole: &str, start: usize, steps: &mut usize) -> Option<Found> {
    let mut runs = Vec::new();
    let (mut chars, mut doubtful) = (0, None);
    for word in words(&whole[start..]) {
        let run = &whole[start..][word.clone()];
        let fitting = run.find(|c| !is_base64(c)).unwrap_or(run.len());
        // The beginning of a later word is a part of the token, or of a prompt.
        if chars > 0 && fitting < run.len() && !run[fitting..].starts_with(|c| c == '=' || is_quote(c)) {
            doubtful = Some(chars);
        }
        chars += fitting;
        *steps = steps.checked_sub(fitting)?;
        runs.push(start + word.start..start + word.start + fitting);
        if fitting < run.len() {
            break;
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(chars + PADDING_MAX));
    text.extend(runs.iter().map(|run| &whole[run.clone()]));
    let ends: Vec<usize> = runs.into_iter().flatten().map(|at| at + 1).collect();
    let decoded = decode(&text);
    let mut values = serde_json::Deserializer::from_slice(&decoded).into_iter::<BTreeMap<String, IgnoredAny>>();
    let chars = match values.next()? {
        Ok(keys) if !keys.keys().any(|key| is_key_of_a_token(key)) => return None,
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

/// Says whether a key is one of a peering token or of an Elasticsearch enrollment token; one that many objects have, such
/// as `ver`, is not enough.
fn is_key_of_a_token(key: &str) -> bool {
    Read::FIELDS.iter().any(|field| field.eq_ignore_ascii_case(key)) || matches!(key, "adr" | "fgr")
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
