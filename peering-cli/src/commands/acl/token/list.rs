//! `peering acl token list`: all tokens, without their secrets.

use clap::Args;

use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::page;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl token list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl token list [options]",
    about = "List tokens",
    long_about = "  List all tokens. Their secrets are not shown: read a token to see its secret.

  Example:

    $ peering acl token list",
    args_override_self = true
)]
pub(crate) struct List {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl List {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let format = self.format.read()?;
        let session = Session::open(&self.http, world)?;
        let tokens = session.run(session.client.tokens()).map_err(AclError::ListTokens)?;
        page::print_tokens(tokens.as_deref(), format, self.meta.is_set(), world)
    }
}
