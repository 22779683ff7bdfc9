//! `key=value`, as the flag `-meta` takes it.

use thiserror::Error;

/// Says that there is no `=`. The text is Consul's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Missing \"=\" value in argument: {0}")]
pub(crate) struct PairError(String);

/// Splits at the first `=`; key and value may be empty.
///
/// # Errors
/// [`PairError`] without a `=`.
pub(crate) fn parse(text: &str) -> Result<(String, String), PairError> {
    let (key, value) = text.split_once('=').ok_or_else(|| PairError(text.to_owned()))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_equals_splits() {
        for (text, key, value) in [("a=b", "a", "b"), ("a=b=c", "a", "b=c"), ("=", "", ""), ("a=", "a", "")] {
            assert_eq!(parse(text), Ok((key.to_owned(), value.to_owned())));
        }
        assert_eq!(parse("foo").unwrap_err().to_string(), "Missing \"=\" value in argument: foo");
    }
}
