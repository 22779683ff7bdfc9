//! Issued peering tokens: listed, read and taken back. Their secrets are never here, only what became of them.
//!
//! | File | Holds |
//! |---|---|
//! | `list` | what there is, a page at a time, and one by its id |
//! | `revoke` | one taken back, and all unredeemed ones of a restored store |
//!
//! Tokens are kept under their peering, and nothing leads from an id to one: a look-up by id alone looks at
//! every key, a page at a time, so that generating a token costs no row more. Who knows the peering too is spared that.

mod list;
mod revoke;

use std::time::Duration;

use peering_core::life::TokenState;
use peering_core::name::PeerName;
use peering_core::secrets::IssuedToken;

use crate::store::Revision;

/// Rows read from the store at once.
const TOKEN_ROWS_A_PAGE: usize = 1_024;

/// Which tokens are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// Those for this peer alone; case does not matter, and a name that cannot exist has none.
    pub peer: Option<String>,
    /// Those in one of these states, unless there are none here.
    pub states: Vec<TokenState>,
    /// Those issued at least so long ago.
    pub older_than: Option<Duration>,
    /// Those made after this index.
    pub after: Revision,
}

/// A token as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// The stored record.
    pub issued: IssuedToken,
    /// Our name for the peer, unless nobody knows it any more.
    pub name: Option<PeerName>,
    /// Its state now.
    pub state: TokenState,
    /// Whether revoking it would void something.
    pub is_revocable: bool,
    /// Index of the write that made it. One write makes one token, so this is the order in which they were issued.
    pub create_index: Revision,
    /// Index of the last write to it.
    pub modify_index: Revision,
}

/// Some tokens, in the order in which they were issued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenPage {
    /// At most [`LISTED_TOKENS_MAX`](crate::bounds::LISTED_TOKENS_MAX).
    pub tokens: Vec<TokenView>,
    /// Whether there are more after the last.
    pub has_more: bool,
}
