//! Booleans as Go reads them, in flags and in environment variables.

use peering_core::gojson::go_quoted;
use thiserror::Error;

/// The spellings that [`parse`] accepts, for messages.
pub(crate) const SPELLINGS: &str = "1, t, T, TRUE, true, True, 0, f, F, FALSE, false or False";

/// Says that a text is none of Go's spellings of a boolean. The text is Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("parse error")]
pub(crate) struct GoBoolError;

/// Reads one of Go's twelve spellings.
///
/// # Errors
/// [`GoBoolError`] for any other text, such as `yes`.
///
/// # Source
/// `strconv.ParseBool` of Go 1.22.
pub(crate) fn parse(text: &str) -> Result<bool, GoBoolError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(GoBoolError),
    }
}

/// Says the same in more words, as Consul does of `-stale`. The text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("strconv.ParseBool: parsing {}: invalid syntax", go_quoted(.0))]
pub(crate) struct StrictGoBoolError(String);

/// Reads one of Go's twelve spellings, for a flag of Consul's own kind of boolean.
///
/// # Errors
/// [`StrictGoBoolError`] for any other text.
pub(crate) fn parse_strictly(text: &str) -> Result<bool, StrictGoBoolError> {
    parse(text).map_err(|_| StrictGoBoolError(text.to_owned()))
}

/// Describes a flag that means true when it stands alone and takes another value only after `=`.
#[cfg(test)]
pub(crate) fn flag(name: &'static str) -> clap::Arg {
    clap::Arg::new(name)
        .long(name)
        .action(clap::ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_parser(parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_twelve_spellings_are_read() {
        for (text, value) in [("1", true), ("True", true), ("t", true), ("0", false), ("FALSE", false), ("F", false)] {
            assert_eq!(parse(text), Ok(value));
        }
        for text in ["", "yes", "no", "on", "tRUE", " true", "2"] {
            assert_eq!(parse(text), Err(GoBoolError));
        }
    }
}
