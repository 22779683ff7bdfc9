//! `peering audit`: what happened, and whether what says so can be believed.

pub(crate) mod error;
mod files;
mod head;
mod key;
mod keys;
mod page;
mod show;
mod verify;

use clap::{Args, Subcommand};

use crate::commands::error::CommandError;
use crate::world::World;

/// The verbs about the audit trail.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering audit <subcommand> [options] [args]",
    about = "Read and verify the audit trail",
    long_about = "  Read and verify the audit trail that a server writes: lines of JSON, each of
  which names the hash of the one before it. Once a minute a checkpoint signs all
  that came before.

  Keep what a verification needs, away from the server:

      $ peering audit key > audit-key.pem
      $ peering audit head

  See whether anything was changed, and how far the signatures vouch:

      $ peering audit verify -key audit-key.pem audit.log.1 audit.log

  Read the story of one token:

      $ peering audit show -token 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d audit.log

  For more about a subcommand, run it with -h."
)]
pub(crate) struct AuditGroup {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    Head(Box<head::Head>),
    Key(Box<key::Key>),
    Show(show::Show),
    Verify(verify::Verify),
}

impl AuditGroup {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        match self.verb {
            AuditVerb::Head(verb) => verb.run(world),
            AuditVerb::Key(verb) => verb.run(world),
            AuditVerb::Show(verb) => verb.run(world),
            AuditVerb::Verify(verb) => verb.run(world),
        }?;
        Ok(())
    }
}
