//! Durations in flags.

use peering_core::duration::{DurationError, GoDuration};
use thiserror::Error;

/// Says why a flag has a wrong duration.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum DurationFlagError {
    /// Not a duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// Not a duration, in the fewer words that Go's own flag of durations has.
    #[error("parse error")]
    Unread,
    /// It ends before it begins.
    #[error("expected a duration of 0 or more")]
    Negative,
    /// It ends as it begins.
    #[error("expected a duration of more than 0")]
    NotPositive,
}

/// Reads a time to wait, which may be 0.
///
/// # Errors
/// [`DurationFlagError`] for a text that is no duration, or a negative one.
pub(crate) fn parse(text: &str) -> Result<GoDuration, DurationFlagError> {
    let duration = GoDuration::parse(text)?;
    if duration.as_nanos() < 0 { Err(DurationFlagError::Negative) } else { Ok(duration) }
}

/// Reads a time to live.
///
/// # Errors
/// [`DurationFlagError`] for a text that is no duration, or one of 0 or less.
pub(crate) fn parse_positive(text: &str) -> Result<GoDuration, DurationFlagError> {
    let duration = GoDuration::parse(text)?;
    if duration.as_nanos() <= 0 { Err(DurationFlagError::NotPositive) } else { Ok(duration) }
}

/// Reads a time to live that may be 0, which means none.
///
/// Consul takes one of less than 0 for none too, and makes something that lives for ever.
///
/// # Errors
/// [`DurationFlagError`] for a text that is no duration, or a negative one.
pub(crate) fn parse_ttl(text: &str) -> Result<GoDuration, DurationFlagError> {
    let duration = GoDuration::parse(text).map_err(|_| DurationFlagError::Unread)?;
    if duration.as_nanos() < 0 { Err(DurationFlagError::Negative) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_may_take_no_time_and_living_may_not() {
        assert_eq!(parse("0"), Ok(GoDuration::default()));
        assert_eq!(parse("-1ns"), Err(DurationFlagError::Negative));
        assert_eq!(parse_positive("0s"), Err(DurationFlagError::NotPositive));
        assert_eq!(parse_positive("1ns"), Ok(GoDuration::from_nanos(1)));
        assert_eq!(parse_ttl("0s"), Ok(GoDuration::default()));
        assert_eq!(parse_ttl("-1s"), Err(DurationFlagError::Negative));
        assert_eq!(parse_ttl("1d").unwrap_err().to_string(), "parse error");
        assert!(matches!(parse_positive("1d"), Err(DurationFlagError::Duration(_))));
    }
}
