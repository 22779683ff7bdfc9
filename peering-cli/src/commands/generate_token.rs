//! `peering generate-token`: makes a peering token for another cluster.

use clap::Args;
use peering_core::address::ServerAddress;
use peering_core::api::v1::GenerateTokenRequest;
use peering_core::duration::GoDuration;

use crate::args::http::HttpFlags;
use crate::args::{Leftovers, duration, pair};
use crate::client::error::ClientError;
use crate::commands::error::{CommandError, not_reserved, required};
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::output::escape::line;
use crate::world::World;

/// Flags of `generate-token`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering generate-token [options] -name <peer name>",
    about = "Generate a peering token",
    long_about = "  Make a peering token and print it. Hand it to the administrators of the other
  cluster, who use it to establish the peering. The token holds a secret that
  works once; a new token for the same name voids the one before.

  Example:

    $ peering generate-token -name cluster-02

  A token whose addresses differ from those that the servers know of
  themselves, for instance behind a load balancer:

    $ peering generate-token -name cluster-02 -server-external-addresses lb.example.com:8503",
    args_override_self = true
)]
pub(crate) struct GenerateToken {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", help = "(Required) Our own name for the cluster that the token is meant for.")]
    name: Option<String>,
    #[arg(long, value_name = "value", value_parser = pair::parse, action = clap::ArgAction::Append,
            help = "Metadata of a new peering, as key=value. May be given several times.")]
    meta: Vec<(String, String)>,
    #[arg(
        long,
        value_name = "string",
        help = "Addresses, as host:port and separated by commas, that the other cluster dials instead of those \
                that the servers know of themselves."
    )]
    server_external_addresses: Option<String>,
    #[arg(
        long,
        value_name = "value",
        value_parser = duration::parse_positive,
        help = "The `duration`, such as 24h, after which the token is void unless it has been used. A real Consul, \
                whose tokens never expire, refuses this flag."
    )]
    ttl: Option<GoDuration>,
    #[arg(
        long,
        value_name = "string",
        default_value = "pretty",
        help = "How the token is printed: pretty, which is the bare token, or json."
    )]
    format: String,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl GenerateToken {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let name = not_reserved(required(self.name, "name")?)?;
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        let addresses = split_addresses(self.server_external_addresses.as_deref().unwrap_or_default());
        let own_warnings: Vec<String> = addresses.iter().filter_map(|address| warning(address)).collect();
        let request = GenerateTokenRequest {
            peer_name: name.clone(),
            partition: session.client.partition().to_owned(),
            meta: self.meta.into_iter().collect(),
            server_external_addresses: addresses,
            ttl: self.ttl.map(|ttl| ttl.to_string()),
        };
        let generated = session.run(session.client.generate_token(&request));
        // A server that warns says the same better; a Consul never does.
        let told = generated.as_ref().map(|generated| &generated.warnings).ok().filter(|warnings| !warnings.is_empty());
        for warning in told.unwrap_or(&own_warnings) {
            world.output.message(&format!("Warning: {}", line(warning)));
        }
        let generated = generated.map_err(|error| explained(name, error))?;
        match format {
            Format::Pretty => world.output.result(&line(&generated.response.peering_token))?,
            Format::Json => world.output.json(&generated.response)?,
        }
        Ok(())
    }
}

fn explained(name: String, source: ClientError) -> CommandError {
    if source.is_unknown_field("TTL") { CommandError::Endless(name) } else { CommandError::Generate { name, source } }
}

fn warning(address: &str) -> Option<String> {
    let error = ServerAddress::parse(address).err()?;
    Some(format!("{error}; expected host:port, or no cluster can use the token"))
}

/// Splits at commas and nowhere else: blanks and empty parts are kept for the server to judge, as Consul keeps them.
fn split_addresses(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_at_commas_and_nothing_is_trimmed() {
        assert_eq!(split_addresses(""), [""; 0]);
        assert_eq!(split_addresses("a:1, b:2,,"), ["a:1", " b:2", "", ""]);
    }
}
