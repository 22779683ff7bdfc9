//! A token with the contents of what it is linked to.
//!
//! Consul also prints the rules that it makes of identities and templates. They are its server's own, and no answer has
//! them, so they are left out here.

use std::fmt::{self, Write as _};

use peering_core::gojson::go_quoted;

use super::{node_identity, service_identity, write_section, write_templated_policy, write_token_head};
use crate::client::acl::policy::Policy;
use crate::client::acl::token::{ExpandedToken, Link, Role};
use crate::output::escape::{block, line};

/// Writes the page.
pub(super) fn write(out: &mut String, expanded: &ExpandedToken, meta: bool) -> fmt::Result {
    let token = &expanded.token;
    write_token_head(out, token, meta)?;
    write_section(out, "Policies:", token.policies.as_deref(), |out, link| {
        write_policy(out, expanded, &link.id, "\t")
    })?;
    write_section(out, "Service Identities:", token.service_identities.as_deref(), |out, identity| {
        writeln!(out, "\tName: {}\n", service_identity(identity))
    })?;
    write_section(out, "Node Identities:", token.node_identities.as_deref(), |out, identity| {
        writeln!(out, "\tName: {}\n", node_identity(identity))
    })?;
    write_section(out, "Templated Policies:", token.templated_policies.as_deref(), |out, policy| {
        write_templated_policy(out, policy, "\t", "\t\t")?;
        writeln!(out)
    })?;
    write_section(out, "Roles:", token.roles.as_deref(), |out, link| write_role(out, expanded, link))?;
    writeln!(out, "=== End of Authorizer Layer 0: Token ===")?;
    write_namespace(out, expanded)?;
    write_agent(out, expanded)
}

/// Writes a policy; one that the answer lacks is empty, as in Consul.
fn write_policy(out: &mut String, expanded: &ExpandedToken, id: &str, indent: &str) -> fmt::Result {
    let missing = Policy::default();
    let mut policies = expanded.expanded_policies.iter().flatten();
    let policy = policies.find(|policy| policy.id == id).unwrap_or(&missing);
    writeln!(out, "{indent}Policy Name: {}", line(&policy.name))?;
    writeln!(out, "{indent}\tID: {}", line(&policy.id))?;
    writeln!(out, "{indent}\tDescription: {}", line(&policy.description))?;
    writeln!(out, "{indent}\tRules:")?;
    writeln!(out, "{indent}\t\t{}\n", block(&policy.rules).replace('\n', &format!("\n{indent}\t\t")))
}

fn write_role(out: &mut String, expanded: &ExpandedToken, link: &Link) -> fmt::Result {
    let missing = Role::default();
    let mut roles = expanded.expanded_roles.iter().flatten();
    let role = roles.find(|role| role.id == link.id).unwrap_or(&missing);
    writeln!(out, "\tRole Name: {}", line(&role.name))?;
    writeln!(out, "\t\tID: {}", line(&role.id))?;
    writeln!(out, "\t\tDescription: {}", line(&role.description))?;
    write_section(out, "\t\tPolicies:", role.policies.as_deref(), |out, link| {
        write_policy(out, expanded, &link.id, "\t\t\t")
    })?;
    write_section(out, "\t\tService Identities:", role.service_identities.as_deref(), |out, identity| {
        writeln!(out, "\t\t\tName: {}\n", service_identity(identity))
    })?;
    write_section(out, "\t\tNode Identities:", role.node_identities.as_deref(), |out, identity| {
        writeln!(out, "\t\t\tName: {}\n", node_identity(identity))
    })
}

fn write_namespace(out: &mut String, expanded: &ExpandedToken) -> fmt::Result {
    let policies = expanded.namespace_default_policy_ids.as_deref().unwrap_or_default();
    let roles = expanded.namespace_default_role_ids.as_deref().unwrap_or_default();
    if policies.is_empty() && roles.is_empty() {
        return Ok(());
    }
    let layer = "Authorizer Layer 1: Token Namespace’s Defaults (Inherited) ===";
    writeln!(out, "=== Start of {layer}")?;
    let namespace = go_quoted(&expanded.token.namespace);
    writeln!(out, "Description: ACL Roles inherited by all Tokens in Namespace {namespace}\n")?;
    writeln!(out, "Namespace Policy Defaults:")?;
    policies.iter().try_for_each(|id| write_policy(out, expanded, id, "\t"))?;
    writeln!(out, "Namespace Role Defaults:")?;
    let link = |id: &String| Link { id: id.clone(), ..Link::default() };
    roles.iter().try_for_each(|id| write_role(out, expanded, &link(id)))?;
    writeln!(out, "=== End of {layer}")
}

fn write_agent(out: &mut String, expanded: &ExpandedToken) -> fmt::Result {
    writeln!(out, "=== Start of Authorizer Layer 2: Agent Configuration Defaults (Inherited) ===")?;
    writeln!(
        out,
        "Description: Defined at request-time by the agent that resolves the ACL token; other agents may have different \
         configuration defaults"
    )?;
    writeln!(out, "Resolved By Agent: {}\n", go_quoted(&expanded.resolved_by_agent))?;
    writeln!(out, "Default Policy: {}", line(&expanded.agent_acl_default_policy))?;
    writeln!(
        out,
        "\tDescription: Backstop rule used if no preceding layer has a matching rule (refer to default_policy option in \
         agent configuration)\n"
    )?;
    writeln!(out, "Down Policy: {}", line(&expanded.agent_acl_down_policy))?;
    writeln!(
        out,
        "\tDescription: Defines what to do if this Token's information cannot be read from the primary_datacenter \
         (refer to down_policy option in agent configuration)\n"
    )
}
