//! Flags that several verbs of `acl` have.

use clap::{ArgAction, Args};

use super::error::AclError;
use crate::args::go_bool;
use crate::commands::format::Format;

/// How a result is printed.
#[derive(Debug, Args)]
pub(super) struct FormatFlag {
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the result is printed: pretty or json.")]
    format: String,
}

impl FormatFlag {
    /// Reads the format. Consul does so only after the server has done what was asked, so that a mistyped format can
    /// lose the one answer that shows a secret; ours is checked first.
    ///
    /// # Errors
    /// [`AclError::Format`] for anything but `pretty` and `json`.
    pub(super) fn read(&self) -> Result<Format, AclError> {
        Format::parse(&self.format).map_err(|_| AclError::Format(self.format.clone()))
    }
}

/// Whether hash and indexes are printed.
#[derive(Debug, Args)]
pub(super) struct MetaFlag {
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, help = "Show the hash of the contents and the indexes too.")]
    meta: Option<bool>,
}

impl MetaFlag {
    pub(super) fn is_set(&self) -> bool {
        self.meta.unwrap_or_default()
    }
}
