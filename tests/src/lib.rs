//! Harness.

#![expect(clippy::unwrap_used, reason = "a panic is how a harness speaks")]

pub mod eventually;
pub mod leaks;
pub mod process;
pub mod program;
pub mod redact;
pub mod site;
