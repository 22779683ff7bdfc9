//! What a run of the program may touch, so that a test can put something else in its place.

use std::ffi::OsString;
use std::io::Read;

use jiff::Timestamp;

use crate::output::Output;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Lists the names of all environment variables.
pub type VariableNames<'a> = &'a dyn Fn() -> Vec<OsString>;

/// Tells the time.
pub type Clock<'a> = &'a dyn Fn() -> Timestamp;

/// The environment, the clock, the standard streams: all that a verb sees of the process.
pub struct World<'a> {
    /// Environment variables.
    pub environment: Environment<'a>,
    /// Their names.
    pub variable_names: VariableNames<'a>,
    /// The clock.
    pub clock: Clock<'a>,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Standard output and error.
    pub output: Output<'a>,
}
