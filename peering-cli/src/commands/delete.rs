//! `peering delete`: ends a peering.

use clap::Args;

use crate::args::Leftovers;
use crate::args::http::HttpFlags;
use crate::commands::error::{CommandError, required};
use crate::commands::session::Session;
use crate::output::escape::line;
use crate::world::World;

/// Flags of `delete`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering delete [options] -name <peer name>",
    about = "Delete a peering connection",
    long_about = "  Delete a peering connection. What was imported from the peer goes with it; the
  peer keeps its own record, as TERMINATED, until it is deleted there.

  Example:

    $ peering delete -name cluster-02",
    args_override_self = true
)]
pub(crate) struct Delete {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", help = "(Required) Our own name for the peer.")]
    name: Option<String>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Delete {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let name = required(self.name, "name")?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connecting)?;
        session
            .run(session.client.delete(&name))
            .map_err(|source| CommandError::Delete { name: name.clone(), source })?;
        let name = line(&name);
        world.output.result(&format!("Successfully submitted peering connection, {name}, for deletion"))?;
        Ok(())
    }
}
