//! Consul's words for a right that is lacking.

use std::fmt;

use super::level::Access;
use super::resource::Resource;

/// Who lacks a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Somebody without a token.
    Anonymous,
    /// A token, by its public name.
    Token {
        /// Its accessor id.
        accessor: String,
    },
}

/// A right that is lacking. Clients look for `Permission denied` and `lacks permission` in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Who asked.
    pub subject: Subject,
    /// For what.
    pub resource: Resource,
    /// Of which name, for a resource that has names.
    pub name: Option<String>,
    /// To do what.
    pub access: Access,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permission denied: ")?;
        match &self.subject {
            Subject::Anonymous => f.write_str("anonymous token")?,
            Subject::Token { accessor } => write!(f, "token with AccessorID '{accessor}'")?,
        }
        write!(f, " lacks permission '{}:{}'", self.resource.as_str(), self.access.as_str())?;
        if let Some(name) = &self.name {
            write!(f, " on {}", crate::gojson::go_quoted(name))?;
        }
        match self.subject {
            Subject::Anonymous => {
                f.write_str(". The anonymous token is used implicitly when a request does not specify a token.")
            }
            Subject::Token { .. } => Ok(()),
        }
    }
}

impl std::error::Error for Denial {}
