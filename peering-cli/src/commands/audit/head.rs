//! `peering audit head`: where an audit trail ends.

#[cfg(feature = "server")]
use std::path::PathBuf;

use clap::Args;
use peering_core::audit;

use crate::args::http::HttpFlags;
use crate::commands::audit::error::{AuditError, explained};
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `audit head`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering audit head [options]",
    about = "Show where the audit trail ends",
    long_about = "  Show where the audit trail ends, as the server knows it: the number of its
  last line and the hash of it. With this, `peering audit verify -head` finds out
  whether lines were cut off at the end.

  Example:

    $ peering audit verify -head $(peering audit head) -key audit-key.pem audit.log",
    args_override_self = true
)]
pub(crate) struct Head {
    #[command(flatten)]
    http: HttpFlags,
    #[cfg(feature = "server")]
    #[arg(
        long,
        value_name = "directory",
        help = "The data `directory` of a server that is not running: what its store last kept of the trail's end."
    )]
    data_dir: Option<PathBuf>,
}

impl Head {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AuditError> {
        let head = self.head(world)?;
        Ok(world.output.result(&head.to_string())?)
    }

    fn head(&self, world: &World<'_>) -> Result<audit::Head, AuditError> {
        #[cfg(feature = "server")]
        if let Some(directory) = &self.data_dir {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let kept = peering_server::audit::stored_head(directory);
            let read = runtime.map_err(AuditError::Runtime)?.block_on(kept);
            return read.map_err(|error| AuditError::Store(Box::new(error)));
        }
        let session = Session::open(&self.http, world)?;
        let head = session.run(session.client.audit_head()).map_err(|error| explained(error, AuditError::Head))?;
        Ok(audit::Head { seq: head.seq, hash: head.hash })
    }
}
