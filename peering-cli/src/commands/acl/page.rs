//! How policies and tokens are printed: Consul's layout to the byte, the fields of other people escaped.

mod expanded;

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::error::AclError;
use crate::client::acl::policy::{Policy, PolicyListEntry};
use crate::client::acl::token::{
    ExpandedToken, Link, NodeIdentity, ServiceIdentity, TemplatedPolicy, Token, TokenListEntry,
};
use crate::commands::format::Format;
use crate::gotime;
use crate::output::escape::{block, line};
use crate::world::World;

/// Indent of a policy in a list.
const ENTRY_INDENT: &str = "   ";

/// Prints a token, its secret included: only for verbs whose purpose that is.
///
/// # Errors
/// [`AclError::Output`] if it cannot be printed.
pub(super) fn print_token(token: &Token, format: Format, meta: bool, world: &mut World<'_>) -> Result<(), AclError> {
    match format {
        Format::Json => world.output.json_indented(token)?,
        Format::Pretty => world.output.result(&written(|out| write_token(out, token, meta)))?,
    }
    Ok(())
}

/// Prints a token with the contents of what it is linked to, its secret included.
///
/// # Errors
/// [`AclError::Output`] if it cannot be printed.
pub(super) fn print_expanded_token(
    token: &ExpandedToken,
    format: Format,
    meta: bool,
    world: &mut World<'_>,
) -> Result<(), AclError> {
    match format {
        Format::Json => world.output.json_indented(token)?,
        Format::Pretty => world.output.result(&written(|out| expanded::write(out, token, meta)))?,
    }
    Ok(())
}

/// Prints a list of tokens, which has no secrets.
///
/// # Errors
/// [`AclError::Output`] if it cannot be printed.
pub(super) fn print_tokens(
    tokens: Option<&[TokenListEntry]>,
    format: Format,
    meta: bool,
    world: &mut World<'_>,
) -> Result<(), AclError> {
    let pages = tokens.unwrap_or_default().iter().map(|entry| written(|out| write_token(out, entry.token(), meta)));
    print_list(tokens, format, || pages.collect::<Vec<_>>().join("\n"), world)
}

/// Prints a policy with its rules.
///
/// # Errors
/// [`AclError::Output`] if it cannot be printed.
pub(super) fn print_policy(policy: &Policy, format: Format, meta: bool, world: &mut World<'_>) -> Result<(), AclError> {
    match format {
        Format::Json => world.output.json_indented(policy)?,
        Format::Pretty => world.output.result(&written(|out| write_policy(out, policy, meta)))?,
    }
    Ok(())
}

/// Prints a list of policies, which has no rules.
///
/// # Errors
/// [`AclError::Output`] if it cannot be printed.
pub(super) fn print_policies(
    policies: Option<&[PolicyListEntry]>,
    format: Format,
    meta: bool,
    world: &mut World<'_>,
) -> Result<(), AclError> {
    let pages = policies.unwrap_or_default().iter().map(|entry| written(|out| write_policy_entry(out, entry, meta)));
    print_list(policies, format, || pages.collect(), world)
}

/// Prints a list; an empty one is no line at all for people.
fn print_list<T: serde::Serialize>(
    list: Option<&[T]>,
    format: Format,
    pretty: impl FnOnce() -> String,
    world: &mut World<'_>,
) -> Result<(), AclError> {
    match format {
        Format::Json => world.output.json_indented(&list)?,
        Format::Pretty if list.is_none_or(<[T]>::is_empty) => {}
        Format::Pretty => world.output.result(&pretty())?,
    }
    Ok(())
}

fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    // A `String` takes every write.
    let _ = write(&mut text);
    text
}

fn write_token(out: &mut String, token: &Token, meta: bool) -> fmt::Result {
    write_token_head(out, token, meta)?;
    write_links(out, "Policies:", token.policies.as_deref())?;
    write_links(out, "Roles:", token.roles.as_deref())?;
    write_section(out, "Service Identities:", token.service_identities.as_deref(), |out, identity| {
        writeln!(out, "   {}", service_identity(identity))
    })?;
    write_section(out, "Node Identities:", token.node_identities.as_deref(), |out, identity| {
        writeln!(out, "   {}", node_identity(identity))
    })?;
    write_section(out, "Templated Policies:", token.templated_policies.as_deref(), |out, policy| {
        write_templated_policy(out, policy, "   ", "      ")
    })
}

fn write_token_head(out: &mut String, token: &Token, meta: bool) -> fmt::Result {
    writeln!(out, "AccessorID:       {}", line(&token.accessor_id))?;
    writeln!(out, "SecretID:         {}", line(token.secret_id.expose()))?;
    if !token.partition.is_empty() {
        writeln!(out, "Partition:        {}", line(&token.partition))?;
    }
    if !token.namespace.is_empty() {
        writeln!(out, "Namespace:        {}", line(&token.namespace))?;
    }
    writeln!(out, "Description:      {}", line(&token.description))?;
    writeln!(out, "Local:            {}", token.local)?;
    if !token.auth_method.is_empty() {
        let (method, namespace) = (line(&token.auth_method), line(&token.auth_method_namespace));
        writeln!(out, "Auth Method:      {method} (Namespace: {namespace})")?;
    }
    writeln!(out, "Create Time:      {}", gotime::default_form(Some(token.create_time)))?;
    if token.expiration_time.is_some() {
        writeln!(out, "Expiration Time:  {}", gotime::default_form(token.expiration_time))?;
    }
    if meta {
        writeln!(out, "Hash:             {}", hex(token.hash.as_deref()))?;
        writeln!(out, "Create Index:     {}", token.create_index)?;
        writeln!(out, "Modify Index:     {}", token.modify_index)?;
    }
    Ok(())
}

fn write_links(out: &mut String, title: &str, links: Option<&[Link]>) -> fmt::Result {
    write_section(out, title, links, |out, link| writeln!(out, "   {} - {}", line(&link.id), line(&link.name)))
}

/// Writes a title and what stands below it, or nothing if there is nothing.
fn write_section<T>(
    out: &mut String,
    title: &str,
    items: Option<&[T]>,
    write_item: impl Fn(&mut String, &T) -> fmt::Result,
) -> fmt::Result {
    let items = items.unwrap_or_default();
    if !items.is_empty() {
        writeln!(out, "{title}")?;
    }
    items.iter().try_for_each(|item| write_item(out, item))
}

fn service_identity(identity: &ServiceIdentity) -> String {
    let datacenters = datacenters_or_all(identity.datacenters.as_deref());
    format!("{} (Datacenters: {datacenters})", line(&identity.service_name))
}

fn node_identity(identity: &NodeIdentity) -> String {
    format!("{} (Datacenter: {})", line(&identity.node_name), line(&identity.datacenter))
}

fn write_templated_policy(out: &mut String, policy: &TemplatedPolicy, indent: &str, inner: &str) -> fmt::Result {
    writeln!(out, "{indent}{}", line(&policy.template_name))?;
    if let Some(variables) = policy.template_variables.as_ref().filter(|variables| !variables.name.is_empty()) {
        writeln!(out, "{inner}Name: {}", line(&variables.name))?;
    }
    writeln!(out, "{inner}Datacenters: {}", datacenters_or_all(policy.datacenters.as_deref()))
}

fn write_policy(out: &mut String, policy: &Policy, meta: bool) -> fmt::Result {
    let Policy { id, name, partition, namespace, description, datacenters, hash, create_index, modify_index, .. } =
        policy;
    writeln!(out, "ID:           {}", line(id))?;
    writeln!(out, "Name:         {}", line(name))?;
    let tenancy = (partition.as_str(), namespace.as_str());
    write_policy_facts(out, "", tenancy, description, datacenters.as_deref())?;
    if meta {
        write_policy_meta(out, "", hash.as_deref(), *create_index, *modify_index)?;
    }
    write!(out, "Rules:\n{}", block(&policy.rules))
}

fn write_policy_entry(out: &mut String, policy: &PolicyListEntry, meta: bool) -> fmt::Result {
    let tenancy = (policy.partition.as_str(), policy.namespace.as_str());
    writeln!(out, "{}:", line(&policy.name))?;
    writeln!(out, "{ENTRY_INDENT}ID:           {}", line(&policy.id))?;
    write_policy_facts(out, ENTRY_INDENT, tenancy, &policy.description, policy.datacenters.as_deref())?;
    if meta {
        write_policy_meta(out, ENTRY_INDENT, policy.hash.as_deref(), policy.create_index, policy.modify_index)?;
    }
    Ok(())
}

fn write_policy_facts(
    out: &mut String,
    indent: &str,
    (partition, namespace): (&str, &str),
    description: &str,
    datacenters: Option<&[String]>,
) -> fmt::Result {
    if !partition.is_empty() {
        writeln!(out, "{indent}Partition:    {}", line(partition))?;
    }
    if !namespace.is_empty() {
        writeln!(out, "{indent}Namespace:    {}", line(namespace))?;
    }
    writeln!(out, "{indent}Description:  {}", line(description))?;
    writeln!(out, "{indent}Datacenters:  {}", joined(datacenters.unwrap_or_default()))
}

fn write_policy_meta(
    out: &mut String,
    indent: &str,
    hash: Option<&str>,
    create_index: u64,
    modify_index: u64,
) -> fmt::Result {
    writeln!(out, "{indent}Hash:         {}", hex(hash))?;
    writeln!(out, "{indent}Create Index: {create_index}")?;
    writeln!(out, "{indent}Modify Index: {modify_index}")
}

fn datacenters_or_all(names: Option<&[String]>) -> String {
    match names.unwrap_or_default() {
        [] => "all".to_owned(),
        names => joined(names),
    }
}

fn joined(names: &[String]) -> String {
    names.iter().map(|name| line(name)).collect::<Vec<_>>().join(", ")
}

/// Turns base64 into hexadecimal digits; what is no base64 is shown as it came.
fn hex(hash: Option<&str>) -> String {
    let hash = hash.unwrap_or_default();
    match BASE64_STANDARD.decode(hash) {
        Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(_) => line(hash).into_owned(),
    }
}
