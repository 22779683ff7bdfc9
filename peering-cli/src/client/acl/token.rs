//! ACL tokens as Consul's Go client sends, reads and prints them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::Policy;

/// What a listing shows instead of a secret; also what Consul shows to those who may not see one.
pub(crate) const HIDDEN: &str = "<hidden>";

/// Year 1, with which Go writes a time that was never set.
const ZERO_TIME: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// The secret of a token.
///
/// # Security
/// `Debug` prints the type's name alone. What prints it says so with [`SecretId::expose`] or writes the token as JSON.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretId(String);

impl SecretId {
    /// Makes a secret of a text.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Forgets the secret.
    pub(crate) fn hide(&mut self) {
        HIDDEN.clone_into(&mut self.0);
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretId")
    }
}

/// A link to a policy or a role: by id, by name, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Link {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
}

/// The rights that a service needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ServiceIdentity {
    pub service_name: String,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub datacenters: Option<Vec<String>>,
}

/// The rights that a node needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NodeIdentity {
    pub node_name: String,
    pub datacenter: String,
}

/// A policy that the server makes of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TemplatedPolicy {
    pub template_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_variables: Option<TemplateVariables>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub datacenters: Option<Vec<String>>,
}

/// What goes into a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TemplateVariables {
    /// Consul's server answers in lower case.
    #[serde(alias = "name")]
    pub name: String,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Token {
    pub create_index: u64,
    pub modify_index: u64,
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    #[serde(rename = "SecretID")]
    pub secret_id: SecretId,
    pub description: String,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub policies: Option<Vec<Link>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub roles: Option<Vec<Link>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub service_identities: Option<Vec<ServiceIdentity>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub node_identities: Option<Vec<NodeIdentity>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub templated_policies: Option<Vec<TemplatedPolicy>>,
    pub local: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_method: String,
    /// In nanoseconds, and only in a request.
    #[serde(rename = "ExpirationTTL", skip_serializing_if = "is_zero", skip_deserializing)]
    pub expiration_ttl: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Timestamp>,
    pub create_time: Timestamp,
    /// Base64 of a hash of the contents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_method_namespace: String,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            create_index: 0,
            modify_index: 0,
            accessor_id: String::new(),
            secret_id: SecretId::default(),
            description: String::new(),
            policies: None,
            roles: None,
            service_identities: None,
            node_identities: None,
            templated_policies: None,
            local: false,
            auth_method: String::new(),
            expiration_ttl: 0,
            expiration_time: None,
            create_time: ZERO_TIME,
            hash: None,
            namespace: String::new(),
            partition: String::new(),
            auth_method_namespace: String::new(),
        }
    }
}

/// A token in a list.
///
/// # Security
/// Its secret is dropped as it is read: no listing shows any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Token")]
pub(crate) struct TokenListEntry(Token);

impl TokenListEntry {
    /// Returns the token, whose secret is hidden.
    pub(crate) fn token(&self) -> &Token {
        &self.0
    }
}

impl From<Token> for TokenListEntry {
    fn from(mut token: Token) -> Self {
        token.secret_id.hide();
        Self(token)
    }
}

/// A token with the contents of what it is linked to, and what holds where that says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExpandedToken {
    pub expanded_policies: Option<Vec<Policy>>,
    pub expanded_roles: Option<Vec<Role>>,
    #[serde(rename = "NamespaceDefaultPolicyIDs")]
    pub namespace_default_policy_ids: Option<Vec<String>>,
    #[serde(rename = "NamespaceDefaultRoleIDs")]
    pub namespace_default_role_ids: Option<Vec<String>>,
    #[serde(rename = "AgentACLDefaultPolicy")]
    pub agent_acl_default_policy: String,
    #[serde(rename = "AgentACLDownPolicy")]
    pub agent_acl_down_policy: String,
    pub resolved_by_agent: String,
    #[serde(flatten)]
    pub token: Token,
}

/// A role, as far as a token shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Role {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub description: String,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub policies: Option<Vec<Link>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub service_identities: Option<Vec<ServiceIdentity>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub node_identities: Option<Vec<NodeIdentity>>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub templated_policies: Option<Vec<TemplatedPolicy>>,
    pub hash: Option<String>,
    pub create_index: u64,
    pub modify_index: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn is_none_or_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_none_or(Vec::is_empty)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_token_is_sent_as_the_go_client_sends_it() {
        let token = Token { policies: Some(vec![Link { name: "p".into(), ..Link::default() }]), ..Token::default() };
        let ttl = Token { expiration_ttl: 3_600_000_000_000, ..token.clone() };
        for (token, ttl) in [(token, ""), (ttl, r#""ExpirationTTL":3600000000000,"#)] {
            let text = format!(
                r#"{{"CreateIndex":0,"ModifyIndex":0,"AccessorID":"","SecretID":"","Description":"","Policies":[{{"ID":"","Name":"p"}}],"Local":false,{ttl}"CreateTime":"0001-01-01T00:00:00Z"}}"#
            );
            assert_eq!(serde_json::to_string(&token).unwrap(), text);
        }
    }

    #[test]
    fn a_listing_drops_secrets_as_it_is_read() {
        let variables: TemplateVariables = serde_json::from_str(r#"{"name":"web"}"#).unwrap();
        assert_eq!(serde_json::to_string(&variables).unwrap(), r#"{"Name":"web"}"#);
        let entry: TokenListEntry = serde_json::from_str(r#"{"AccessorID":"a","SecretID":"s3cret"}"#).unwrap();
        assert_eq!(entry.token().secret_id.expose(), HIDDEN);
        let token: Token = serde_json::from_str(r#"{"SecretID":"s3cret","ExpirationTTL":"1h0m0s"}"#).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
