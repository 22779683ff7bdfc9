//! The one test binary: a list of modules with one line each.

#![expect(clippy::unwrap_used, reason = "a panic is how tests speak")]

mod audit_doc;
mod cli;
mod clients;
mod conformance_doc;
mod docs;
mod examples;
mod faults;
mod hostile;
mod http;
mod scenario;
mod tidy;
mod under_test;
