//! `peering acl token`: what callers present.

mod create;
mod delete;
mod list;
mod read;
mod update;

use clap::{Args, Subcommand};

use super::error::AclError;
use crate::world::World;

/// The verbs about tokens.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl token <subcommand> [options] [args]",
    about = "Manage tokens",
    long_about = "  Manage ACL tokens. A caller presents the secret of one, and its policies say what
  that caller may do. Outside of the server a token is named by its accessor id.

  Make a token that is linked to a policy, for a day:

      $ peering acl token create -policy-name peering-admin -expires-ttl 24h

  See which tokens there are, and one in detail with its secret:

      $ peering acl token list
      $ peering acl token read -accessor-id 986193

  Link it to another policy too, and delete it:

      $ peering acl token update -accessor-id 986193 -append-policy-name mesh-admin
      $ peering acl token delete -accessor-id 986193

  For more about a subcommand, run it with -h."
)]
pub(crate) struct TokenGroup {
    #[command(subcommand)]
    verb: TokenVerb,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    Create(Box<create::Create>),
    Delete(delete::Delete),
    List(list::List),
    Read(read::Read),
    Update(Box<update::Update>),
}

impl TokenGroup {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        match self.verb {
            TokenVerb::Create(verb) => verb.run(world),
            TokenVerb::Delete(verb) => verb.run(world),
            TokenVerb::List(verb) => verb.run(world),
            TokenVerb::Read(verb) => verb.run(world),
            TokenVerb::Update(verb) => verb.run(world),
        }
    }
}

/// The flags that name a token.
#[derive(Debug, Args)]
struct AccessorFlags {
    #[arg(
        long,
        value_name = "string",
        help = "The accessor id of the token, or as much of its beginning as only it has; anonymous is that of \
            callers who present none."
    )]
    accessor_id: Option<String>,
    #[arg(long, value_name = "string", hide_long_help = true, help = "DEPRECATED. Use -accessor-id instead.")]
    id: Option<String>,
}

impl AccessorFlags {
    /// Returns what was given, and says `advice` to those who give it in the old way.
    fn given(self, advice: &str, world: &mut World<'_>) -> Option<String> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        given(self.accessor_id).or_else(|| given(self.id).inspect(|_| world.output.message(advice)))
    }
}

/// What is said to those who name a token in the old way.
const ADVICE: &str = "Use the -accessor-id parameter to specify token by Accessor ID";
