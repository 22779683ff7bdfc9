//! The audit trail: lines that tell what happened, chained so that nobody can change them unnoticed.
//!
//! | file | holds |
//! |---|---|
//! | `entry` | [`Entry`]: what one line tells, made from events |
//! | `chain` | [`Head`]: which line follows which, and what a checkpoint signs |
//! | `place` | [`Place`]: where a line stands |
//! | `fault` | [`Fault`]: what can be wrong with a trail |
//! | `verify` | [`Verifier`]: reads lines from first to last and finds what is wrong |
//!
//! # Shape
//! A line is one JSON object and a newline. Its bytes are what counts: `prev` is the SHA-256 of the line before it,
//! without its newline, so that nothing need be brought into a canonical form.
//!
//! ```json
//! {"v":1,"seq":12,"prev":"<64 digits>","time":"2026-01-02T03:04:05Z","event":"token_generated","outcome":"done",…}
//! ```
//!
//! `seq` counts from 1, and `prev` of the first line is 64 zeros. Every so often there is a line with the event
//! `checkpoint` and a signature, which vouches for all lines before it: they cannot be changed without the key, not even
//! by somebody who computes every hash anew. What follows the last checkpoint is chained and not yet signed.

mod chain;
mod entry;
mod fault;
mod place;
#[cfg(test)]
mod tests;
mod verify;

pub use chain::{Head, HeadError, LineHash, checkpoint_message};
pub use entry::{Entry, Outcome, event};
pub use fault::Fault;
pub use place::Place;
pub use verify::{HeadCheck, LINE_BYTES_MAX, Line, LineError, Mark, Report, Signatures, Signer, Verifier};
