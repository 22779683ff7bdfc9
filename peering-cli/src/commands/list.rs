//! `peering list`: all peerings.

pub(crate) mod watch;

use clap::Args;
use peering_core::api::v1::Peering;

use crate::args::http::HttpFlags;
use crate::args::{Leftovers, go_bool};
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::output::{escape, table};
use crate::world::World;

/// Flags of `list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering list [options]",
    about = "List peering connections",
    long_about = "  List the peering connections of the cluster, sorted by name.

  Example:

    $ peering list

  Look on, until Ctrl-C:

    $ peering list -watch",
    args_override_self = true
)]
pub(crate) struct List {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the list is printed: pretty or json.")]
    format: String,
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value = "false", hide_default_value = true,
        value_parser = go_bool::parse,
        help = "Go on until it is interrupted: the table anew on a terminal, elsewhere a line for each change.")]
    watch: bool,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl List {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        if self.watch {
            return watch::follow(&session, format, world);
        }
        let mut peerings = session.run(session.client.list()).map_err(CommandError::List)?;
        if let Some(peerings) = &mut peerings {
            peerings.sort_by(|a, b| a.name.cmp(&b.name));
        }
        match format {
            Format::Json => world.output.json(&peerings)?,
            Format::Pretty => world.output.result(&pretty(&peerings.unwrap_or_default()))?,
        }
        Ok(())
    }
}

/// Lays the peerings out as a table, or says that there are none.
fn pretty(peerings: &[Peering]) -> String {
    if peerings.is_empty() {
        return "There are no peering connections.".to_owned();
    }
    let heading = ["Name", "State", "Imported Svcs", "Exported Svcs", "Meta"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(heading).chain(peerings.iter().map(row)).collect();
    table::lay_out(&rows)
}

fn row(peering: &Peering) -> [String; 5] {
    let count = |services: &Option<Vec<String>>| services.as_ref().map_or(0, Vec::len).to_string();
    let pairs: Vec<String> = peering
        .meta
        .iter()
        .flatten()
        .map(|(key, value)| escape::line(&format!("{key}={value}")).into_owned())
        .collect();
    [
        escape::line(&peering.name).into_owned(),
        escape::line(&peering.state).into_owned(),
        count(&peering.stream_status.imported_services),
        count(&peering.stream_status.exported_services),
        pairs.join(","),
    ]
}
