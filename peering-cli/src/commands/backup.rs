//! `peering backup`: a copy of a server's store in one file, while the server runs.

use std::path::PathBuf;

use clap::Args;
use peering_server::entropy::SystemEntropy;
use peering_server::store::sqlite::back_up;

use crate::commands::error::CommandError;
use crate::commands::keyring::KEYRING_NAME;
use crate::data_dir::{current_uid, default_data_dir};
use crate::output::escape::line;
use crate::world::{Environment, World};

/// The server's setting of its data directory.
const DATA_DIR: &str = "PEERING_SERVER_DATA_DIR";
/// The server's setting of its keyring.
pub(crate) const KEYRING: &str = "PEERING_SERVER_KEYRING";

/// Flags of `backup`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering backup [options] FILE",
    about = "Copy the store of a server into a file",
    long_about = "  Copy the store of a server of this machine into a new file that only you can
  read, while the server runs or when it does not. The file holds one moment of
  the store, and is checked after it was written. Nothing is overwritten.

  The keyring is not in it. Keep a copy of the keyring too, elsewhere than the
  backups: without it a backup cannot be used, with it whoever has both has the
  keys of the cluster.

  Example:

    $ peering backup -data-dir /var/lib/peering /var/backups/peering.sqlite",
    args_override_self = true
)]
pub(crate) struct Backup {
    #[arg(hide = true)]
    file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "value",
        help = "Directory of the server's store; by default PEERING_SERVER_DATA_DIR, else that of `peering server`."
    )]
    data_dir: Option<PathBuf>,
}

impl Backup {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let file = self.file.filter(|path| !path.as_os_str().is_empty()).ok_or(CommandError::NoBackupFile)?;
        if file.as_os_str() == "-" {
            return Err(CommandError::BackupStream);
        }
        let data_dir = data_dir(self.data_dir, world.environment)?;
        let made = back_up(&data_dir, &file, &SystemEntropy).map_err(|error| CommandError::Backup(Box::new(error)))?;
        let peerings = if made.peerings == 1 { "peering" } else { "peerings" };
        let (from, to) = (line(&data_dir.display().to_string()).into_owned(), file.display().to_string());
        world.output.result(&format!(
            "Backed up the store in {from} to {}: revision {}, {} {peerings}, {} bytes",
            line(&to),
            made.revision,
            made.peerings,
            made.bytes
        ))?;
        let keyring = setting(world.environment, KEYRING).unwrap_or_else(|| data_dir.join(KEYRING_NAME));
        let place = if keyring.exists() {
            format!("{} is not in it", line(&keyring.display().to_string()))
        } else {
            "The keyring, which the server has elsewhere (-keyring), is not in it".to_owned()
        };
        Ok(world
            .output
            .result(&format!("{place}: keep a copy of the keyring apart, a backup is of no use without it"))?)
    }
}

/// Returns the directory that was named by the flag or the server's variable, else that of a server without either.
///
/// # Errors
/// [`CommandError::NoDataDirectory`] if there is neither.
pub(crate) fn data_dir(named: Option<PathBuf>, environment: Environment<'_>) -> Result<PathBuf, CommandError> {
    let default = || default_data_dir(environment, current_uid().ok()?);
    let named = named.filter(|path| !path.as_os_str().is_empty()).or_else(|| setting(environment, DATA_DIR));
    named.or_else(default).ok_or(CommandError::NoDataDirectory)
}

/// Returns a path that is set for the server by a variable; one that is empty is none.
pub(crate) fn setting(environment: Environment<'_>, variable: &str) -> Option<PathBuf> {
    environment(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
