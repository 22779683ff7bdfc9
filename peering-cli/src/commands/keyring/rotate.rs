//! `peering keyring rotate`: a new key, which seals from the next start of the server on.

use std::sync::Arc;

use clap::Args;
use peering_server::entropy::SystemEntropy;
use peering_server::keyring::Keyring;

use super::{PlaceFlags, failed};
use crate::commands::error::CommandError;
use crate::output::escape::line;
use crate::world::World;

/// Flags of `keyring rotate`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering keyring rotate [options]",
    about = "Add a new key and make it the current one",
    long_about = "  Add a new key to a keyring and make it the current one. The others stay: they
  open what was sealed with them. A server that runs takes it up when it is
  started again. Then copy the keyring to where its copies are.

  Example:

    $ peering keyring rotate -data-dir /var/lib/peering",
    args_override_self = true
)]
pub(crate) struct Rotate {
    #[command(flatten)]
    place: PlaceFlags,
}

impl Rotate {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let path = self.place.path(world.environment)?;
        let ring = Keyring::rotate(&path, Arc::new(SystemEntropy)).map_err(failed)?;
        let shown = path.display().to_string();
        world.output.result(&format!(
            "Key {} is the current one of {} now, of {} keys",
            ring.current_id(),
            line(&shown),
            ring.ids().count()
        ))?;
        world.output.result("Start the server again to have it used, and keep a new copy of the keyring apart")?;
        Ok(())
    }
}
