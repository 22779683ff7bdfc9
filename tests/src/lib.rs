//! Harness: clusters in this process, links between them that can be held and cut, and a client for each edge.
//!
//! It speaks as tests do: what goes wrong is a panic that says what was expected and what was found.
#![allow(clippy::unwrap_used, reason = "a harness speaks by panicking, as the tests that use it do")]

pub mod cluster;
pub mod eventually;
pub mod hand;
pub mod http;
pub mod link;
pub mod token;
