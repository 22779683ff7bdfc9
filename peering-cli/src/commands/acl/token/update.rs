//! `peering acl token update`: changes a token.

mod flags;

use clap::Args;

use self::flags::{RightsFlags, Templates};
use super::{ADVICE, AccessorFlags};
use crate::args::Leftovers;
use crate::args::http::TenantHttpFlags;
use crate::client::Client;
use crate::client::acl::token::Token;
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::{ids, links, page};
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl token update`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl token update [options]",
    about = "Update a token",
    long_about = "  Change a token. What no flag names stays as it is. The token is printed without
  its secret, which does not change.

  Example:

    $ peering acl token update -accessor-id 986193 -append-policy-name mesh-admin",
    args_override_self = true
)]
pub(crate) struct Update {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[command(flatten)]
    accessor: AccessorFlags,
    #[arg(long, value_name = "string", help = "What the token is for.")]
    description: Option<String>,
    #[command(flatten)]
    rights: RightsFlags,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Update {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let given = self.accessor.given(ADVICE, world).ok_or(AclError::NoTokenToUpdate)?;
        let format = self.format.read()?;
        self.rights.check()?;
        let session = Session::open(&self.http, world)?;
        let client = &session.client;
        let id = session.run(ids::token(client, &given)).map_err(AclError::WhichToken)?;
        let mut token = session.run(client.token(&id)).map_err(AclError::CurrentToken)?;
        if let Some(description) = self.description.filter(|text| !text.is_empty()) {
            token.description = description;
        }
        for advice in self.rights.advice() {
            world.output.message(advice);
        }
        session.run(change(&mut token, self.rights, client))?;
        let updated = session.run(client.update_token(&token));
        let mut token = updated.map_err(|source| AclError::UpdateToken { accessor_id: id, source })?;
        token.secret_id.hide();
        page::print_token(&token, format, self.meta.is_set(), world)
    }
}

/// Changes what gives the token its rights.
async fn change(token: &mut Token, rights: RightsFlags, client: &Client) -> Result<(), AclError> {
    let services = rights.services()?;
    let nodes = rights.nodes()?;
    let templates = rights.templates()?;
    let (names, policy_ids, is_replacing) = rights.policies();
    let policies = token.policies.get_or_insert_default();
    if is_replacing {
        policies.clear();
    }
    links::add_policies(policies, names, policy_ids, client).await?;
    let (names, role_ids, is_replacing) = rights.roles();
    let roles = token.roles.get_or_insert_default();
    if is_replacing {
        roles.clear();
    }
    links::add_roles(roles, names, role_ids, client).await?;
    let kept = token.service_identities.get_or_insert_default();
    if rights.replaces_services() {
        kept.clear();
    }
    for service in services {
        match kept.iter_mut().find(|kept| kept.service_name == service.service_name) {
            Some(kept) => *kept = service,
            None => kept.push(service),
        }
    }
    let kept = token.node_identities.get_or_insert_default();
    if rights.replaces_nodes() {
        kept.clear();
    }
    for node in nodes {
        if !kept.contains(&node) {
            kept.push(node);
        }
    }
    let kept = token.templated_policies.get_or_insert_default();
    match templates {
        Templates::Replace(policies) => *kept = policies,
        Templates::Append(policies) => kept.extend(policies),
    }
    Ok(())
}
