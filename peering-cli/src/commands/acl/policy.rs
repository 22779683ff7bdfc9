//! `peering acl policy`: what tokens may do.

pub(crate) mod create;
mod delete;
mod list;
mod read;
mod update;

use clap::{Args, Subcommand};

use super::error::AclError;
use crate::world::World;

/// The verbs about policies.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl policy <subcommand> [options] [args]",
    about = "Manage policies",
    long_about = "  Manage policies. A policy has rules, which say what a token that is linked to it
  may do.

  Make a policy whose rules are in a file:

      $ peering acl policy create -name peering-admin -rules @rules.hcl

  See which policies there are, and one in detail:

      $ peering acl policy list
      $ peering acl policy read -name peering-admin

  Change its rules, and delete it:

      $ peering acl policy update -name peering-admin -rules 'peering = \"read\"'
      $ peering acl policy delete -name peering-admin

  For more about a subcommand, run it with -h."
)]
pub(crate) struct PolicyGroup {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    Create(create::Create),
    Delete(delete::Delete),
    List(list::List),
    Read(read::Read),
    Update(update::Update),
}

impl PolicyGroup {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        match self.verb {
            PolicyVerb::Create(verb) => verb.run(world),
            PolicyVerb::Delete(verb) => verb.run(world),
            PolicyVerb::List(verb) => verb.run(world),
            PolicyVerb::Read(verb) => verb.run(world),
            PolicyVerb::Update(verb) => verb.run(world),
        }
    }
}
