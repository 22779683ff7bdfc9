//! Reads a trail from its first line to its last and finds what is wrong with it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thiserror::Error;

use super::chain::{Head, LINE_VERSION, LineHash, checkpoint_message};
use super::entry::{Entry, event};
use super::fault::Fault;
use super::place::Place;

/// Longest line that is read: ours stay well below 4 KiB, and a file may be anything.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Longest time between a line and the checkpoint that covers it: twice what a server takes.
const UNSIGNED_MAX: SignedDuration = SignedDuration::from_secs(120);
/// Most faults that are kept; more are counted. One edited line makes one or two.
const FAULTS_MAX: usize = 100;

/// Most keys that are named of those that nobody knows: a trail has a handful, and a file may be anything.
const UNKNOWN_KEYS_MAX: usize = 10;

/// A line as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// Its version.
    pub v: u32,
    /// Its number.
    pub seq: u64,
    /// The hash of the line before it.
    pub prev: LineHash,
    /// What it tells.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Says why something is no line of a trail.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is longer than any line.
    #[error("it has {got} bytes, and a line at most {LINE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// It is no JSON of the right shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Written by a newer release.
    #[error("its version is {got}, this release reads up to {LINE_VERSION}")]
    Newer {
        /// Its version.
        got: u32,
    },
}

impl Line {
    /// Reads a line, without its newline.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.len() > LINE_BYTES_MAX {
            return Err(LineError::TooLong { got: bytes.len() });
        }
        let line: Self = serde_json::from_slice(bytes)?;
        if line.v > LINE_VERSION { Err(LineError::Newer { got: line.v }) } else { Ok(line) }
    }
}

/// Whoever knows public keys: given the id of the key that a checkpoint names, a message and its signature, says who signed.
pub type Signatures<'a> = &'a dyn Fn(&str, &[u8], &[u8]) -> Signer;

/// Who signed a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signer {
    /// One of the known keys.
    Known,
    /// None of them: the key that is named is known and did not sign this.
    Nobody,
    /// None of them, though a known key without an id may be the one that is named.
    Unsure,
    /// A key that is not known.
    Unknown,
}

/// A line that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its number and hash.
    pub head: Head,
    /// Its time.
    pub time: Timestamp,
}

/// What became of the head that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadCheck {
    /// None was given, so nobody knows where the trail should end.
    NotGiven,
    /// The trail reaches it.
    Reached,
    /// The trail does not; a fault says more.
    Missed,
    /// The first line is younger than the head.
    Before,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in the order in which it was found.
    pub faults: Vec<Fault>,
    /// How many more faults there are.
    pub faults_untold: u64,
    /// How many lines could be read.
    pub lines: u64,
    /// The first line.
    pub first: Option<Mark>,
    /// The last line.
    pub last: Option<Mark>,
    /// The earliest and the latest time of a line: what waited in the store is older than the line before it.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The last checkpoint with a good signature.
    pub vouched: Option<Mark>,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// How many of them have a good signature; none if no keys were given.
    pub checkpoints_good: u64,
    /// Keys that are named by checkpoints and not known, as far as they are told; none of them vouches for anything.
    pub unknown_keys: Vec<String>,
    /// Lines after the last good checkpoint: chained, and not yet signed.
    pub unsigned: u64,
    /// The first of those.
    pub unsigned_since: Option<Timestamp>,
    /// What became of the head.
    pub head: HeadCheck,
}

impl Report {
    /// Says whether lines wait for a signature for longer than a server at work lets them wait: checkpoints were removed, or
    /// the server could not write for a while and has just caught up.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        let waits = self.unsigned_since.zip(self.last).map(|(since, last)| last.time.duration_since(since));
        self.vouched.is_some() && waits.is_some_and(|waits| waits > UNSIGNED_MAX)
    }

    /// Says whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Reads the lines of a trail, file after file.
pub struct Verifier<'a> {
    signatures: Option<Signatures<'a>>,
    head: Option<Head>,
    /// The number that the first line may have at most.
    from: Option<u64>,
    file: Arc<str>,
    line: u64,
    before: Option<Before>,
    broken: Option<Broken>,
    report: Report,
}

/// The line before the one that is read.
struct Before {
    head: Head,
    place: Place,
}

/// Lines that are not what the line after each of them names. Whether the last of them was changed or the line after it
/// is known when the next one is read.
struct Broken {
    first: Place,
    last: Place,
}

impl<'a> Verifier<'a> {
    /// Begins. Without keys, signatures are not checked; without a head, nobody can tell that the end was cut off.
    #[must_use]
    pub fn new(signatures: Option<Signatures<'a>>, head: Option<Head>) -> Self {
        let report = Report {
            faults: Vec::new(),
            faults_untold: 0,
            lines: 0,
            first: None,
            last: None,
            times: None,
            vouched: None,
            checkpoints: 0,
            checkpoints_good: 0,
            unknown_keys: Vec::new(),
            unsigned: 0,
            unsigned_since: None,
            head: if head.is_some() { HeadCheck::Missed } else { HeadCheck::NotGiven },
        };
        Self { signatures, head, from: None, file: Arc::from(""), line: 0, before: None, broken: None, report }
    }

    /// Expects that the trail begins with this line or an earlier one: what was taken away before it is found, which
    /// nothing else tells.
    #[must_use]
    pub fn beginning_at(self, seq: u64) -> Self {
        Self { from: Some(seq), ..self }
    }

    /// Goes on with another file. Its first line must follow the last one of the file before.
    pub fn begin_file(&mut self, name: &str) {
        self.file = Arc::from(name);
        self.line = 0;
    }

    /// Reads a line, without its newline; `is_whole` says whether there was one.
    pub fn line(&mut self, bytes: &[u8], is_whole: bool) {
        self.line += 1;
        let mut place = Place { file: Arc::clone(&self.file), line: self.line, seq: None };
        let parsed = Line::parse(bytes);
        place.seq = parsed.as_ref().ok().map(|line| line.seq);
        if !is_whole {
            self.fault(Fault::Half { at: place.clone(), bytes: bytes.len() });
        }
        match parsed {
            Ok(line) => self.follow(&line, bytes, place),
            Err(_) if !is_whole => {}
            Err(error) => self.fault(Fault::Unreadable { at: place, problem: error.to_string() }),
        }
    }

    fn follow(&mut self, line: &Line, bytes: &[u8], place: Place) {
        let is_linked = self.link(line, &place);
        let head = Head { seq: line.seq, hash: LineHash::of(bytes) };
        let mark = Mark { head, time: line.entry.time };
        self.report.lines += 1;
        self.report.first.get_or_insert(mark);
        self.report.last = Some(mark);
        let (earliest, latest) = self.report.times.unwrap_or((mark.time, mark.time));
        self.report.times = Some((earliest.min(mark.time), latest.max(mark.time)));
        self.report.unsigned += 1;
        self.report.unsigned_since.get_or_insert(mark.time);
        if line.entry.event == event::CHECKPOINT {
            self.checkpoint(line, mark, &place, is_linked);
        }
        match self.head {
            Some(wanted) if wanted == head => self.report.head = HeadCheck::Reached,
            Some(wanted) if wanted.seq == head.seq => self.fault(Fault::NotTheHead { at: place.clone() }),
            _ => {}
        }
        self.before = Some(Before { head, place });
    }

    /// Checks that a line follows the one before it.
    fn link(&mut self, line: &Line, place: &Place) -> bool {
        let Some(before) = self.before.take() else {
            if let Some(first) = self.from.filter(|from| line.seq > *from) {
                self.fault(Fault::Missing { first, last: line.seq - 1, before: place.clone() });
            }
            let is_linked = line.seq != 1 || line.prev == LineHash::NONE;
            if !is_linked {
                self.fault(Fault::Beginning { at: place.clone() });
            }
            return is_linked;
        };
        // After the last number that there is, none belongs; that one stands where it was again.
        let expected = before.head.seq.saturating_add(1);
        if line.seq != expected || before.head.seq == u64::MAX {
            self.settle();
            self.fault(if line.seq > expected {
                Fault::Missing { first: expected, last: line.seq - 1, before: place.clone() }
            } else {
                Fault::OutOfPlace { at: place.clone(), expected }
            });
            return false;
        }
        let is_linked = line.prev == before.head.hash;
        match (&mut self.broken, is_linked) {
            (_, true) => self.settle(),
            (Some(broken), false) => broken.last = before.place,
            (None, false) => self.broken = Some(Broken { first: before.place.clone(), last: before.place }),
        }
        is_linked
    }

    fn settle(&mut self) {
        if let Some(Broken { first, last }) = self.broken.take() {
            self.fault(Fault::Changed { first, last });
        }
    }

    fn checkpoint(&mut self, line: &Line, mark: Mark, place: &Place, is_linked: bool) {
        self.report.checkpoints += 1;
        let Some(signatures) = self.signatures else { return };
        let message = checkpoint_message(line.seq, line.prev, line.entry.time);
        let signature = line.entry.signature.as_ref().and_then(|text| STANDARD.decode(text).ok());
        let named = line.entry.key.as_deref().unwrap_or("none");
        let key = crate::foreign::escaped(named, crate::foreign::SHOWN_CHARACTERS_MAX);
        let after = self.report.vouched.map(|mark| mark.head.seq);
        let signer = signature.map_or(Signer::Nobody, |signature| signatures(named, message.as_bytes(), &signature));
        match signer {
            Signer::Known => {
                self.report.checkpoints_good += 1;
                if is_linked {
                    self.report.vouched = Some(mark);
                    self.report.unsigned = 0;
                    self.report.unsigned_since = None;
                }
            }
            Signer::Unknown => {
                let keys = &mut self.report.unknown_keys;
                if keys.len() < UNKNOWN_KEYS_MAX && !keys.contains(&key) {
                    keys.push(key);
                }
            }
            Signer::Nobody => self.fault(Fault::Signature { at: place.clone(), key, after }),
            Signer::Unsure => self.fault(Fault::Unsure { at: place.clone(), key, after }),
        }
    }

    fn fault(&mut self, fault: Fault) {
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(fault);
        } else {
            self.report.faults_untold += 1;
        }
    }

    /// Ends, and says what came out.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.settle();
        let (first, last) = (self.report.first, self.report.last);
        if let Some(from) = self.from.filter(|_| first.is_none()) {
            self.fault(Fault::Empty { from });
        }
        if let Some(head) = self.head.filter(|_| self.report.head == HeadCheck::Missed) {
            let last = last.map_or(0, |mark| mark.head.seq);
            if head.seq > last {
                self.fault(Fault::CutOff { last, head });
            } else if first.is_some_and(|mark| head.seq < mark.head.seq) {
                self.report.head = HeadCheck::Before;
            }
        }
        self.report
    }
}
