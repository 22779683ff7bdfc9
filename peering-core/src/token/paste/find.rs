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

/// Which tokens are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Those of every kind.
    Any,
    /// Peering tokens, as if there were no others.
    Peering,
}

/// A token within a text.
pub(super) struct Found {
    /// Where it stands.
    pub(super) range: Range<usize>,
    /// The token, without the blanks in it.
    pub(super) text: Zeroizing<String>,
    /// How many `=` were put back.
    pub(super) padding: usize,
    /// Whether it has its beginning and its end.
    pub(super) is_whole: bool,
    /// Whether there is another token in the text, and which is meant cannot be told. The same one again is none.
    pub(super) is_one_of_several: bool,
}

/// Finds the token that is meant: a whole one rather than what may be a piece of one, and a peering token rather than
/// another; of several, the first.
pub(super) fn token(whole: &str, wanted: Wanted) -> Option<Found> {
    let objects = Seen::of(objects(whole, wanted));
    let others = if wanted == Wanted::Any { others(whole) } else { Seen::default() };
    let is_one_of_several =
        objects.has_others || others.has_others || objects.whole.is_some() && others.whole.is_some();
    let whole_one = objects.whole.or(others.whole).map(|found| Found { is_one_of_several, ..found });
    let short = || if wanted == Wanted::Any { words(whole, is_short_k3s_token).next() } else { None };
    // Beside a token, 32 digits are more often something else.
    whole_one.or(others.damaged).or(objects.damaged).or_else(short)
}

/// What was seen of tokens.
#[derive(Default)]
struct Seen {
    whole: Option<Found>,
    damaged: Option<Found>,
    has_others: bool,
}

impl Seen {
    fn of(all: impl Iterator<Item = Found>) -> Self {
        let mut seen = Self::default();
        all.for_each(|found| seen.add(found));
        seen
    }

    fn add(&mut self, found: Found) {
        let first = if found.is_whole { &mut self.whole } else { &mut self.damaged };
        match first {
            None => *first = Some(found),
            Some(first) => self.has_others |= found.is_whole && found.text != first.text,
        }
    }
}

/// Tokens that are no objects.
fn others(whole: &str) -> Seen {
    let (mut seen, mut taken) = (Seen::default(), Vec::new());
    let swarm = all(begins(whole, "SWMTKN-", |c| c.is_ascii_alphanumeric() || c == '-'), |at| Some(swarm(whole, at)));
    let k3s = all(begins(whole, "K10", |c| c.is_ascii_alphanumeric()), |at| k3s(whole, at));
    for found in swarm.chain(k3s) {
        taken.push(found.range.clone());
        seen.add(found);
    }
    // The password of a k3s token may have the form of a bootstrap token.
    taken.sort_unstable_by_key(|range| range.start);
    let mut taken = taken.into_iter().peekable();
    for found in words(whole, is_bootstrap_token) {
        while taken.next_if(|range| range.end <= found.range.start).is_some() {}
        if taken.peek().is_none_or(|range| range.start > found.range.start) {
            seen.add(found);
        }
    }
    seen
}

/// Returns what is found at some places, and nothing within a whole token. A damaged one may have swallowed the next.
fn all(places: impl Iterator<Item = usize>, mut at: impl FnMut(usize) -> Option<Found>) -> impl Iterator<Item = Found> {
    let mut end = 0;
    places.filter_map(move |place| {
        let found = if place < end { None } else { at(place) };
        end = found.as_ref().filter(|found| found.is_whole).map_or(end, |found| found.range.end);
        found
    })
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
    let found = unfolded(whole, start..start + first, |text| text.len() < chars_of(text), fits);
    Found { is_whole: found.text.len() == chars_of(&found.text), ..found }
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
    let is_whole = found.text.contains("::");
    (is_whole || is_cut).then_some(Found { is_whole, ..found })
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
    Found { range: start..end, text, padding: 0, is_whole: false, is_one_of_several: false }
}

/// Objects that are tokens, or may be what is left of some.
fn objects(whole: &str, wanted: Wanted) -> impl Iterator<Item = Found> {
    let mut steps = OBJECT_STEPS * whole.len();
    let is_begin = |at: &usize| OBJECT_BEGINS.iter().any(|begin| whole[*at..].starts_with(begin));
    all(begins(whole, "e", is_base64).filter(is_begin), move |at| object(whole, at, wanted, &mut steps))
}

/// The base64 of a JSON object, which may be folded, and ends with the object. Nothing is looked at once there are no
/// steps left.
fn object(whole: &str, start: usize, wanted: Wanted, steps: &mut usize) -> Option<Found> {
    let mut pieces = Vec::new();
    let (mut chars, mut doubtful) = (0, None);
    let mut rest = &whole[start..];
    while !rest.is_empty() {
        let begin = whole.len() - rest.len();
        let fitting = rest.bytes().take_while(|byte| is_base64(char::from(*byte))).count();
        let behind = &rest[fitting..];
        let is_last = behind.starts_with(|c: char| !c.is_whitespace());
        // The beginning of a later word is a part of the token, or of a prompt.
        if chars > 0 && is_last && !behind.starts_with(|c| c == '=' || is_quote(c)) {
            doubtful = Some(chars);
        }
        chars += fitting;
        pieces.push(begin..begin + fitting);
        let next = if is_last { behind } else { behind.trim_start() };
        *steps = steps.checked_sub(rest.len() - next.len())?;
        if is_last {
            break;
        }
        rest = next;
    }
    let mut text = Zeroizing::new(String::with_capacity(chars + PADDING_MAX));
    text.extend(pieces.iter().map(|run| &whole[run.clone()]));
    let ends: Vec<usize> = pieces.into_iter().flatten().map(|at| at + 1).collect();
    let decoded = decode(&text);
    let mut values = serde_json::Deserializer::from_slice(&decoded).into_iter::<BTreeMap<String, IgnoredAny>>();
    let chars = match values.next()? {
        Ok(keys) if !keys.keys().any(|key| is_key_of_a_token(key, wanted)) => return None,
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
    let padding_wanted = if is_whole { (4 - chars % 4) % 4 } else { present };
    let padded = whole[end..].char_indices().filter(|(_, c)| *c == '=').take(present.min(padding_wanted)).last();
    text.extend(std::iter::repeat_n('=', padding_wanted));
    let end = padded.map_or(end, |(at, _)| end + at + 1);
    let padding = padding_wanted.saturating_sub(present);
    Some(Found { range: start..end, text, padding, is_whole, is_one_of_several: false })
}

/// Says whether a key is one of a peering token or of an Elasticsearch enrollment token; one that many objects have, such
/// as `ver`, is not enough.
fn is_key_of_a_token(key: &str, wanted: Wanted) -> bool {
    Read::FIELDS.iter().any(|field| field.eq_ignore_ascii_case(key))
        || wanted == Wanted::Any && matches!(key, "adr" | "fgr")
}

/// Decodes as much as there is.
pub(crate) fn decode(text: &str) -> Zeroizing<Vec<u8>> {
    let whole = text.trim_end_matches('=');
    let length = if whole.len() % 4 == 1 { whole.len() - 1 } else { whole.len() };
    Zeroizing::new(whole.get(..length).and_then(|whole| LENIENT.decode(whole).ok()).unwrap_or_default())
}

/// Words that are tokens, whatever stands around them.
fn words(whole: &str, is_token: fn(&str) -> bool) -> impl Iterator<Item = Found> {
    let is_edge = |c: char| c.is_whitespace() || is_quote(c) || matches!(c, '=' | ':' | ',' | ';');
    let mut end = 0;
    whole.split_inclusive(is_edge).filter_map(move |part| {
        let (start, word) = (end, part.trim_end_matches(is_edge));
        end += part.len();
        is_token(word).then(|| Found {
            range: start..start + word.len(),
            text: Zeroizing::new(word.to_owned()),
            padding: 0,
            is_whole: true,
            is_one_of_several: false,
        })
    })
}
