//! `peering acl token create`: makes a token.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use peering_core::duration::GoDuration;

use crate::args::hidden::HiddenText;
use crate::args::http::TenantHttpFlags;
use crate::args::{Leftovers, duration, go_bool};
use crate::client::acl::token::{SecretId, Token};
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::{links, page};
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `acl token create`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl token create [options]",
    about = "Create a token",
    long_about = "  Make a token and print it with its secret. What it may do comes from policies,
  which are named or given by as much of the beginning of their id as only they
  have; a real Consul also has roles, identities and templated policies.

  Example:

    $ peering acl token create -policy-name peering-admin -description \"for CI\"",
    args_override_self = true
)]
pub(crate) struct Create {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[arg(long, value_name = "string", help = "The accessor id of the new token, a UUID, instead of a random one.")]
    accessor: Option<String>,
    #[arg(
        long,
        value_name = "string",
        help = "The secret of the new token, a UUID, instead of a random one. Other \
        users of this machine can see it here."
    )]
    secret: Option<HiddenText>,
    #[arg(long, value_name = "string", help = "What the token is for.")]
    description: Option<String>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, help = "Make a token that only this datacenter knows.")]
    local: Option<bool>,
    #[arg(long, value_name = "duration", value_parser = duration::parse_ttl,
        help = "The time, such as 24h, after which the token is void.")]
    expires_ttl: Option<GoDuration>,
    #[arg(long, value_name = "value", action = ArgAction::Append, help = "Name of a policy. May be given several times.")]
    policy_name: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append, help = "Id of a policy. May be given several times.")]
    policy_id: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append, help = "Name of a role. May be given several times.")]
    role_name: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append, help = "Id of a role. May be given several times.")]
    role_id: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Service whose rights the token has, as SERVICE or SERVICE:DATACENTER,DATACENTER. May be given several \
            times.")]
    service_identity: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Node whose rights the token has, as NODE:DATACENTER. May be given several times.")]
    node_identity: Vec<String>,
    #[arg(long, value_name = "string", help = "Name of a template of which a policy is made, with -var.")]
    templated_policy: Option<String>,
    #[arg(long, value_name = "string", help = "File of templated policies, in HCL.")]
    templated_policy_file: Option<PathBuf>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Variable of -templated-policy, as NAME:VALUE. May be given several times.")]
    var: Vec<String>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Create {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let template = self.templated_policy.as_deref().filter(|name| !name.is_empty());
        let template_file = self.templated_policy_file.as_deref().filter(|path| !path.as_os_str().is_empty());
        let lists = [&self.policy_name, &self.policy_id, &self.role_name, &self.role_id];
        let lists = lists.into_iter().chain([&self.service_identity, &self.node_identity]);
        if lists.into_iter().all(Vec::is_empty) && template.is_none() && template_file.is_none() {
            return Err(AclError::NoRights);
        }
        if template.is_some() && template_file.is_some() {
            return Err(AclError::TwoTemplates);
        }
        let format = self.format.read()?;
        let session = Session::open(&self.http, world)?;
        let client = &session.client;
        let mut token = Token {
            accessor_id: self.accessor.unwrap_or_default(),
            secret_id: SecretId::new(self.secret.unwrap_or_default().expose().to_owned()),
            description: self.description.unwrap_or_default(),
            local: self.local.unwrap_or_default(),
            expiration_ttl: self.expires_ttl.map_or(0, GoDuration::as_nanos),
            service_identities: Some(links::service_identities(&self.service_identity)?),
            node_identities: Some(links::node_identities(&self.node_identity)?),
            templated_policies: Some(links::templated_policies(template, &self.var, template_file)?),
            ..Token::default()
        };
        let policies = token.policies.insert(Vec::new());
        session.run(links::add_policies(policies, self.policy_name, self.policy_id, client))?;
        let roles = token.roles.insert(Vec::new());
        session.run(links::add_roles(roles, self.role_name, self.role_id, client))?;
        let token = session.run(client.create_token(&token)).map_err(AclError::CreateToken)?;
        page::print_token(&token, format, self.meta.is_set(), world)
    }
}
