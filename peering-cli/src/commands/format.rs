//! How results are printed: for people or for programs.

use crate::commands::error::CommandError;

/// The formats of `-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Pretty,
    /// One line of JSON.
    Json,
}

impl Format {
    /// Reads the value of `-format`.
    ///
    /// # Errors
    /// [`CommandError::Format`] for anything but `pretty` and `json`.
    pub(crate) fn parse(text: &str) -> Result<Self, CommandError> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(CommandError::Format),
        }
    }
}
