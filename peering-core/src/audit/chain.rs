//! Which line follows which, and what a checkpoint signs.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::entry::Entry;

/// Version of the lines.
pub(super) const LINE_VERSION: u32 = 1;
/// Digits of a hash.
const HASH_DIGITS: usize = 64;

/// The SHA-256 of a line's bytes, without its newline.
///
/// # Shape
/// Thirty-two bytes; 64 lower-case hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LineHash([u8; 32]);

impl LineHash {
    /// What the first line has in the place of its predecessor's hash.
    pub const NONE: Self = Self([0; 32]);

    /// Hashes a line.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<LineHash> for String {
    fn from(hash: LineHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for LineHash {
    type Error = HeadError;

    fn try_from(text: String) -> Result<Self, HeadError> {
        text.parse()
    }
}

impl FromStr for LineHash {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != HASH_DIGITS || !text.bytes().all(is_digit) {
            return Err(HeadError::Hash);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| HeadError::Hash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| HeadError::Hash)?;
        }
        Ok(Self(bytes))
    }
}

/// Says why a text is no head of a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// There is no colon in it.
    #[error("expected the number of a line, a colon and its hash, as `peering audit head` prints them")]
    Shape,
    /// What stands before the colon is no number.
    #[error("expected the number of a line before the colon")]
    Seq,
    /// What should be a hash is none.
    #[error("expected a hash of {HASH_DIGITS} lower-case hexadecimal digits")]
    Hash,
}

/// The last line of a trail: its number and its hash.
///
/// # Shape
/// `SEQ:HASH` as text.
///
/// # Examples
/// ```
/// use peering_core::audit::{Entry, Head, LineHash, event};
///
/// let mut head = Head::BEGINNING;
/// let entry = Entry::new("2026-01-02T03:04:05Z".parse()?, event::TRAIL_BEGUN);
/// let mut file = Vec::new();
/// head.append(&entry, &mut file)?;
/// let line = file.strip_suffix(b"\n").unwrap();
/// assert_eq!((head.seq, head.hash), (1, LineHash::of(line)));
/// assert_eq!(head.to_string().parse(), Ok(head));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the line.
    pub seq: u64,
    /// Its hash.
    pub hash: LineHash,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    seq: u64,
    prev: LineHash,
    #[serde(flatten)]
    entry: &'a Entry,
}

impl Head {
    /// The head of a trail without lines.
    pub const BEGINNING: Self = Self { seq: 0, hash: LineHash::NONE };

    /// Writes the next line, with its newline, and moves on to it.
    ///
    /// # Errors
    /// [`serde_json::Error`] if the entry has no JSON form, which none lacks, or no number is left; nothing is written then.
    pub fn append(&mut self, entry: &Entry, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let seq = self.seq.checked_add(1).ok_or_else(|| serde_json::Error::custom("no number is left for a line"))?;
        let line = serde_json::to_vec(&Written { v: LINE_VERSION, seq, prev: self.hash, entry })?;
        *self = Self { seq, hash: LineHash::of(&line) };
        out.extend_from_slice(&line);
        out.push(b'\n');
        Ok(())
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (seq, hash) = text.trim().split_once(':').ok_or(HeadError::Shape)?;
        Ok(Self { seq: seq.parse().map_err(|_| HeadError::Seq)?, hash: hash.parse()? })
    }
}

/// Returns what the signature of a checkpoint covers: its own number, the hash of the line before it, and its time.
///
/// # Shape
/// Four lines of text, so that it can be made with `printf` and checked with `openssl`.
#[must_use]
pub fn checkpoint_message(seq: u64, prev: LineHash, time: Timestamp) -> String {
    format!("peering audit checkpoint v1\nseq {seq}\nprev {prev}\ntime {time}\n")
}
