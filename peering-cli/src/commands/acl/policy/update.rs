//! `peering acl policy update`: changes a policy.

use clap::{ArgAction, Args};

use super::create::{DATACENTERS_HELP, RULES_HELP};
use crate::args::http::TenantHttpFlags;
use crate::args::{Leftovers, go_bool};
use crate::client::acl::policy::Policy;
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::ids::{self, Either};
use crate::commands::acl::{page, rules};
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl policy update`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl policy update [options]",
    about = "Update a policy",
    long_about = "  Change a policy. What no flag names stays as it is, unless -no-merge is given.

  Examples:

    $ peering acl policy update -name peering-admin -rules @rules.hcl
    $ peering acl policy update -id 5e3f -name peering-operator",
    args_override_self = true
)]
pub(crate) struct Update {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[arg(long, value_name = "string", help = "The id of the policy, or as much of its beginning as only it has.")]
    id: Option<String>,
    #[arg(long, value_name = "string", help = "The name of the policy; with -id, its new name.")]
    name: Option<String>,
    #[arg(long, value_name = "string", help = "What the policy is for.")]
    description: Option<String>,
    #[arg(long, value_name = "string", help = RULES_HELP)]
    rules: Option<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append, help = DATACENTERS_HELP)]
    valid_datacenter: Vec<String>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, help = "Empty what no flag names, instead of leaving it as it is.")]
    no_merge: Option<bool>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Update {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let which = Either::of(self.id.as_deref(), self.name.as_deref()).ok_or(AclError::NoPolicy)?;
        let format = self.format.read()?;
        let session = Session::open(&self.http, world)?;
        let id = session.run(ids::policy_by_either(&session.client, which)).map_err(AclError::WhichPolicy)?;
        let rules = self.rules.as_deref().map(|value| rules::read(value, world)).transpose();
        let rules = rules.map_err(AclError::NewRules)?;
        let before = if self.no_merge.unwrap_or_default() {
            Policy::default()
        } else {
            let read = session.run(session.client.policy(&id));
            read.map_err(|source| AclError::ReadPolicy { asked: id.clone(), source })?
        };
        let policy = Policy {
            id: id.clone(),
            name: self.name.unwrap_or(before.name),
            description: self.description.unwrap_or(before.description),
            rules: rules.unwrap_or(before.rules),
            datacenters: Some(self.valid_datacenter).filter(|names| !names.is_empty()).or(before.datacenters),
            ..Policy::default()
        };
        let updated = session.run(session.client.update_policy(&policy));
        let policy = updated.map_err(|source| AclError::UpdatePolicy { id, source })?;
        page::print_policy(&policy, format, self.meta.is_set(), world)
    }
}
