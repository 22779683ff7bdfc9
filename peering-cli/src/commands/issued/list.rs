//! `peering issued list`: all issued tokens, or some.

use clap::Args;

use super::error::{IssuedError, explained};
use super::page;
use crate::args::http::HttpFlags;
use crate::client::issued::Wanted;
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `issued list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering issued list [options]",
    about = "List issued tokens",
    long_about = "  List the peering tokens that were issued, in the order of their issue, with what
  became of each: unused, redeemed, superseded by a newer one, expired or revoked.
  Tokens that ended are listed until the server sweeps them, those of deleted
  peerings too.

  Example:

    $ peering issued list -peer cluster-02 -state unused,redeemed",
    args_override_self = true
)]
pub(super) struct List {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", help = "List the tokens for this peer alone.")]
    peer: Option<String>,
    #[arg(
        long,
        value_name = "string",
        help = "List tokens in these states alone, separated by commas: unused, redeemed, superseded, expired, revoked."
    )]
    state: Option<String>,
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the list is printed: pretty or json.")]
    format: String,
}

impl List {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        let wanted =
            Wanted { peer: self.peer.unwrap_or_default(), states: self.state.unwrap_or_default(), ..Wanted::default() };
        let issued = session.run(session.client.issued(&wanted));
        let tokens = issued.map_err(|error| explained(error, IssuedError::List))?.tokens;
        match format {
            Format::Json => world.output.json(&tokens)?,
            Format::Pretty if tokens.is_empty() && (!wanted.peer.is_empty() || !wanted.states.is_empty()) => {
                world.output.result("No issued token matches what was asked for.")?;
            }
            Format::Pretty if tokens.is_empty() => world.output.result("There are no issued tokens.")?,
            Format::Pretty => world.output.result(&page::lay_out(&tokens))?,
        }
        Ok(())
    }
}
