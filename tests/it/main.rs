//! it

#![expect(clippy::unwrap_used, reason = "a panic is how tests speak")]

mod cli;
mod docs;
mod scenario;
mod tidy;
mod under_test;
