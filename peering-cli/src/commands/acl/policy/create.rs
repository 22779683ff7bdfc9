//! `peering acl policy create`: makes a policy.

use clap::Args;

use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::client::acl::policy::Policy;
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::{page, rules};
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl policy create`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl policy create -name NAME [options]",
    about = "Create a policy",
    long_about = "  Make a policy.

  Example, with the rules in a file:

    $ peering acl policy create -name peering-admin -rules @rules.hcl",
    args_override_self = true
)]
pub(crate) struct Create {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[arg(
        long,
        value_name = "string",
        default_value = "",
        hide_default_value = true,
        help = "(Required) The name of the new policy."
    )]
    name: String,
    #[arg(long, value_name = "string", help = "What the policy is for.")]
    description: Option<String>,
    #[arg(long, value_name = "string", help = RULES_HELP)]
    rules: Option<String>,
    #[arg(long, value_name = "value", action = clap::ArgAction::Append, help = DATACENTERS_HELP)]
    valid_datacenter: Vec<String>,
    #[command(flatten)]
    leftovers: Leftovers,
}

/// Describes `-rules`, of `update` too.
pub(super) const RULES_HELP: &str =
    "The rules in HCL or JSON; @ and a path for those in a file, or - for standard input.";

/// Describes `-valid-datacenter`, of `update` too.
pub(super) const DATACENTERS_HELP: &str =
    "Name of a datacenter in which the policy holds, instead of all. May be given several times.";

impl Create {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        if self.name.is_empty() {
            return Err(AclError::NoPolicyName { page: crate::help_page(&["acl", "policy", "create"]) });
        }
        let format = self.format.read()?;
        let session = Session::open(&self.http, world)?;
        let rules = rules::read(&self.rules.unwrap_or_default(), world).map_err(AclError::Rules)?;
        let policy = Policy {
            name: self.name,
            description: self.description.unwrap_or_default(),
            rules,
            datacenters: Some(self.valid_datacenter).filter(|names| !names.is_empty()),
            ..Policy::default()
        };
        let policy = session.run(session.client.create_policy(&policy)).map_err(AclError::CreatePolicy)?;
        page::print_policy(&policy, format, self.meta.is_set(), world)
    }
}
