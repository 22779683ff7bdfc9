//! House rules, each a test: what no compiler and no lint checks.

mod bounds;
mod dependencies;
mod licence;
mod sources;
