//! Harness: clusters in this process or in processes of their own, links between them, and a client for each edge.

#![expect(clippy::unwrap_used, reason = "a panic is how a harness speaks")]

pub mod cluster;
pub mod eventually;
pub mod hand;
pub mod http;
pub mod leaks;
pub mod link;
pub mod process;
pub mod program;
pub mod redact;
pub mod site;
pub mod token;
