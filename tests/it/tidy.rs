//! House rules, each a test: what no compiler and no lint checks.

mod dependencies;
mod licence;
mod sources;
