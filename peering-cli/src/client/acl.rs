//! The calls about access control: bootstrap, policies, tokens, and the ids that stand for them.

pub(crate) mod policy;
pub(crate) mod token;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::policy::{Policy, PolicyListEntry, RoleListEntry};
use self::token::{ExpandedToken, Token, TokenListEntry};
use super::{Client, form_encoded, from_body, path_below, to_body};
use crate::args::hidden::HiddenText;
use crate::client::error::ClientError;

const BOOTSTRAP: &str = "/v1/acl/bootstrap";
const POLICIES: &str = "/v1/acl/policies";
const POLICY: &str = "/v1/acl/policy";
const POLICY_NAME: &str = "/v1/acl/policy/name";
const ROLES: &str = "/v1/acl/roles";
const TOKENS: &str = "/v1/acl/tokens";
const TOKEN: &str = "/v1/acl/token";

/// What a bootstrap may carry.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BootstrapRequest<'a> {
    bootstrap_secret: &'a str,
}

impl Client {
    /// Makes the first token with all rights. Without a secret nothing is sent but the request itself.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn acl_bootstrap(&self, secret: Option<&HiddenText>) -> Result<Token, ClientError> {
        let request =
            secret.map(|secret| to_body(&BootstrapRequest { bootstrap_secret: secret.expose() })).transpose()?;
        from_body(&self.call(Method::PUT, BOOTSTRAP, request).await?.body)
    }

    /// Makes a policy.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn create_policy(&self, policy: &Policy) -> Result<Policy, ClientError> {
        self.put(POLICY, policy).await
    }

    /// Changes the policy that has the same id.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn update_policy(&self, policy: &Policy) -> Result<Policy, ClientError> {
        self.put(&below(POLICY, &policy.id)?, policy).await
    }

    /// Reads a policy by its id.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn policy(&self, id: &str) -> Result<Policy, ClientError> {
        self.get(&below(POLICY, id)?).await
    }

    /// Reads a policy by its name; there may be none.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn policy_by_name(&self, name: &str) -> Result<Option<Policy>, ClientError> {
        // Consul's server decodes this step twice, once as part of a path and once as part of a form.
        match self.get(&below(POLICY_NAME, &form_encoded(name))?).await {
            Ok(policy) => Ok(Some(policy)),
            Err(ClientError::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists all policies; a server may answer `null`.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn policies(&self) -> Result<Option<Vec<PolicyListEntry>>, ClientError> {
        self.get(POLICIES).await
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn delete_policy(&self, id: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &below(POLICY, id)?, None).await.map(|_| ())
    }

    /// Lists all roles, which a real Consul has.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn roles(&self) -> Result<Option<Vec<RoleListEntry>>, ClientError> {
        self.get(ROLES).await
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn create_token(&self, token: &Token) -> Result<Token, ClientError> {
        self.put(TOKEN, token).await
    }

    /// Changes the token that has the same accessor id.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn update_token(&self, token: &Token) -> Result<Token, ClientError> {
        self.put(&below(TOKEN, &token.accessor_id)?, token).await
    }

    /// Reads a token by its accessor id; `self` is the token of the call.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn token(&self, accessor_id: &str) -> Result<Token, ClientError> {
        self.get(&below(TOKEN, accessor_id)?).await
    }

    /// Reads a token with the policies and roles that it is linked to.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn expanded_token(&self, accessor_id: &str) -> Result<ExpandedToken, ClientError> {
        let query = self.query_with(Some(("expanded", "true".to_owned())));
        let tail = format!("{}{query}", below(TOKEN, accessor_id)?);
        from_body(&self.connection.call(Method::GET, &tail, None).await?.body)
    }

    /// Lists all tokens; a server may answer `null`.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn tokens(&self) -> Result<Option<Vec<TokenListEntry>>, ClientError> {
        self.get(TOKENS).await
    }

    /// Deletes a token.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn delete_token(&self, accessor_id: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &below(TOKEN, accessor_id)?, None).await.map(|_| ())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        from_body(&self.call(Method::GET, path, None).await?.body)
    }

    async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        from_body(&self.call(Method::PUT, path, Some(to_body(body)?)).await?.body)
    }
}

fn below(parent: &str, step: &str) -> Result<String, ClientError> {
    path_below(parent, step).ok_or_else(|| ClientError::UnaddressableId { id: step.to_owned() })
}
