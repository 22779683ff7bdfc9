//! What can be wrong with a trail.

use thiserror::Error;

use super::chain::Head;
use super::place::Place;

/// Something that is wrong with a trail, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// Lines are not those that were written: the hash of the last one is not what the line after it names.
    #[error("{} changed: the line after {} names another hash", range(first, last), if first == last { "it" } else { "them" })]
    Changed {
        /// The first of them.
        first: Place,
        /// The last of them.
        last: Place,
    },
    /// Lines are not there.
    #[error("{} missing before {before}", numbers(*first, *last))]
    Missing {
        /// The number of the first.
        first: u64,
        /// The number of the last.
        last: u64,
        /// The line that is there instead.
        before: Place,
    },
    /// A line stands where another belongs: it was moved or repeated, or one was put in before it.
    #[error("{at} is out of place: seq {expected} was expected here")]
    OutOfPlace {
        /// The line.
        at: Place,
        /// The number that belongs there.
        expected: u64,
    },
    /// The first line of all follows another.
    #[error("{at} is not the first line of a trail: it names a line before it")]
    Beginning {
        /// The line.
        at: Place,
    },
    /// A checkpoint names a key that was given, and is not signed with it.
    #[error("{at} is a checkpoint whose signature is not that of the key {key}: {} changed", since(*after))]
    Signature {
        /// The checkpoint.
        at: Place,
        /// Which key it names.
        key: String,
        /// The last line that is vouched for.
        after: Option<u64>,
    },
    /// A checkpoint is not signed by any of the keys given, and whether the one that it names is among them is not known.
    #[error(
        "{at} is a checkpoint that none of the given keys signed: {} changed, or a key is missing (its id is {key})",
        since(*after)
    )]
    Unsure {
        /// The checkpoint.
        at: Place,
        /// Which key it names.
        key: String,
        /// The last line that is vouched for.
        after: Option<u64>,
    },
    /// What stands there is no line of a trail.
    #[error("{at} is no line of an audit trail: {problem}")]
    Unreadable {
        /// Where.
        at: Place,
        /// What is wrong with it.
        problem: String,
    },
    /// A file ends in the middle of a line.
    #[error(
        "{at} ends in the middle: a crash, a cut, or a server that is writing just now left {bytes} bytes without an end of line"
    )]
    Half {
        /// Where.
        at: Place,
        /// How many bytes there are.
        bytes: usize,
    },
    /// There is no line at all, and there should be.
    #[error("there is no line, and the trail was to begin at seq {from}")]
    Empty {
        /// The number of the first line that was expected.
        from: u64,
    },
    /// The trail ends before the head that was given.
    #[error("the trail ends at seq {last}, and its head is seq {}: {} cut off at the end", head.seq, numbers(last + 1, head.seq))]
    CutOff {
        /// The number of the last line.
        last: u64,
        /// The head.
        head: Head,
    },
    /// The line with the number of the head is another one.
    #[error("{at} is not the head that was given: its hash is another")]
    NotTheHead {
        /// The line.
        at: Place,
    },
}

fn range(first: &Place, last: &Place) -> String {
    if first == last { format!("{first} was") } else { format!("{first} to {last}, or some of them, were") }
}

fn numbers(first: u64, last: u64) -> String {
    if first == last { format!("seq {first} is") } else { format!("seq {first} to {last} are") }
}

fn since(after: Option<u64>) -> String {
    match after {
        Some(after) => format!("something after seq {after} was"),
        None => "something before it was".to_owned(),
    }
}
