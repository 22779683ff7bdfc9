//! `peering version`: what this program is.

use clap::Args;

use crate::args::Leftovers;
use crate::commands::error::CommandError;
use crate::world::World;

/// Two lines: the version of this program, and what it is compatible with.
const TEXT: &str = concat!(
    "peering v",
    env!("CARGO_PKG_VERSION"),
    "\nCompatible with cluster peering of HashiCorp Consul 1.21: peering tokens, HTTP API, peer stream and commands"
);

/// Flags of `version`: none.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering version",
    about = "Print the version of this program",
    long_about = "  Print the version of this program and what it is compatible with.",
    args_override_self = true
)]
pub(crate) struct Version {
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Version {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        print(world)
    }
}

/// Prints the version, which may also be asked for with a flag.
///
/// # Errors
/// [`CommandError::Output`] if it cannot be printed.
pub(crate) fn print(world: &mut World<'_>) -> Result<(), CommandError> {
    Ok(world.output.result(TEXT)?)
}
