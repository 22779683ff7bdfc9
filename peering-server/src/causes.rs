//! An error with everything below it, in one line for an operator.

use std::error::Error;

/// Joins an error and its sources with colons; a source that the text above repeats already is left out.
///
/// # Examples
/// ```
/// use peering_server::causes::chain;
///
/// let error = std::io::Error::other("disk full");
/// assert_eq!(chain(&error), "disk full");
/// ```
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let below = error.to_string();
        if !text.ends_with(&below) {
            text.push_str(": ");
            text.push_str(&below);
        }
        cause = error.source();
    }
    text
}
