//! `peering read`: one peering in detail.

use std::fmt::{self, Write as _};

use clap::Args;
use peering_core::api::v1::Peering;

use crate::args::Leftovers;
use crate::args::http::HttpFlags;
use crate::commands::detail;
use crate::commands::error::{CommandError, required};
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::gotime;
use crate::output::escape;
use crate::world::World;

/// Flags of `read`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering read [options] -name <peer name>",
    about = "Read a peering connection",
    long_about = "  Show one peering connection: its state, its peer and what its stream is doing.

  Example:

    $ peering read -name cluster-02",
    args_override_self = true
)]
pub(crate) struct Read {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", help = "(Required) Our own name for the peer.")]
    name: Option<String>,
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the peering is printed: pretty or json.")]
    format: String,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Read {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let name = required(self.name, "name")?;
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        let peering = session.run(session.client.read(&name)).map_err(CommandError::Read)?;
        let Some(peering) = peering else {
            return Err(CommandError::Absent(name));
        };
        match format {
            Format::Json => world.output.json(&peering)?,
            Format::Pretty => world.output.result(&pretty(&peering))?,
        }
        Ok(())
    }
}

/// Lays a peering out, with an empty line at the end once it is printed.
///
/// # Source
/// `consul peering read` of Consul 1.21, whose order of times is heartbeat, send, receive.
fn pretty(peering: &Peering) -> String {
    let mut text = String::new();
    // A `String` takes every write.
    let _ = write_pretty(&mut text, peering);
    text
}

fn write_pretty(out: &mut String, peering: &Peering) -> fmt::Result {
    writeln!(out, "Name:         {}", escape::line(&peering.name))?;
    writeln!(out, "ID:           {}", escape::line(&peering.id))?;
    if !peering.partition.is_empty() {
        writeln!(out, "Partition:    {}", escape::line(&peering.partition))?;
    }
    if let Some(time) = peering.deleted_at {
        writeln!(out, "DeletedAt:    {}", gotime::rfc3339_seconds(time))?;
    }
    writeln!(out, "State:        {}", escape::line(&peering.state))?;
    if let Some(meta) = peering.meta.as_ref().filter(|meta| !meta.is_empty()) {
        writeln!(out, "Meta:")?;
        for (key, value) in meta {
            writeln!(out, "    {}={}", escape::line(key), escape::line(value))?;
        }
    }
    writeln!(out)?;
    write_peer(out, peering)?;
    let stream = &peering.stream_status;
    let count = |services: &Option<Vec<String>>| services.as_ref().map_or(0, Vec::len);
    writeln!(out, "Imported Services: {}", count(&stream.imported_services))?;
    writeln!(out, "Exported Services: {}", count(&stream.exported_services))?;
    writeln!(out)?;
    writeln!(out, "Last Heartbeat:    {}", gotime::default_form(stream.last_heartbeat))?;
    writeln!(out, "Last Send:         {}", gotime::default_form(stream.last_send))?;
    writeln!(out, "Last Receive:      {}", gotime::default_form(stream.last_receive))?;
    if let Some(domain) = &peering.trust_domain_changed_from {
        writeln!(out)?;
        let domain = escape::line(domain);
        writeln!(out, "Warning: the peer's trust domain changed from {domain} when it last presented a new token")?;
    }
    writeln!(out)?;
    writeln!(out, "Create Index: {}", peering.create_index)?;
    writeln!(out, "Modify Index: {}", peering.modify_index)?;
    match &peering.detail {
        Some(detail) => write!(out, "\n{}", detail::page(detail)),
        None => Ok(()),
    }
}

/// Writes what is known of the peer. All addresses stand on one line, which takes the place of an empty one.
fn write_peer(out: &mut String, peering: &Peering) -> fmt::Result {
    writeln!(out, "Peer ID:               {}", escape::line(&peering.peer_id))?;
    writeln!(out, "Peer Server Name:      {}", escape::line(&peering.peer_server_name))?;
    writeln!(out, "Peer CA Pems:          {}", peering.peer_ca_pems.as_ref().map_or(0, Vec::len))?;
    if let Some(addresses) = peering.peer_server_addresses.as_ref().filter(|addresses| !addresses.is_empty()) {
        writeln!(out, "Peer Server Addresses:")?;
        for address in addresses {
            write!(out, "    {}", escape::line(address))?;
        }
    }
    writeln!(out)
}
