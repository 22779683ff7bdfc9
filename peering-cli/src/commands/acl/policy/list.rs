//! `peering acl policy list`: all policies.

use clap::Args;

use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::page;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl policy list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl policy list [options]",
    about = "List policies",
    long_about = "  List all policies, without their rules.

  Example:

    $ peering acl policy list",
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
        let policies = session.run(session.client.policies()).map_err(AclError::ListPolicies)?;
        page::print_policies(policies.as_deref(), format, self.meta.is_set(), world)
    }
}
