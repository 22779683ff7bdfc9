//! Why a verb about issued tokens failed.

use peering_core::id::{IdError, TokenId};
use thiserror::Error;

use crate::client::error::ClientError;

/// Says why a verb failed. The text is what standard error shows.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum IssuedError {
    /// It is not said which token is meant.
    #[error("Missing the id of a token: 'peering issued list' shows the ids, 'peering inspect' that of a token")]
    NoId,
    /// More than one token was given where one is meant.
    #[error("This command takes one id, got {0}")]
    TooManyIds(usize),
    /// What was given is no id.
    #[error("Not the id of a token: {0}; 'peering inspect' shows the id of a token")]
    Id(#[source] IdError),
    /// Tokens were named, and all were asked for.
    #[error("Give either ids or -all, not both")]
    IdsAndAll,
    /// A flag that chooses among all tokens was given without them.
    #[error("-{0} goes with -all")]
    NeedsAll(&'static str),
    /// The server knows no such endpoint.
    #[error("This server does not list issued tokens: a Consul does not, and nor did the first release of peering")]
    Unsupported,
    /// The tokens were not listed.
    #[error("Error listing issued tokens: {0}")]
    List(#[source] ClientError),
    /// A token was not read.
    #[error("Error reading token {token}: {source}")]
    Read {
        /// Which.
        token: TokenId,
        /// Why.
        source: ClientError,
    },
    /// A token was not revoked, nor were those after it, because the server cannot be asked.
    #[error("Error revoking token {token}: {source}\n{untried}")]
    Broken {
        /// Which.
        token: TokenId,
        /// Why.
        source: ClientError,
        /// How many were not tried.
        untried: String,
    },
    /// Some tokens were not revoked; each was told.
    #[error("{failed} of {tried} tokens could not be revoked")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        tried: usize,
    },
}

/// Explains a call that failed because the server has no such endpoint.
pub(super) fn explained(error: ClientError, other: impl FnOnce(ClientError) -> IssuedError) -> IssuedError {
    if error.is_unknown_path() { IssuedError::Unsupported } else { other(error) }
}
