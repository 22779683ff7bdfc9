//! Consul's ACL endpoints: the shapes of tokens and policies, and request bodies as its agent reads them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::duration::GoDuration;
use crate::foreign::echo;
use crate::gojson::{self, JsonError, Scalar, Slot, Struct, go_quoted};

/// What stands for a secret that the caller may not see.
pub const HIDDEN: &str = "<hidden>";

/// A link from a token to a policy: by id, by name, or by both, of which the id counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AclLink {
    /// Id of the policy.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    #[serde(rename = "Name")]
    pub name: String,
}

/// A token, as read, listed and made.
///
/// # Security
/// Carries the secret of the token; `Debug` is missing on purpose.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclToken {
    /// The secret once more; in the answer to a bootstrap alone.
    #[serde(rename = "ID", default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its public name.
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    /// Its secret, or [`HIDDEN`].
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    /// Free text.
    #[serde(rename = "Description", default)]
    pub description: String,
    /// Its policies.
    #[serde(rename = "Policies", default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AclLink>,
    /// Whether other datacenters do not get it.
    #[serde(rename = "Local", default)]
    pub local: bool,
    /// When it ends.
    #[serde(rename = "ExpirationTime", default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Timestamp>,
    /// When it was made.
    #[serde(rename = "CreateTime")]
    pub create_time: Timestamp,
    /// Hash of what a caller may set, in base64.
    #[serde(rename = "Hash", default)]
    pub hash: String,
    /// Index of the write that made it.
    #[serde(rename = "CreateIndex", default)]
    pub create_index: u64,
    /// Index of the last write to it.
    #[serde(rename = "ModifyIndex", default)]
    pub modify_index: u64,
    /// What counts for it, if that was asked for.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub expanded: Option<AclExpansion>,
}

/// What counts for a token, in full.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AclExpansion {
    /// Its policies with their rules.
    pub expanded_policies: Option<Vec<AclPolicy>>,
    /// Its roles; there are none.
    pub expanded_roles: Option<Vec<AclLink>>,
    /// Of Consul Enterprise.
    #[serde(rename = "NamespaceDefaultPolicyIDs")]
    pub namespace_default_policy_ids: Option<Vec<String>>,
    /// Of Consul Enterprise.
    #[serde(rename = "NamespaceDefaultRoleIDs")]
    pub namespace_default_role_ids: Option<Vec<String>>,
    /// What holds where no rule says anything.
    #[serde(rename = "AgentACLDefaultPolicy")]
    pub agent_acl_default_policy: String,
    /// What an agent of Consul does without its servers.
    #[serde(rename = "AgentACLDownPolicy")]
    pub agent_acl_down_policy: String,
    /// Which server looked it up.
    pub resolved_by_agent: String,
}

/// A policy, as read and made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclPolicy {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    #[serde(rename = "Name")]
    pub name: String,
    /// Free text.
    #[serde(rename = "Description", default)]
    pub description: String,
    /// Its rules.
    #[serde(rename = "Rules", default)]
    pub rules: String,
    /// Datacenters in which it counts; absent if in all.
    #[serde(rename = "Datacenters", default, skip_serializing_if = "Option::is_none")]
    pub datacenters: Option<Vec<String>>,
    /// Hash of what a caller may set, in base64.
    #[serde(rename = "Hash", default)]
    pub hash: String,
    /// Index of the write that made it.
    #[serde(rename = "CreateIndex", default)]
    pub create_index: u64,
    /// Index of the last write to it.
    #[serde(rename = "ModifyIndex", default)]
    pub modify_index: u64,
}

/// A policy in a list: without its rules, and with `null` for no datacenters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclPolicyStub {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    #[serde(rename = "Name")]
    pub name: String,
    /// Free text.
    #[serde(rename = "Description", default)]
    pub description: String,
    /// Datacenters in which it counts.
    #[serde(rename = "Datacenters", default)]
    pub datacenters: Option<Vec<String>>,
    /// Hash of what a caller may set, in base64.
    #[serde(rename = "Hash", default)]
    pub hash: String,
    /// Index of the write that made it.
    #[serde(rename = "CreateIndex", default)]
    pub create_index: u64,
    /// Index of the last write to it.
    #[serde(rename = "ModifyIndex", default)]
    pub modify_index: u64,
}

/// A right that somebody asks about, and the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclAuthorization {
    /// On which resource.
    pub resource: String,
    /// Of which name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub segment: String,
    /// To do what.
    pub access: String,
    /// Whether it is allowed; in an answer.
    #[serde(default)]
    pub allow: bool,
}

/// What a request says of a token.
///
/// # Security
/// May carry a secret; `Debug` is missing on purpose.
#[derive(Clone, Default, PartialEq)]
pub struct AclTokenRequest {
    /// The accessor that it is to have or has; empty for one of the server's choice.
    pub accessor_id: String,
    /// The secret that it is to have or has; empty for one of the server's choice.
    pub secret_id: String,
    /// Free text; absent if the request does not speak of it.
    pub description: Option<String>,
    /// Its policies.
    pub policies: Vec<AclLink>,
    /// Its roles.
    pub roles: Vec<AclLink>,
    /// How many identities of services, nodes and templates it asks for.
    pub identities: usize,
    /// Whether other datacenters do not get it.
    pub local: bool,
    /// How it was logged in.
    pub auth_method: String,
    /// When it is to end.
    pub expiration_time: Option<Timestamp>,
    /// After which time it is to end.
    pub expiration_ttl: Option<GoDuration>,
}

/// What a request says of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclPolicyRequest {
    /// Its id; empty for a new one.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its rules.
    pub rules: String,
    /// Datacenters in which it counts.
    pub datacenters: Vec<String>,
}

/// Says why a body of an ACL endpoint cannot be read. The text is the whole body of Consul's answer, which has status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AclBodyError {
    /// It is no JSON of that kind.
    #[error("{prefix}: {cause}{hint}")]
    Json {
        /// What was read, in Consul's words.
        prefix: &'static str,
        /// What is wrong.
        cause: JsonError,
        /// Why a key is not known, if there is more to say.
        hint: &'static str,
    },
    /// A life is no duration.
    #[error("Token decoding failed: time: invalid duration {}", go_quoted(.0))]
    Duration(String),
    /// An end is no text.
    #[error("Token decoding failed: Time.UnmarshalJSON: input is not a JSON string")]
    TimeType,
    /// An end is no time.
    #[error("Token decoding failed: parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text} as \"2006\"", text = go_quoted(.0))]
    Time(String),
}

fn json_error(prefix: &'static str, cause: JsonError) -> AclBodyError {
    let hint = match &cause {
        JsonError::UnknownField(key) if key == "Namespace" && !prefix.starts_with("Failed") => {
            " - Namespaces are a Consul Enterprise feature"
        }
        _ => "",
    };
    AclBodyError::Json { prefix, cause, hint }
}

/// Reads the body of `PUT /v1/acl/bootstrap`: the `BootstrapSecret`, empty if there is none.
///
/// # Errors
/// [`AclBodyError`] for what is no such request.
///
/// # Security
/// No error repeats the secret.
pub fn decode_bootstrap(body: &[u8]) -> Result<String, AclBodyError> {
    let request = gojson::decode_first::<Bootstrap>(body);
    Ok(request.map_err(|cause| json_error("Request decoding failed", cause))?.bootstrap_secret)
}

/// Reads a body that describes a policy.
///
/// # Errors
/// As for [`decode_bootstrap`].
pub fn decode_policy(body: &[u8]) -> Result<AclPolicyRequest, AclBodyError> {
    gojson::decode_first(body).map_err(|cause| json_error("Policy decoding failed", cause))
}

/// Reads a body that describes a token.
///
/// # Errors
/// As for [`decode_bootstrap`], and for an end or a life that is none.
///
/// # Security
/// No error repeats a secret.
pub fn decode_token(body: &[u8]) -> Result<AclTokenRequest, AclBodyError> {
    let raw: RawToken = gojson::decode_first(body).map_err(|cause| json_error("Token decoding failed", cause))?;
    let RawToken { mut token, time, ttl, services, nodes, templates } = raw;
    token.identities = services + nodes + templates;
    token.expiration_ttl = match ttl {
        Some(Scalar::Text(text)) => {
            let parsed = GoDuration::parse(&text);
            Some(parsed.map_err(|_| AclBodyError::Duration(echo(&text).to_owned()))?)
        }
        // Go turns a float into an integer of nanoseconds.
        Some(Scalar::Number(nanoseconds)) => Some(GoDuration::from_nanos(nanoseconds as i64)),
        Some(Scalar::Other) | None => None,
    };
    token.expiration_time = match time {
        Some(Scalar::Text(text)) => Some(text.parse().map_err(|_| AclBodyError::Time(echo(&text).to_owned()))?),
        Some(Scalar::Number(_) | Scalar::Other) => return Err(AclBodyError::TimeType),
        None => None,
    };
    Ok(token)
}

/// Reads the body of `POST /v1/internal/acl/authorize`.
///
/// # Errors
/// As for [`decode_bootstrap`].
pub fn decode_authorize(body: &[u8]) -> Result<Vec<AclAuthorization>, AclBodyError> {
    gojson::decode_first_list(body).map_err(|cause| json_error("Failed to decode request body", cause))
}

#[derive(Default)]
struct Bootstrap {
    bootstrap_secret: String,
}

impl Struct for Bootstrap {
    const GO_TYPE: &'static str = "structs.BootstrapRequest";
    const FIELDS: &'static [&'static str] = &["BootstrapSecret"];

    fn slot(&mut self, _: &'static str) -> Slot<'_> {
        Slot::Text(&mut self.bootstrap_secret)
    }
}

impl Struct for AclAuthorization {
    const GO_TYPE: &'static str = "structs.ACLAuthorizationRequest";
    const GO_LIST: &'static str = "[]structs.ACLAuthorizationRequest";
    const FIELDS: &'static [&'static str] = &["Resource", "Segment", "Access"];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "Resource" => Slot::NamedText(&mut self.resource, "acl.Resource"),
            "Segment" => Slot::Text(&mut self.segment),
            _ => Slot::Text(&mut self.access),
        }
    }
}

impl Struct for AclLink {
    const GO_TYPE: &'static str = "structs.ACLTokenPolicyLink";
    const GO_LIST: &'static str = "[]structs.ACLTokenPolicyLink";
    const FIELDS: &'static [&'static str] = &["ID", "Name"];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        if field == "ID" { Slot::Text(&mut self.id) } else { Slot::Text(&mut self.name) }
    }
}

impl Struct for AclPolicyRequest {
    const GO_TYPE: &'static str = "struct { Hash string; *structs.Alias }";
    const GO_NAME: Option<&'static str> = Some("");
    const FIELDS: &'static [&'static str] =
        &["ID", "Name", "Description", "Rules", "Datacenters", "Hash", "CreateIndex", "ModifyIndex"];

    fn path(field: &'static str) -> &'static str {
        match field {
            "ID" => "Alias.ID",
            "Name" => "Alias.Name",
            "Description" => "Alias.Description",
            "Rules" => "Alias.Rules",
            "Datacenters" => "Alias.Datacenters",
            other => other,
        }
    }

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "ID" => Slot::Text(&mut self.id),
            "Name" => Slot::Text(&mut self.name),
            "Description" => Slot::Text(&mut self.description),
            "Rules" => Slot::Text(&mut self.rules),
            "Datacenters" => Slot::Texts(&mut self.datacenters),
            // The server's own business, which Go clients send all the same.
            _ => Slot::Ignored,
        }
    }
}

#[derive(Default)]
struct RawToken {
    token: AclTokenRequest,
    time: Option<Scalar>,
    ttl: Option<Scalar>,
    services: usize,
    nodes: usize,
    templates: usize,
}

impl Struct for RawToken {
    const GO_TYPE: &'static str = "struct { ExpirationTTL interface {}; Hash string; *structs.Alias }";
    const GO_NAME: Option<&'static str> = Some("");
    const FIELDS: &'static [&'static str] = &[
        "AccessorID",
        "SecretID",
        "Description",
        "Policies",
        "Roles",
        "ServiceIdentities",
        "NodeIdentities",
        "TemplatedPolicies",
        "Local",
        "AuthMethod",
        "ExpirationTime",
        "ExpirationTTL",
        "CreateTime",
        "Hash",
        "CreateIndex",
        "ModifyIndex",
    ];

    fn path(field: &'static str) -> &'static str {
        match field {
            "AccessorID" => "Alias.AccessorID",
            "SecretID" => "Alias.SecretID",
            "Description" => "Alias.Description",
            "Policies" => "Alias.Policies",
            "Roles" => "Alias.Roles",
            "ServiceIdentities" => "Alias.ServiceIdentities",
            "NodeIdentities" => "Alias.NodeIdentities",
            "TemplatedPolicies" => "Alias.TemplatedPolicies",
            "Local" => "Alias.Local",
            "AuthMethod" => "Alias.AuthMethod",
            other => other,
        }
    }

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "AccessorID" => Slot::Text(&mut self.token.accessor_id),
            "SecretID" => Slot::Text(&mut self.token.secret_id),
            "Description" => Slot::OptionalText(&mut self.token.description),
            "Policies" => Slot::Structs(&mut self.token.policies),
            "Roles" => Slot::Structs(&mut self.token.roles),
            "ServiceIdentities" => Slot::Counted(&mut self.services, "structs.ACLServiceIdentities"),
            "NodeIdentities" => Slot::Counted(&mut self.nodes, "structs.ACLNodeIdentities"),
            "TemplatedPolicies" => Slot::Counted(&mut self.templates, "structs.ACLTemplatedPolicies"),
            "Local" => Slot::Bool(&mut self.token.local),
            "AuthMethod" => Slot::Text(&mut self.token.auth_method),
            "ExpirationTime" => Slot::Scalar(&mut self.time),
            "ExpirationTTL" => Slot::Scalar(&mut self.ttl),
            // The server's own business, which Go clients send all the same.
            _ => Slot::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_policy_or_token_is_refused_in_consuls_words() {
        let policy = |body: &str| decode_policy(body.as_bytes()).unwrap_err().to_string();
        let token = |body: &str| decode_token(body.as_bytes()).err().unwrap().to_string();
        let authorize = |body: &str| decode_authorize(body.as_bytes()).unwrap_err().to_string();
        let bootstrap = |body: &str| decode_bootstrap(body.as_bytes()).unwrap_err().to_string();
        for (got, expected) in [
            (policy(""), "Policy decoding failed: EOF"),
            (policy("abc"), "Policy decoding failed: invalid character 'a' looking for beginning of value"),
            (policy(r#"{"Foo":1}"#), r#"Policy decoding failed: json: unknown field "Foo""#),
            (
                policy(r#"{"Namespace":"x"}"#),
                r#"Policy decoding failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature"#,
            ),
            (
                policy(r#"{"Rules":7}"#),
                "Policy decoding failed: json: cannot unmarshal number into Go struct field .Alias.Rules of type string",
            ),
            (
                policy("[]"),
                "Policy decoding failed: json: cannot unmarshal array into Go value of type struct { Hash string; *structs.Alias }",
            ),
            (token(r#"{"ID":"x"}"#), r#"Token decoding failed: json: unknown field "ID""#),
            (token(r#"{"Policies":[{"Foo":7}]}"#), r#"Token decoding failed: json: unknown field "Foo""#),
            (
                token(r#"{"Policies":7}"#),
                "Token decoding failed: json: cannot unmarshal number into Go struct field .Alias.Policies of type []structs.ACLTokenPolicyLink",
            ),
            (
                token(r#"{"Policies":[7]}"#),
                "Token decoding failed: json: cannot unmarshal number into Go struct field .Alias.Policies of type structs.ACLTokenPolicyLink",
            ),
            (
                token("[]"),
                "Token decoding failed: json: cannot unmarshal array into Go value of type struct { ExpirationTTL interface {}; Hash string; *structs.Alias }",
            ),
            (token(r#"{"ExpirationTTL":"xx"}"#), r#"Token decoding failed: time: invalid duration "xx""#),
            (token(r#"{"ExpirationTTL":""}"#), r#"Token decoding failed: time: invalid duration """#),
            (
                token(r#"{"ExpirationTime":"x"}"#),
                r#"Token decoding failed: parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#,
            ),
            (token(r#"{"ExpirationTime":7}"#), "Token decoding failed: Time.UnmarshalJSON: input is not a JSON string"),
            (
                bootstrap(r#"{"BootstrapSecret":7}"#),
                "Request decoding failed: json: cannot unmarshal number into Go struct field BootstrapRequest.BootstrapSecret of type string",
            ),
            (authorize(""), "Failed to decode request body: EOF"),
            (
                authorize("{}"),
                "Failed to decode request body: json: cannot unmarshal object into Go value of type []structs.ACLAuthorizationRequest",
            ),
            (
                authorize("[7]"),
                "Failed to decode request body: json: cannot unmarshal number into Go value of type structs.ACLAuthorizationRequest",
            ),
            (
                authorize(r#"[{"Resource":7}]"#),
                "Failed to decode request body: json: cannot unmarshal number into Go struct field ACLAuthorizationRequest.Resource of type acl.Resource",
            ),
            (
                token(r#"{"ServiceIdentities":7}"#),
                "Token decoding failed: json: cannot unmarshal number into Go struct field .Alias.ServiceIdentities of type structs.ACLServiceIdentities",
            ),
            (authorize(r#"[{"Namespace":"x"}]"#), r#"Failed to decode request body: json: unknown field "Namespace""#),
        ] {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn what_go_clients_send_is_read() {
        let body = br#"{"CreateIndex":0,"ModifyIndex":0,"AccessorID":"","SecretID":"","Description":"d","Policies":[{"ID":"","Name":"p"}],"Local":true,"ExpirationTTL":"1h0m0s","ExpirationTime":"2027-01-01T00:00:00+01:00","CreateTime":"0001-01-01T00:00:00Z","Hash":null}"#;
        let token = decode_token(body).ok().unwrap();
        assert_eq!(token.description.as_deref(), Some("d"));
        assert_eq!(token.policies, [AclLink { id: String::new(), name: "p".to_owned() }]);
        assert!(token.local && token.identities == 0);
        assert_eq!(token.expiration_ttl.unwrap().to_string(), "1h0m0s");
        assert_eq!(token.expiration_time.unwrap().to_string(), "2026-12-31T23:00:00Z");
        let hours = decode_token(br#"{"ExpirationTTL":3600000000000,"NodeIdentities":[{}]}"#).ok().unwrap();
        assert_eq!((hours.expiration_ttl.unwrap().to_string().as_str(), hours.identities), ("1h0m0s", 1));
        assert!(decode_token(b"null").ok().unwrap() == AclTokenRequest::default());
        assert_eq!(decode_authorize(b"null").unwrap(), []);
        assert_eq!(decode_authorize(br#"[{"resource":"a"},{"Access":"b"}]"#).unwrap().len(), 2);
    }
}
