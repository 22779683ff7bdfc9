//! `peering inspect`: what a token is, what is in it and what is wrong with it, without asking anybody.

mod page;

use std::path::Path;

use clap::Args;
use peering_core::token::inspect::{Kind, Severity};
use peering_core::token::{Report, inspect};

use crate::args::hidden::HiddenText;
use crate::commands::error::CommandError;
use crate::commands::token_source;
use crate::world::World;

/// Flags of `inspect`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering inspect [options] <token, file or ->",
    about = "Show what is in a token and what is wrong with it",
    long_about = "  Show what is in a token and what is wrong with it. Nobody is asked, and the
  secret in the token is never shown. The token is given itself, as a file, or
  on standard input as -; what was pasted around it is left out, and told.

  Peering tokens are understood, and those of Docker Swarm, Kubernetes, k3s,
  Elasticsearch and Skupper.

  The exit code tells the worst finding:

    0    none, or notes
    1    an error: the token cannot be used (or the command failed)
    2    a warning: the token may fail where it is used
    3    it is no token

  Example:

    $ peering inspect token.txt",
    args_override_self = true
)]
pub(crate) struct Inspect {
    #[arg(hide = true)]
    token: Option<HiddenText>,
    #[arg(
        long,
        value_name = "string",
        default_value = "pretty",
        help = "How the findings are printed: pretty, json or yaml."
    )]
    format: String,
}

impl Inspect {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let given = self.token.filter(|token| !token.expose().is_empty()).ok_or(CommandError::MissingToken)?;
        if !matches!(self.format.as_str(), "pretty" | "json" | "yaml") {
            return Err(CommandError::InspectFormat);
        }
        let place = Path::new(given.expose());
        // What is a file is read: a token could be the name of one, but hardly of one that is there.
        let is_file = given.expose() == "-" || place.exists();
        let now = (world.clock)();
        let report =
            if is_file { inspect(token_source::read_bytes(place, world)?, now) } else { inspect(given.expose(), now) };
        match self.format.as_str() {
            "json" => world.output.json(&report)?,
            "yaml" => world.output.yaml(&report)?,
            _ => world.output.result(&page::lay_out(&report))?,
        }
        verdict(&report, is_file)
    }
}

/// Turns the worst finding into an exit code, and says why on standard error.
fn verdict(report: &Report, is_file: bool) -> Result<(), CommandError> {
    match report.worst() {
        Some(Severity::Error) if report.kind == Kind::Unknown && is_file => Err(CommandError::NoToken),
        Some(Severity::Error) if report.kind == Kind::Unknown => Err(CommandError::NoTokenNoFile),
        Some(Severity::Error) => Err(CommandError::Unusable),
        Some(Severity::Warning) => Err(CommandError::Doubtful),
        _ => Ok(()),
    }
}
