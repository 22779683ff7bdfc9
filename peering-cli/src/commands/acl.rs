//! `peering acl`: who may do what. The verbs are those of `consul acl`, as far as a server of ours knows them.

pub(crate) mod bootstrap;
pub(crate) mod error;
mod flags;
mod ids;
mod links;
mod page;
pub(crate) mod policy;
mod rules;
pub(crate) mod token;

use clap::{Args, Subcommand};

use crate::commands::error::CommandError;
use crate::world::World;

/// The verbs about access control.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl <subcommand> [options] [args]",
    about = "Manage access control",
    long_about = "  Manage access control: tokens, which callers present, and policies, which say
  what a token may do.

  Make the first token, which may do everything:

      $ peering acl bootstrap

  Let a token read peerings and nothing else:

      $ peering acl policy create -name peering-reader -rules 'peering = \"read\"'
      $ peering acl token create -policy-name peering-reader

  For more about a subcommand, run it with -h."
)]
pub(crate) struct Acl {
    #[command(subcommand)]
    verb: AclVerb,
}

#[derive(Debug, Subcommand)]
enum AclVerb {
    Bootstrap(Box<bootstrap::Bootstrap>),
    Policy(Box<policy::PolicyGroup>),
    Token(Box<token::TokenGroup>),
}

impl Acl {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        match self.verb {
            AclVerb::Bootstrap(verb) => verb.run(world),
            AclVerb::Policy(group) => group.run(world),
            AclVerb::Token(group) => group.run(world),
        }?;
        Ok(())
    }
}
