//! `peering keyring`: the keys that seal what a server stores.

pub(crate) mod list;
pub(crate) mod rotate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use peering_server::keyring::KeyringError;

use crate::commands::backup::{KEYRING, data_dir, setting};
use crate::commands::error::CommandError;
use crate::world::{Environment, World};

/// Name of the keyring inside a data directory.
pub(crate) const KEYRING_NAME: &str = "keyring";

/// The verbs about the keyring.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering keyring <subcommand> [options] [args]",
    about = "Manage the keys that seal a server's store",
    long_about = "  Manage the keyring: the keys that seal the secrets in a server's store, in a
  file of its own. No key is ever shown.

  Add a new key and make it the current one:

      $ peering keyring rotate -data-dir /var/lib/peering

  For more about a subcommand, run it with -h."
)]
pub(crate) struct KeyringGroup {
    #[command(subcommand)]
    verb: KeyringVerb,
}

#[derive(Debug, Subcommand)]
enum KeyringVerb {
    List(list::List),
    Rotate(rotate::Rotate),
}

impl KeyringGroup {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        match self.verb {
            KeyringVerb::List(verb) => verb.run(world),
            KeyringVerb::Rotate(verb) => verb.run(world),
        }
    }
}

/// Where the keyring is.
#[derive(Debug, Args)]
pub(crate) struct PlaceFlags {
    #[arg(
        long,
        value_name = "value",
        help = "File of the keyring; by default PEERING_SERVER_KEYRING, else keyring in the data directory."
    )]
    keyring: Option<PathBuf>,
    #[arg(
        long,
        value_name = "value",
        help = "Directory of the server that uses it; by default PEERING_SERVER_DATA_DIR, else that of `peering server`."
    )]
    data_dir: Option<PathBuf>,
}

impl PlaceFlags {
    fn path(self, environment: Environment<'_>) -> Result<PathBuf, CommandError> {
        let named = self.keyring.filter(|path| !path.as_os_str().is_empty());
        match named.or_else(|| setting(environment, KEYRING)) {
            Some(path) => Ok(path),
            None => Ok(data_dir(self.data_dir, environment)?.join(KEYRING_NAME)),
        }
    }
}

fn failed(error: KeyringError) -> CommandError {
    CommandError::Keyring(Box::new(error))
}
