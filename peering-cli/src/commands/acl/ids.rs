//! Ids of policies, roles and tokens, which people may shorten to a prefix that only one has.

use thiserror::Error;

use crate::client::Client;
use crate::client::acl::policy::Policy;
use crate::client::error::ClientError;
use crate::output::escape::line;

/// Characters of a whole id, which is not looked up.
const ID_CHARS: usize = 36;

/// Ids of the policies that every server has, which their names stand for.
const BUILTIN_POLICIES: [(&str, &str); 2] = [
    ("global-management", "00000000-0000-0000-0000-000000000001"),
    ("builtin/global-read-only", "00000000-0000-0000-0000-000000000002"),
];

/// The token of callers who present none, and its id.
const ANONYMOUS: (&str, &str) = ("anonymous", "00000000-0000-0000-0000-000000000002");

/// Says why an id was not found. The words are Consul's.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum IdError {
    /// The server did not list what there is.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Several ids begin so.
    #[error("Partial {kind} ID is not unique")]
    Ambiguous {
        /// What was looked for.
        kind: &'static str,
    },
    /// No id begins so.
    #[error("No such {kind} ID with prefix: {}", line(prefix))]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// The beginning.
        prefix: String,
    },
    /// A policy was not read by its name.
    #[error("Failed to find policy with name {}: {source}", line(name))]
    PolicyByName {
        /// The name.
        name: String,
        /// Why.
        source: ClientError,
    },
    /// There is no policy of that name.
    #[error("No such policy with name: {}", line(.0))]
    NoSuchPolicy(String),
}

/// Finds a policy's id by the id, its beginning, or the name of a policy that every server has.
///
/// # Errors
/// [`IdError`] if there is none, or several.
pub(super) async fn policy(client: &Client, given: &str) -> Result<String, IdError> {
    if let Some((_, id)) = BUILTIN_POLICIES.iter().find(|(name, id)| given == *name || given == *id) {
        return Ok((*id).to_owned());
    }
    if given.len() == ID_CHARS {
        return Ok(given.to_owned());
    }
    let policies = client.policies().await?.unwrap_or_default();
    only(policies.into_iter().map(|policy| policy.id), given, "policy")
}

/// Finds a role's id by the id or its beginning.
///
/// # Errors
/// [`IdError`] if there is none, or several.
pub(super) async fn role(client: &Client, given: &str) -> Result<String, IdError> {
    if given.len() == ID_CHARS {
        return Ok(given.to_owned());
    }
    let roles = client.roles().await?.unwrap_or_default();
    only(roles.into_iter().map(|role| role.id), given, "role")
}

/// Finds a token's accessor id by the id, its beginning, or `anonymous`.
///
/// # Errors
/// [`IdError`] if there is none, or several.
pub(super) async fn token(client: &Client, given: &str) -> Result<String, IdError> {
    if given == ANONYMOUS.0 {
        return Ok(ANONYMOUS.1.to_owned());
    }
    if given.len() == ID_CHARS {
        return Ok(given.to_owned());
    }
    let tokens = client.tokens().await?.unwrap_or_default();
    only(tokens.iter().map(|entry| entry.token().accessor_id.clone()), given, "token")
}

/// Reads a policy by its name; there may be none.
///
/// # Errors
/// [`IdError::PolicyByName`] if the server does not say.
pub(super) async fn policy_by_name(client: &Client, name: &str) -> Result<Option<Policy>, IdError> {
    client.policy_by_name(name).await.map_err(|source| IdError::PolicyByName { name: name.to_owned(), source })
}

/// Finds a policy's id by the id, its beginning, or its name.
///
/// # Errors
/// [`IdError`] if there is none, or several.
pub(super) async fn policy_by_either(client: &Client, given: Either<'_>) -> Result<String, IdError> {
    match given {
        Either::Id(id) => policy(client, id).await,
        Either::Name(name) => match policy_by_name(client, name).await? {
            Some(policy) => Ok(policy.id),
            None => Err(IdError::NoSuchPolicy(name.to_owned())),
        },
    }
}

/// By what a policy is meant. An id wins over a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Either<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl<'a> Either<'a> {
    /// Takes what the flags `-id` and `-name` give, if they give anything.
    pub(super) fn of(id: Option<&'a str>, name: Option<&'a str>) -> Option<Self> {
        let given = |text: Option<&'a str>| text.filter(|text| !text.is_empty());
        given(id).map(Self::Id).or_else(|| given(name).map(Self::Name))
    }
}

fn only(ids: impl Iterator<Item = String>, prefix: &str, kind: &'static str) -> Result<String, IdError> {
    let mut found = ids.filter(|id| id.starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(IdError::Ambiguous { kind }),
        (None, _) => Err(IdError::Unknown { kind, prefix: prefix.to_owned() }),
    }
}
