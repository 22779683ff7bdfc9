//! Harness: clusters in this process, links between them that can be held and cut, the program as processes, and a
//! client for each edge.
//!
//! It speaks as tests do: what goes wrong is a panic that says what was expected and what was found.

#![expect(clippy::unwrap_used, reason = "a panic is how a harness speaks")]

pub mod canned;
pub mod cluster;
pub mod console;
pub mod deceit;
pub mod door;
pub mod eventually;
pub mod fuzzing;
pub mod go_client;
pub mod h2;
pub mod hand;
pub mod http;
pub mod leaks;
pub mod link;
pub mod process;
pub mod program;
pub mod redact;
pub mod site;
pub mod stranger;
pub mod token;
pub mod usage;
