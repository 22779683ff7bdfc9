//! The first PEM block of a text, found by Go's rules: Consul's verdict on a token's `CA` hangs on them.
//!
//! The PEM readers at hand take other texts for whole. They refuse headers and white space within a line, and do not
//! compare the label at the end with the one at the beginning.

use crate::gojson::base64;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// A PEM block in a text.
pub(super) struct Block<'a> {
    /// What it says that it is, such as `CERTIFICATE`.
    pub(super) label: &'a str,
    /// What it holds.
    pub(super) contents: Vec<u8>,
    /// Its own lines.
    pub(super) text: &'a str,
    /// What follows it.
    pub(super) rest: &'a str,
}

impl<'a> Block<'a> {
    /// Finds the first whole block; text and broken blocks before it are passed over.
    pub(super) fn first(text: &'a str) -> Option<Self> {
        let mut begun = None;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            if line.starts_with(BEGIN) {
                begun = Some((start, at));
            } else if line.starts_with(END)
                && let Some((begin, body)) = begun.take()
                && let Some(label) = label(&text[begin..body])
                && line.trim_end_matches(WHITE) == format!("{END}{label}{DASHES}")
                && let Some(contents) = contents(&text[body..start])
            {
                return Some(Self { label, contents, text: &text[begin..at], rest: &text[at..] });
            }
        }
        None
    }
}

fn label(begin: &str) -> Option<&str> {
    begin.trim_end_matches(WHITE).strip_prefix(BEGIN)?.strip_suffix(DASHES)
}

/// Decodes the lines between the first and the last, without the headers that may lead them.
fn contents(mut body: &str) -> Option<Vec<u8>> {
    while let Some((line, rest)) = body.split_once('\n')
        && line.contains(':')
    {
        body = rest;
    }
    Some(base64::decode(&body.replace([' ', '\t'], "")).ok()?.to_vec())
}
