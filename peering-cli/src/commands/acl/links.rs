//! What gives a token its rights: links to policies and roles, identities, and templated policies.

use std::path::Path;

use super::error::AclError;
use super::{ids, rules};
use crate::client::Client;
use crate::client::acl::token::{Link, NodeIdentity, ServiceIdentity, TemplateVariables, TemplatedPolicy};

/// Name of the blocks in a file of templated policies.
const TEMPLATE_BLOCK: &str = "TemplatedPolicy";

/// The one variable that templates have.
const TEMPLATE_VARIABLE: &str = "Name";

/// Adds links to policies, by name first and then by id; what is linked already is not linked twice.
///
/// # Errors
/// [`AclError::ResolvePolicy`] if an id is the beginning of none, or of several.
pub(super) async fn add_policies(
    links: &mut Vec<Link>,
    names: Vec<String>,
    ids: Vec<String>,
    client: &Client,
) -> Result<(), AclError> {
    add_names(links, names);
    for given in ids {
        let found = ids::policy(client, &given).await;
        add_id(links, found.map_err(|source| AclError::ResolvePolicy { id: given, source })?);
    }
    Ok(())
}

/// Adds links to roles as [`add_policies`] does to policies.
///
/// # Errors
/// [`AclError::ResolveRole`] if an id is the beginning of none, or of several.
pub(super) async fn add_roles(
    links: &mut Vec<Link>,
    names: Vec<String>,
    ids: Vec<String>,
    client: &Client,
) -> Result<(), AclError> {
    add_names(links, names);
    for given in ids {
        let found = ids::role(client, &given).await;
        add_id(links, found.map_err(|source| AclError::ResolveRole { id: given, source })?);
    }
    Ok(())
}

fn add_names(links: &mut Vec<Link>, names: Vec<String>) {
    for name in names {
        if links.iter().all(|link| link.name != name) {
            links.push(Link { name, ..Link::default() });
        }
    }
}

fn add_id(links: &mut Vec<Link>, id: String) {
    if links.iter().all(|link| link.id != id) {
        links.push(Link { id, ..Link::default() });
    }
}

/// Reads `SERVICE` or `SERVICE:DATACENTER,DATACENTER`.
///
/// # Errors
/// [`AclError::ServiceIdentity`] if there are more parts.
pub(super) fn service_identities(given: &[String]) -> Result<Vec<ServiceIdentity>, AclError> {
    let read = |text: &String| {
        let mut parts = text.split(':');
        let service_name = parts.next().unwrap_or_default().to_owned();
        let datacenters = parts.next().map(|names| names.split(',').map(str::to_owned).collect());
        match parts.next() {
            None => Ok(ServiceIdentity { service_name, datacenters }),
            Some(_) => Err(AclError::ServiceIdentity(text.clone())),
        }
    };
    given.iter().map(read).collect()
}

/// Reads `NODE:DATACENTER`.
///
/// # Errors
/// [`AclError::NodeIdentity`] if there are not two parts.
pub(super) fn node_identities(given: &[String]) -> Result<Vec<NodeIdentity>, AclError> {
    let read = |text: &String| match text.split(':').collect::<Vec<_>>()[..] {
        [node, datacenter] => Ok(NodeIdentity { node_name: node.to_owned(), datacenter: datacenter.to_owned() }),
        _ => Err(AclError::NodeIdentity(text.clone())),
    };
    given.iter().map(read).collect()
}

/// Makes templated policies of a template's name and variables, and of a file.
///
/// # Errors
/// [`AclError`] if a variable is malformed, or the file is unreadable or no file of templated policies.
pub(super) fn templated_policies(
    name: Option<&str>,
    variables: &[String],
    file: Option<&Path>,
) -> Result<Vec<TemplatedPolicy>, AclError> {
    let mut policies = Vec::new();
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        policies.push(templated_policy(name, template_variables(variables)?));
    }
    if let Some(file) = file.filter(|path| !path.as_os_str().is_empty()) {
        let text = rules::read_file(file).map_err(AclError::TemplateFile)?;
        let wrong = |error: hcl::Error| AclError::TemplateSyntax { path: file.to_owned(), reason: error.to_string() };
        policies.extend(blocks(&hcl::parse(&text).map_err(wrong)?));
    }
    Ok(policies)
}

fn templated_policy(name: &str, template_variables: Option<TemplateVariables>) -> TemplatedPolicy {
    TemplatedPolicy { template_name: name.to_owned(), template_variables, datacenters: None }
}

/// Reads `Name:value`. Other names than the one are passed over, as Consul does.
fn template_variables(given: &[String]) -> Result<Option<TemplateVariables>, AclError> {
    let mut variables = None;
    for text in given {
        let [key, value] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(AclError::Variable(text.clone()));
        };
        let variables = variables.get_or_insert_with(TemplateVariables::default);
        if key.eq_ignore_ascii_case(TEMPLATE_VARIABLE) {
            value.clone_into(&mut variables.name);
        }
    }
    Ok(variables)
}

/// Reads blocks such as `TemplatedPolicy "builtin/service" { Name = "web" }`.
fn blocks(body: &hcl::Body) -> impl Iterator<Item = TemplatedPolicy> + '_ {
    let blocks = body.blocks().filter(|block| block.identifier() == TEMPLATE_BLOCK);
    blocks.filter_map(|block| {
        let template = block.labels().first()?.as_str();
        let mut attributes = block.body().attributes();
        let name = attributes.find(|attribute| attribute.key().eq_ignore_ascii_case(TEMPLATE_VARIABLE));
        let name = match name.map(hcl::Attribute::expr) {
            Some(hcl::Expression::String(name)) => name.clone(),
            _ => String::new(),
        };
        Some(templated_policy(template, Some(TemplateVariables { name })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn identities_have_the_parts_that_they_must_have() {
        let services = service_identities(&owned(&["web", "db:dc1,dc2", "x:"])).unwrap();
        let datacenters: Vec<_> = services.iter().map(|service| service.datacenters.clone()).collect();
        assert_eq!(datacenters, [None, Some(owned(&["dc1", "dc2"])), Some(owned(&[""]))]);
        assert_eq!(
            service_identities(&owned(&["a:b:c"])).unwrap_err().to_string(),
            r#"Malformed -service-identity argument: "a:b:c""#
        );
        assert_eq!(node_identities(&owned(&["n:dc1"])).unwrap()[0].datacenter, "dc1");
        for text in ["n", "n:d:x"] {
            assert!(matches!(node_identities(&owned(&[text])), Err(AclError::NodeIdentity(given)) if given == text));
        }
    }

    #[test]
    fn templates_take_one_variable_in_any_case_and_files_as_many_blocks_as_they_have() {
        let policies = templated_policies(Some("builtin/service"), &owned(&["name:web", "other:x"]), None).unwrap();
        let named = |name: &str| Some(TemplateVariables { name: name.to_owned() });
        assert_eq!(policies, [templated_policy("builtin/service", named("web"))]);
        assert_eq!(
            templated_policies(Some("builtin/dns"), &[], None).unwrap(),
            [templated_policy("builtin/dns", None)]
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "TemplatedPolicy \"builtin/service\" {\n  Name = \"web\"\n}\nTemplatedPolicy \"builtin/dns\" {}\n";
        std::fs::write(file.path(), text).unwrap();
        let policies = templated_policies(None, &[], Some(file.path())).unwrap();
        assert_eq!(
            policies,
            [templated_policy("builtin/service", named("web")), templated_policy("builtin/dns", named(""))]
        );
        std::fs::write(file.path(), "TemplatedPolicy {{").unwrap();
        let error = templated_policies(None, &[], Some(file.path())).unwrap_err().to_string();
        assert!(error.contains(" is not a file of templated policies: "), "{error}");
    }

    #[test]
    fn what_is_linked_already_is_not_linked_twice() {
        let mut links = vec![Link { id: "1".into(), name: "a".into() }];
        add_names(&mut links, owned(&["a", "b", "b"]));
        add_id(&mut links, "1".to_owned());
        add_id(&mut links, "2".to_owned());
        assert_eq!(links.iter().map(|link| format!("{}{}", link.id, link.name)).collect::<Vec<_>>(), ["1a", "b", "2"]);
    }
}
