//! `peering issued`: the peering tokens that were issued, what became of each, and how to take one back.

pub(crate) mod error;
mod list;
mod page;
mod read;
mod revoke;

use clap::{Args, Subcommand};
use peering_core::id::TokenId;

use self::error::IssuedError;
use crate::args::hidden::HiddenText;
use crate::commands::error::CommandError;
use crate::world::World;

/// The verbs about issued tokens.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering issued <subcommand> [options] [args]",
    about = "See and revoke issued peering tokens",
    long_about = "  See which peering tokens were issued, what became of each, and take them back.
  A token is named by its id, which 'peering inspect' shows; its secret is never
  needed and never shown.

  See all tokens, or those that can still be used:

      $ peering issued list
      $ peering issued list -state unused

  See one in detail, and take it back:

      $ peering issued read 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d
      $ peering issued revoke 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d

  See what would be taken back if a chat with tokens in it had leaked, then do it:

      $ peering issued revoke -all -dry-run
      $ peering issued revoke -all

  For more about a subcommand, run it with -h."
)]
pub(crate) struct IssuedGroup {
    #[command(subcommand)]
    verb: IssuedVerb,
}

#[derive(Debug, Subcommand)]
enum IssuedVerb {
    List(Box<list::List>),
    Read(Box<read::Read>),
    Revoke(Box<revoke::Revoke>),
}

impl IssuedGroup {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        match self.verb {
            IssuedVerb::List(verb) => verb.run(world),
            IssuedVerb::Read(verb) => verb.run(world),
            IssuedVerb::Revoke(verb) => verb.run(world),
        }
    }
}

/// Reads the id of a token. What is none is neither sent nor repeated: somebody may have given the token itself.
fn token_id(given: &HiddenText) -> Result<TokenId, IssuedError> {
    TokenId::parse(given.expose()).map_err(IssuedError::Id)
}
