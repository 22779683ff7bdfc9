//! `peering acl token delete`: ends a token.

use clap::Args;
use peering_core::gojson::go_quoted;

use super::AccessorFlags;
use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::commands::acl::error::AclError;
use crate::commands::acl::ids;
use crate::commands::session::Session;
use crate::world::World;

/// What is said to those who name a token in the old way; here Consul ends the sentence.
const ADVICE: &str = "Use the -accessor-id parameter to specify token by Accessor ID.";

/// Flags of `acl token delete`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl token delete [options] -accessor-id TOKEN",
    about = "Delete a token",
    long_about = "  Delete a token. Whoever presents its secret is refused from then on.

  Example:

    $ peering acl token delete -accessor-id 986193",
    args_override_self = true
)]
pub(crate) struct Delete {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    accessor: AccessorFlags,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Delete {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let given = self.accessor.given(ADVICE, world).ok_or(AclError::NoToken)?;
        let session = Session::open(&self.http, world)?;
        let id = session.run(ids::token(&session.client, &given)).map_err(AclError::WhichToken)?;
        session
            .run(session.client.delete_token(&id))
            .map_err(|source| AclError::DeleteToken { accessor_id: id.clone(), source })?;
        Ok(world.output.result(&format!("Token {} deleted successfully", go_quoted(&id)))?)
    }
}
