//! `peering issued read`: one issued token in detail.

use clap::Args;

use super::error::{IssuedError, explained};
use super::{page, token_id};
use crate::args::hidden::HiddenText;
use crate::args::http::HttpFlags;
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `issued read`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering issued read [options] ID",
    about = "Read an issued token",
    long_about = "  Show what is known of one issued token: for whom and by whom it was issued, and
  when and from where it was redeemed.

  Example:

    $ peering issued read 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d",
    args_override_self = true
)]
pub(super) struct Read {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(hide = true, num_args = 0..)]
    ids: Vec<HiddenText>,
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the token is printed: pretty or json.")]
    format: String,
}

impl Read {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let token = match self.ids.as_slice() {
            [] => return Err(IssuedError::NoId.into()),
            [id] => token_id(id)?,
            ids => return Err(IssuedError::TooManyIds(ids.len()).into()),
        };
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        let read = session.run(session.client.issued_token(token, None));
        let read = read.map_err(|error| explained(error, |source| IssuedError::Read { token, source }))?;
        match format {
            Format::Json => world.output.json(&read)?,
            Format::Pretty => world.output.result(&page::detail(&read))?,
        }
        Ok(())
    }
}
