//! `peering inspect`: what a token is, what is in it and what is wrong with it, without asking anybody.

mod page;

use std::path::Path;

use clap::Args;
use peering_core::token::inspect;

use crate::args::hidden::HiddenText;
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::token_source;
use crate::world::World;

/// Flags of `inspect`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering inspect [options] <token, file or ->",
    about = "Show what is in a token and what is wrong with it",
    long_about = "  Show what is in a token and what is wrong with it. Nobody is asked, and the
  secret in the token is never shown. The token is given itself, as a file, or
  on standard input as -. The exit code is 0 if the token can be used.

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
        help = "How the findings are printed: pretty or json."
    )]
    format: String,
}

impl Inspect {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let given = self.token.filter(|token| !token.expose().is_empty()).ok_or(CommandError::MissingToken)?;
        let format = Format::parse(&self.format)?;
        let place = Path::new(given.expose());
        // No token is the name of a file: one has thousands of characters, a name at most 255.
        let is_file = given.expose() == "-" || place.exists();
        let token = if is_file { token_source::read(place, world)? } else { given.expose().trim().to_owned().into() };
        let report = inspect(token.expose(), (world.clock)());
        match format {
            Format::Json => world.output.json(&report)?,
            Format::Pretty => world.output.result(&page::lay_out(&report))?,
        }
        if report.is_usable {
            return Ok(());
        }
        Err(if is_file || report.contents.is_some() { CommandError::Unusable } else { CommandError::UnusableNoFile })
    }
}
