//! The flags of `acl token update` that change what a token may do.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::args::go_bool;
use crate::client::acl::token::{NodeIdentity, ServiceIdentity, TemplatedPolicy};
use crate::commands::acl::error::AclError;
use crate::commands::acl::links;

/// Links and identities that are to take the place of others, or to come to them.
#[derive(Debug, Args)]
pub(super) struct RightsFlags {
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Name of a policy; these replace the token's. May be given several times.")]
    policy_name: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Id of a policy; these replace the token's. May be given several times.")]
    policy_id: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Name of a policy to add. May be given several times.")]
    append_policy_name: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Id of a policy to add. May be given several times.")]
    append_policy_id: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Name of a role; these replace the token's. May be given several times.")]
    role_name: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Id of a role; these replace the token's. May be given several times.")]
    role_id: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Name of a role to add. May be given several times.")]
    append_role_name: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Id of a role to add. May be given several times.")]
    append_role_id: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Service whose rights the token has, as SERVICE or SERVICE:DATACENTER,DATACENTER; these replace the \
            token's. May be given several times.")]
    service_identity: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Service identity to add, or to put in the place of one of the same name. May be given several times.")]
    append_service_identity: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Node whose rights the token has, as NODE:DATACENTER; these replace the token's. May be given several \
            times.")]
    node_identity: Vec<String>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Node identity to add. May be given several times.")]
    append_node_identity: Vec<String>,
    #[arg(
        long,
        value_name = "string",
        help = "Name of a template; the policy of it replaces the token's templated \
        policies."
    )]
    replace_templated_policy: Option<String>,
    #[arg(
        long,
        value_name = "string",
        help = "File of templated policies, in HCL, that replace the token's as `-replace-templated-policy` does."
    )]
    replace_templated_policy_file: Option<PathBuf>,
    #[arg(long, value_name = "string", help = "Name of a template of which a policy is made and added.")]
    append_templated_policy: Option<String>,
    #[arg(
        long,
        value_name = "string",
        help = "File of templated policies, in HCL, to add as `-append-templated-policy` does."
    )]
    append_templated_policy_file: Option<PathBuf>,
    #[arg(long, value_name = "value", action = ArgAction::Append,
        help = "Variable of a template, as NAME:VALUE. May be given several times.")]
    var: Vec<String>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, hide_long_help = true,
        help = "DEPRECATED. Use -append-policy-id or -append-policy-name instead.")]
    merge_policies: Option<bool>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, hide_long_help = true,
        help = "DEPRECATED. Use -append-role-id or -append-role-name instead.")]
    merge_roles: Option<bool>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, hide_long_help = true,
        help = "DEPRECATED. Use -append-service-identity instead.")]
    merge_service_identities: Option<bool>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, hide_long_help = true,
        help = "DEPRECATED. Use -append-node-identity instead.")]
    merge_node_identities: Option<bool>,
}

/// What is to become of the templated policies that a token has.
pub(super) enum Templates {
    /// They make room for these.
    Replace(Vec<TemplatedPolicy>),
    /// These come to them.
    Append(Vec<TemplatedPolicy>),
}

impl RightsFlags {
    /// Refuses flags that want two things at once.
    ///
    /// # Errors
    /// [`AclError`] for the first pair, in Consul's order.
    pub(super) fn check(&self) -> Result<(), AclError> {
        let is_any = |lists: &[&Vec<String>]| lists.iter().any(|list| !list.is_empty());
        if is_any(&[&self.service_identity]) && is_any(&[&self.append_service_identity]) {
            return Err(AclError::ReplaceAndAppendIdentities { kind: "service" });
        }
        if is_any(&[&self.node_identity]) && is_any(&[&self.append_node_identity]) {
            return Err(AclError::ReplaceAndAppendIdentities { kind: "node" });
        }
        let is_replacing = self.replace_templated_policy.is_some() || self.replace_templated_policy_file.is_some();
        let is_appending = self.append_templated_policy.is_some() || self.append_templated_policy_file.is_some();
        if is_replacing && is_appending {
            return Err(AclError::ReplaceAndAppendTemplates);
        }
        let replaces = is_any(&[&self.policy_id, &self.policy_name]) && !self.merge_policies.unwrap_or_default();
        if replaces && is_any(&[&self.append_policy_id, &self.append_policy_name]) {
            return Err(AclError::ReplaceAndAppend { kind: "policy", kinds: "policies" });
        }
        let replaces = is_any(&[&self.role_id, &self.role_name]) && !self.merge_roles.unwrap_or_default();
        if replaces && is_any(&[&self.append_role_id, &self.append_role_name]) {
            return Err(AclError::ReplaceAndAppend { kind: "role", kinds: "roles" });
        }
        Ok(())
    }

    /// Returns what is said to those who use flags that will go.
    pub(super) fn advice(&self) -> impl Iterator<Item = &'static str> {
        let policies = "merge-policies is deprecated and will be removed in a future Consul version. \
            Use `append-policy-name` or `append-policy-id` instead.";
        let roles = "merge-roles is deprecated and will be removed in a future Consul version. \
            Use `append-role-name` or `append-role-id` instead.";
        let given = [(self.merge_policies, policies), (self.merge_roles, roles)];
        given.into_iter().filter(|(flag, _)| flag.unwrap_or_default()).map(|(_, advice)| advice)
    }

    /// Returns names and ids of policies, and whether they replace the token's.
    pub(super) fn policies(&self) -> (Vec<String>, Vec<String>, bool) {
        let names = [self.policy_name.as_slice(), &self.append_policy_name].concat();
        let ids = [self.policy_id.as_slice(), &self.append_policy_id].concat();
        let is_given = !self.policy_name.is_empty() || !self.policy_id.is_empty();
        (names, ids, is_given && !self.merge_policies.unwrap_or_default())
    }

    /// Returns names and ids of roles, and whether they replace the token's.
    pub(super) fn roles(&self) -> (Vec<String>, Vec<String>, bool) {
        let names = [self.role_name.as_slice(), &self.append_role_name].concat();
        let ids = [self.role_id.as_slice(), &self.append_role_id].concat();
        let is_given = !self.role_name.is_empty() || !self.role_id.is_empty();
        (names, ids, is_given && !self.merge_roles.unwrap_or_default())
    }

    /// Returns the service identities that are given.
    ///
    /// # Errors
    /// [`AclError::ServiceIdentity`] if one is malformed.
    pub(super) fn services(&self) -> Result<Vec<ServiceIdentity>, AclError> {
        links::service_identities(&[self.service_identity.as_slice(), &self.append_service_identity].concat())
    }

    /// Says whether those replace the token's.
    pub(super) fn replaces_services(&self) -> bool {
        !self.service_identity.is_empty() && !self.merge_service_identities.unwrap_or_default()
    }

    /// Returns the node identities that are given.
    ///
    /// # Errors
    /// [`AclError::NodeIdentity`] if one is malformed.
    pub(super) fn nodes(&self) -> Result<Vec<NodeIdentity>, AclError> {
        links::node_identities(&[self.node_identity.as_slice(), &self.append_node_identity].concat())
    }

    /// Says whether those replace the token's.
    pub(super) fn replaces_nodes(&self) -> bool {
        !self.node_identity.is_empty() && !self.merge_node_identities.unwrap_or_default()
    }

    /// Returns the templated policies that are given.
    ///
    /// # Errors
    /// [`AclError`] if a variable or a file is wrong.
    pub(super) fn templates(&self) -> Result<Templates, AclError> {
        let (name, file) = (self.replace_templated_policy.as_deref(), self.replace_templated_policy_file.as_deref());
        if name.is_some() || file.is_some() {
            return links::templated_policies(name, &self.var, file).map(Templates::Replace);
        }
        let (name, file) = (self.append_templated_policy.as_deref(), self.append_templated_policy_file.as_deref());
        links::templated_policies(name, &self.var, file).map(Templates::Append)
    }
}
