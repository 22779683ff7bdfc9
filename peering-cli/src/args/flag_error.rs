//! Errors in flags, in Go's words.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use peering_core::gojson::go_quoted;
use thiserror::Error;

use crate::args::go_bool::{GoBoolError, StrictGoBoolError};
use crate::args::rewrite::NamelessFlag;
use crate::output::escape::line;

/// Says which flag is wrong.
///
/// # Source
/// The texts of the package `flag` of Go 1.22, where it has one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum FlagError {
    /// The verb has no such flag.
    #[error("flag provided but not defined: -{}", line(.0))]
    NotDefined(String),
    /// The flag is the last word.
    #[error("flag needs an argument: -{}", line(.0))]
    NeedsArgument(String),
    /// A flag without a name, such as `-=x`.
    #[error("bad flag syntax: {}", line(.0))]
    BadSyntax(String),
    /// The flag does not take this value.
    #[error("invalid value {} for flag -{}: {}", go_quoted(value), line(flag), line(reason))]
    InvalidValue {
        /// Name of the flag.
        flag: String,
        /// What was given.
        value: String,
        /// Why it is refused.
        reason: String,
    },
    /// The flag is a boolean and takes no other value.
    #[error("invalid boolean value {} for -{}: {}", go_quoted(value), line(flag), line(reason))]
    InvalidBoolean {
        /// Name of the flag.
        flag: String,
        /// What was given.
        value: String,
        /// Why it is refused.
        reason: String,
    },
    /// The verb takes fewer words. The word is not repeated, since it may be part of a token.
    #[error("too many arguments: -h shows what this command takes; put one that has blanks into quotes")]
    TooMany,
    /// An argument is not UTF-8.
    #[error("an argument is not valid UTF-8")]
    NotText,
    /// Another complaint of the parser.
    #[error("{}", .0.to_string().trim_end())]
    Parser(clap::Error),
}

impl From<NamelessFlag> for FlagError {
    fn from(nameless: NamelessFlag) -> Self {
        Self::BadSyntax(nameless.word)
    }
}

impl From<clap::Error> for FlagError {
    fn from(error: clap::Error) -> Self {
        let arg = context(&error, ContextKind::InvalidArg);
        // clap describes a flag as `--meta <value>`.
        let flag = arg.split([' ', '=', '[']).next().unwrap_or_default().trim_start_matches('-').to_owned();
        match error.kind() {
            ErrorKind::UnknownArgument if arg.starts_with('-') => Self::NotDefined(flag),
            ErrorKind::UnknownArgument => Self::TooMany,
            ErrorKind::InvalidUtf8 => Self::NotText,
            ErrorKind::ValueValidation => {
                let value = context(&error, ContextKind::InvalidValue);
                let reason = error.source().map(ToString::to_string).unwrap_or_default();
                let is_boolean =
                    error.source().is_some_and(|why| why.is::<GoBoolError>() || why.is::<StrictGoBoolError>());
                if is_boolean {
                    Self::InvalidBoolean { flag, value, reason }
                } else {
                    Self::InvalidValue { flag, value, reason }
                }
            }
            ErrorKind::InvalidValue if context(&error, ContextKind::InvalidValue).is_empty() => {
                Self::NeedsArgument(flag)
            }
            _ => Self::Parser(error),
        }
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}
