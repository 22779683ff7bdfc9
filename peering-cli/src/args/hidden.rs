//! Secrets that were given as flags.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A token from a flag, a file or standard input.
///
/// # Security
/// `Debug` prints the type's name alone and there is no `Display`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct HiddenText(String);

impl HiddenText {
    /// Returns the text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HiddenText")
    }
}

impl From<String> for HiddenText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for HiddenText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_shows_nothing() {
        assert_eq!(format!("{:?}", HiddenText::from("secret".to_owned())), "HiddenText");
    }
}
