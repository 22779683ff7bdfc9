//! What people paste around a token: taken off where that can do no harm, and told.
//!
//! Nothing is guessed: a character is only left out, never changed, and what is left must be a token by itself. A text
//! in which no token is found stays as it is.

mod find;

use std::fmt;

use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

pub(super) use self::find::decode;
use self::find::{Found, Wanted};
use super::consul::UnverifiedToken;
use crate::foreign::may_deceive;
use crate::wiped::WipedText;

/// A text as it was meant.
///
/// # Security
/// `Debug` shows how long the text is. It is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Pasted {
    text: Zeroizing<String>,
    mended: Vec<Mended>,
}

/// What was done to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mended {
    /// It was UTF-16.
    Utf16,
    /// So many characters that nobody sees were taken out.
    Invisible(usize),
    /// So many line breaks and blanks within the token were taken out.
    Blanks(usize),
    /// Marks (`>`) before so many lines, each of which mail had quoted, were taken off.
    Marks(usize),
    /// Quotes around it were taken off.
    Quotes,
    /// So many characters before it were left out.
    Before(usize),
    /// So many characters after it were left out.
    After(usize),
    /// It was taken out of `{"PeeringToken": …}`, as `generate-token -format json` prints it.
    Json,
    /// So many `=` at its end were put back.
    Padding(usize),
    /// There is another token in what was left out, and which is meant cannot be told.
    Several,
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16 => f.write_str("the text was UTF-16"),
            Self::Invisible(count) => write!(f, "invisible characters were taken out: {count}"),
            Self::Blanks(count) => write!(f, "line breaks and blanks within the token were taken out: {count}"),
            Self::Marks(count) => write!(f, "marks of quoted lines were taken off: {count}"),
            Self::Quotes => f.write_str("quotes around the token were taken off"),
            Self::Before(count) => write!(f, "characters before the token were left out: {count}"),
            Self::After(count) => write!(f, "characters after the token were left out: {count}"),
            Self::Json => f.write_str("the token was taken out of a JSON object"),
            Self::Padding(count) => write!(f, "= signs at the end were put back: {count}"),
            Self::Several => f.write_str("there are different tokens, and only one of them was read"),
        }
    }
}

/// Says that bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("byte {offset} belongs to no text in UTF-8 or UTF-16")]
pub struct NotText {
    /// Where the text ends, from 0.
    pub offset: usize,
}

impl Pasted {
    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what was done to it; nothing is said of blanks at either end.
    #[must_use]
    pub fn mended(&self) -> &[Mended] {
        &self.mended
    }
}

impl fmt::Debug for Pasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pasted({} bytes, {:?})", self.text.len(), self.mended)
    }
}

/// Takes off what surrounds a token.
///
/// # Errors
/// [`NotText`] for bytes in no encoding that is known.
///
/// # Examples
/// ```
/// use peering_core::token::paste::{Mended, clean};
///
/// let pasted = clean(b"$ token='abcdef.0123456789abcdef'\n").unwrap();
/// assert_eq!(pasted.text(), "abcdef.0123456789abcdef");
/// assert_eq!(pasted.mended(), [Mended::Before(8), Mended::Quotes]);
/// ```
pub fn clean(bytes: &[u8]) -> Result<Pasted, NotText> {
    let (text, mended) = seen(bytes)?;
    let whole = text.trim();
    if is_document(whole) {
        return Ok(Pasted { text: Zeroizing::new(whole.to_owned()), mended });
    }
    Ok(meant(whole, Wanted::Any, mended))
}

/// Takes off what surrounds a peering token; tokens of other programs count as such surroundings.
///
/// # Errors
/// Those of [`clean`].
///
/// # Examples
/// ```
/// use peering_core::token::paste::{Mended, clean_peering};
///
/// let pasted = clean_peering(b"abcdef.0123456789abcdef and eyJQZWVySUQiOiJwIn0=").unwrap();
/// assert_eq!(pasted.text(), "eyJQZWVySUQiOiJwIn0=");
/// assert_eq!(pasted.mended(), [Mended::Before(27)]);
/// ```
pub fn clean_peering(bytes: &[u8]) -> Result<Pasted, NotText> {
    let (text, mended) = seen(bytes)?;
    Ok(meant(text.trim(), Wanted::Peering, mended))
}

/// Reads bytes as the characters that people see.
fn seen(bytes: &[u8]) -> Result<(Zeroizing<String>, Vec<Mended>), NotText> {
    let mut mended = Vec::new();
    let mut text = text_of(bytes, &mut mended)?;
    let invisible = text.chars().filter(is_invisible).count();
    if invisible > 0 {
        mended.push(Mended::Invisible(invisible));
        text = Zeroizing::new(text.chars().filter(|c| !is_invisible(c)).collect());
    }
    if let Some((bare, lines)) = unquoted(&text) {
        mended.push(Mended::Marks(lines));
        text = bare;
    }
    Ok((text, mended))
}

fn meant(whole: &str, wanted: Wanted, mut mended: Vec<Mended>) -> Pasted {
    if UnverifiedToken::decode(whole).is_ok() {
        let breaks = whole.matches(['\r', '\n']).count();
        mended.extend((breaks > 0).then_some(Mended::Blanks(breaks)));
        return Pasted { text: Zeroizing::new(whole.replace(['\r', '\n'], "")), mended };
    }
    let Some((inner, rest)) = in_json(whole) else {
        return found_in(whole, wanted, mended);
    };
    mended.push(Mended::Json);
    let mut pasted = found_in(&inner, wanted, mended);
    let is_other = |it: Found| it.is_whole && (it.is_one_of_several || *it.text != *pasted.text);
    let has_others = find::token(rest, wanted).is_some_and(is_other) && !pasted.mended.contains(&Mended::Several);
    pasted.mended.extend(has_others.then_some(Mended::Several));
    pasted
}

/// Says whether a text is a Kubernetes document, which is read as it is: in YAML every blank counts.
pub(super) fn is_document(text: &str) -> bool {
    ["apiVersion", "kind"].into_iter().all(|key| has_key(text, key))
}

/// Says whether a key stands at the beginning of a line, or quoted anywhere, as in JSON.
fn has_key(text: &str, key: &str) -> bool {
    text.match_indices(key).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + key.len()..]);
        let begun = ['"', '\''].into_iter().find(|quote| before.ends_with(*quote));
        let behind = begun.map_or(Some(behind), |quote| behind.strip_prefix(quote));
        let line = before.trim_end_matches([' ', '\t']);
        let is_begun = begun.is_some() || line.is_empty() || line.ends_with(['\r', '\n']);
        is_begun && behind.is_some_and(|behind| behind.trim_start().starts_with(':'))
    })
}

fn found_in(whole: &str, wanted: Wanted, mut mended: Vec<Mended>) -> Pasted {
    let Some(Found { range, text, padding, is_one_of_several, .. }) = find::token(whole, wanted) else {
        return Pasted { text: Zeroizing::new(whole.trim().to_owned()), mended };
    };
    let before = whole[..range.start].trim_end_matches(is_quote).trim();
    let after = whole[range.end..].trim_start_matches(is_quote).trim();
    let is_quoted = whole[..range.start].ends_with(is_quote) || whole[range.end..].starts_with(is_quote);
    let blanks = whole[range].chars().filter(|c| c.is_whitespace()).count();
    let counted = [
        (before.chars().count(), Mended::Before as fn(usize) -> Mended),
        (usize::from(is_quoted), |_| Mended::Quotes),
        (blanks, Mended::Blanks),
        (padding, Mended::Padding),
        (after.chars().count(), Mended::After),
    ];
    mended.extend(counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| what(count)));
    mended.extend(is_one_of_several.then_some(Mended::Several));
    Pasted { text, mended }
}

/// Reads bytes as UTF-8, or as UTF-16 if they begin with its mark or every second one is zero.
fn text_of(bytes: &[u8], mended: &mut Vec<Mended>) -> Result<Zeroizing<String>, NotText> {
    let is_zero_at = |at: usize| bytes.len() > 3 && bytes.iter().skip(at).step_by(2).all(|byte| *byte == 0);
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ if is_zero_at(1) => u16::from_le_bytes,
        _ if is_zero_at(0) => u16::from_be_bytes,
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|error| NotText { offset: error.valid_up_to() })?;
            return Ok(Zeroizing::new(text.to_owned()));
        }
    };
    mended.push(Mended::Utf16);
    let (pairs, _) = bytes.as_chunks::<2>();
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    let mut offset = 0;
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let c = c.map_err(|_| NotText { offset })?;
        offset += 2 * c.len_utf16();
        // The mark has done its work.
        if !(text.is_empty() && c == '\u{feff}') {
            text.push(c);
        }
    }
    Ok(text)
}

/// Returns the token of a JSON object that holds one, and what follows the object.
fn in_json(text: &str) -> Option<(WipedText, &str)> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "PeeringToken")]
        token: WipedText,
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Answer>();
    let answer = text.starts_with('{').then(|| values.next())?.transpose().ok()??;
    Some((answer.token, &text[values.byte_offset()..]))
}

/// Takes the marks off lines that mail has quoted, with their number: each must begin with one, and one line alone may have
/// a prompt before it. No token has such a mark.
fn unquoted(text: &str) -> Option<(Zeroizing<String>, usize)> {
    let is_mark = |c: char| matches!(c, '>' | ' ' | '\t');
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let count = lines().count();
    if count < 2 || !lines().all(|line| line.trim_start().starts_with('>')) {
        return None;
    }
    let mut bare = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines() {
        bare.push_str(line.trim_start_matches(is_mark));
        bare.push('\n');
    }
    Some((bare, count))
}

fn is_invisible(c: &char) -> bool {
    may_deceive(*c) && !c.is_control() && !c.is_whitespace()
}

const fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`' | '\u{2018}'..='\u{201f}' | '«' | '»')
}

#[cfg(test)]
mod tests;
