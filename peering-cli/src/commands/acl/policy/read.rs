//! `peering acl policy read`: one policy in detail.

use clap::Args;

use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::client::Client;
use crate::client::acl::policy::Policy;
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::ids::{self, Either};
use crate::commands::acl::page;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl policy read`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl policy read [options] POLICY",
    about = "Read a policy",
    long_about = "  Show one policy with its rules.

  Example:

    $ peering acl policy read -name peering-admin",
    args_override_self = true
)]
pub(crate) struct Read {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[arg(long, value_name = "string", help = "The id of the policy, or as much of its beginning as only it has.")]
    id: Option<String>,
    #[arg(long, value_name = "string", help = "The name of the policy.")]
    name: Option<String>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Read {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let which = Either::of(self.id.as_deref(), self.name.as_deref()).ok_or(AclError::NoPolicy)?;
        let format = self.format.read()?;
        let session = Session::open(&self.http, world)?;
        let policy = session.run(read(&session.client, which))?;
        page::print_policy(&policy, format, self.meta.is_set(), world)
    }
}

async fn read(client: &Client, which: Either<'_>) -> Result<Policy, AclError> {
    match which {
        Either::Id(id) => {
            let id = ids::policy(client, id).await.map_err(AclError::WhichPolicy)?;
            client.policy(&id).await.map_err(|source| AclError::ReadPolicy { asked: format!("id:{id}"), source })
        }
        Either::Name(name) => ids::policy_by_name(client, name)
            .await
            .map_err(|source| AclError::ReadPolicyByName { name: name.to_owned(), source })?
            .ok_or_else(|| AclError::PolicyAbsent(name.to_owned())),
    }
}
