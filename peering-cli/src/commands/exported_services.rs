//! `peering exported-services`: what a peer is offered.

use clap::Args;
use serde::Serialize;

use crate::args::Leftovers;
use crate::args::http::HttpFlags;
use crate::commands::error::{CommandError, required};
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::output::escape::line;
use crate::world::World;

/// Flags of `exported-services`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering exported-services [options] -name <peer name>",
    about = "List the services that a peer is offered",
    long_about = "  List the services that are exported to a peer, in the order in which the server
  has them.

  Example:

    $ peering exported-services -name cluster-02",
    args_override_self = true
)]
pub(crate) struct ExportedServices {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", help = "(Required) Our own name for the peer.")]
    name: Option<String>,
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the list is printed: pretty or json.")]
    format: String,
    #[command(flatten)]
    leftovers: Leftovers,
}

/// A service as Consul prints it.
#[derive(Serialize)]
struct ServiceId<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
}

impl ExportedServices {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let name = required(self.name, "name")?;
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        let peering = session.run(session.client.read(&name)).map_err(CommandError::Read)?;
        let services = peering.ok_or(CommandError::Absent(name))?.stream_status.exported_services.unwrap_or_default();
        match format {
            Format::Json => {
                let services: Vec<ServiceId<'_>> = services.iter().map(|id| ServiceId { id }).collect();
                world.output.json(&services)?;
            }
            // Consul trims what it lays out in columns, even where there is one alone.
            Format::Pretty => {
                let lines: Vec<_> = services.iter().map(|service| line(service.trim())).collect();
                world.output.result(&lines.join("\n"))?;
            }
        }
        Ok(())
    }
}
