//! `peering acl bootstrap`: makes the first token with all rights.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use super::error::AclError;
use super::flags::FormatFlag;
use super::{page, rules};
use crate::args::http::ServerHttpFlags;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl bootstrap`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl bootstrap [options] [file or -]",
    about = "Make the first token, which may do everything",
    long_about = "  Make the first token, which may do everything, and print it. This works once.
  A server may ask for a secret that only its administrators have; it is given as
  a file, or on standard input as -. That of a server of ours is in the file
  management-token of its data directory.

  Example:

    $ peering acl bootstrap /var/lib/peering/management-token",
    args_override_self = true
)]
pub(crate) struct Bootstrap {
    #[command(flatten)]
    http: ServerHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[arg(value_name = "file", hide = true, num_args = 0..)]
    secret: Vec<OsString>,
}

impl Bootstrap {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let secret = match self.secret.as_slice() {
            [] => None,
            [place] => Some(rules::read_secret(Path::new(place), world).map_err(AclError::BootstrapSecret)?),
            _ => return Err(AclError::TooManyWords),
        };
        let format = self.format.read()?;
        let session = Session::open(&self.http, world)?;
        let secret = secret.filter(|secret| !secret.expose().is_empty());
        let token = session.run(session.client.acl_bootstrap(secret.as_ref())).map_err(AclError::Bootstrap)?;
        page::print_token(&token, format, false, world)
    }
}
