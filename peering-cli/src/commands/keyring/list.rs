//! `peering keyring list`: which keys there are, by their ids alone.

use std::sync::Arc;

use clap::Args;
use peering_server::entropy::SystemEntropy;
use peering_server::keyring::Keyring;

use super::{PlaceFlags, failed};
use crate::commands::error::CommandError;
use crate::output::table;
use crate::world::World;

/// Flags of `keyring list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering keyring list [options]",
    about = "List the ids of the keys",
    long_about = "  List the ids of the keys on a keyring, the oldest first. The current key seals
  what is stored from now on; the others open what was sealed before.

  Example:

    $ peering keyring list -data-dir /var/lib/peering",
    args_override_self = true
)]
pub(crate) struct List {
    #[command(flatten)]
    place: PlaceFlags,
}

impl List {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let path = self.place.path(world.environment)?;
        let ring = Keyring::open(&path, Arc::new(SystemEntropy)).map_err(failed)?;
        let heading = ["Key", "Use"].map(str::to_owned);
        let rows = ring.ids().map(|id| {
            let role = if id == ring.current_id() { "current" } else { "opens what it sealed" };
            [id.to_string(), role.to_owned()]
        });
        let rows: Vec<[String; 2]> = std::iter::once(heading).chain(rows).collect();
        Ok(world.output.result(&table::lay_out(&rows))?)
    }
}
