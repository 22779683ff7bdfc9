//! The audit trail: what happened, in lines that are chained and signed, in a file, on standard output, or both.
//!
//! | File | Holds |
//! |---|---|
//! | `back` | lines from the last one back, over the files that were moved away |
//! | `error` | why the trail cannot be opened or written |
//! | `file` | the file: opened with care, appended to, cut back after half a line |
//! | `printer` | standard output, which may block |
//! | `stored` | the head of a trail in the store of a server that is not running |
//! | `tail` | the lines of a file, from the last one back |
//! | `trail` | which line comes next: chain, checkpoints, rotation |
//! | `task` | follows the outbox, and signs every minute |
//!
//! The lines themselves and what makes them a chain are core's (`peering_core::audit`). An event is in the outbox until
//! its line is on the disk. A crash between the two leaves both, and the next start finds the line by the name of its row:
//! so that each event is told once. Refusals are counted in memory and told once a minute; a crash loses those of its
//! last minute.

mod back;
mod error;
mod file;
mod printer;
mod stored;
mod tail;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod trail;

pub use error::AuditError;
pub(crate) use file::check_place;
pub use stored::{StoredHeadError, stored_head};
pub(crate) use task::Auditor;
pub(crate) use trail::{Means, Trail};
