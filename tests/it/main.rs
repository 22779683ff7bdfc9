//! The one test binary: a list of modules with one line each.

mod conformance_doc;
mod http;
