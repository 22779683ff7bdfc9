//! `peering acl policy delete`: ends a policy.

use clap::Args;
use peering_core::gojson::go_quoted;

use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::commands::acl::error::AclError;
use crate::commands::acl::ids::{self, Either};
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl policy delete`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl policy delete [options] -id POLICY",
    about = "Delete a policy",
    long_about = "  Delete a policy. Tokens that were linked to it lose what it allowed.

  Example:

    $ peering acl policy delete -name peering-admin",
    args_override_self = true
)]
pub(crate) struct Delete {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[arg(long, value_name = "string", help = "The id of the policy, or as much of its beginning as only it has.")]
    id: Option<String>,
    #[arg(long, value_name = "string", help = "The name of the policy.")]
    name: Option<String>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Delete {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let which = Either::of(self.id.as_deref(), self.name.as_deref()).ok_or(AclError::NoPolicy)?;
        let session = Session::open(&self.http, world)?;
        let id = session.run(ids::policy_by_either(&session.client, which)).map_err(AclError::WhichPolicy)?;
        session
            .run(session.client.delete_policy(&id))
            .map_err(|source| AclError::DeletePolicy { id: id.clone(), source })?;
        Ok(world.output.result(&format!("Policy {} deleted successfully", go_quoted(&id)))?)
    }
}
