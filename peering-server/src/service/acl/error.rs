//! Why something cannot be done with tokens and policies. Where Consul has a text, it is this one.

use jiff::Timestamp;
use peering_core::acl::{EXPIRATION_MIN, PolicyError, RESERVED_PREFIX, RulesError};
use peering_core::duration::GoDuration;
use thiserror::Error;
use uuid::Uuid;

/// Says what is wrong with a request about tokens or policies.
///
/// # Security
/// No variant carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AclError {
    /// Access control is off.
    #[error("ACL support disabled")]
    Disabled,
    /// The presented token does not exist, or has ended.
    #[error("ACL not found")]
    NotFound,
    /// The presented secret is one of those that Consul once gave a meaning.
    #[error("Cannot resolve root ACL")]
    Root,
    /// The token that is asked about does not exist.
    #[error("token does not exist: ACL not found")]
    NoToken,
    /// The policy that is asked about does not exist.
    #[error("Requested policy does not exist: ACL not found")]
    NoPolicy,
    /// What is asked about is named by something that is no id.
    #[error("failed acl {kind} lookup: index error: UUID must be 36 characters")]
    NotAnId {
        /// `token` or `policy`.
        kind: &'static str,
    },
    /// The token to delete does not exist.
    #[error("Cannot find token to delete")]
    NoTokenToDelete,
    /// The policy to delete does not exist.
    #[error("Cannot find policy to delete")]
    NoPolicyToDelete,
    /// The token to delete is named by something that is no id.
    #[error("Accessor ID is missing or an invalid UUID")]
    DeletedAccessor,
    /// The token to change is named by something that is no id.
    #[error("AccessorID is not a valid UUID")]
    UpdatedAccessor,
    /// The token to change does not exist.
    #[error("Cannot find token \"{0}\"")]
    NoTokenToUpdate(Uuid),
    /// The policy to change is named by something that is no id.
    #[error("Policy ID invalid UUID")]
    UpdatedPolicy,
    /// The policy to change does not exist.
    #[error("cannot find policy {0}")]
    NoPolicyToUpdate(Uuid),
    /// The caller's own token cannot be deleted by it.
    #[error("Deletion of the request's authorization token is not permitted")]
    OwnToken,
    /// The anonymous token cannot be deleted.
    #[error("Delete operation not permitted on the anonymous token")]
    AnonymousToken,
    /// A built-in policy cannot be deleted.
    #[error("Delete operation not permitted on the builtin {0} policy")]
    BuiltinPolicy(&'static str),
    /// The rules of a built-in policy cannot be changed.
    #[error("Changing the Rules for the builtin {0} policy is not permitted")]
    BuiltinRules(&'static str),
    /// The datacenters of a built-in policy cannot be changed.
    #[error("Changing the Datacenters of the builtin {0} policy is not permitted")]
    BuiltinDatacenters(&'static str),
    /// The name of a policy is not well formed.
    #[error(transparent)]
    PolicyName(#[from] PolicyError),
    /// There is a policy of that name already.
    #[error("Invalid Policy: A Policy with Name {0:?} already exists")]
    PolicyExists(String),
    /// There is another policy of the new name.
    #[error("Invalid Policy: A policy with name {0:?} already exists")]
    PolicyRenamed(String),
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A text is longer than it may be.
    #[error("{what}: expected at most {max} {unit}, got {got}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// The bound.
        max: usize,
        /// Of what.
        unit: &'static str,
        /// How long it is.
        got: usize,
    },
    /// A given id is none.
    #[error("Invalid Token: {field} - not a valid UUID")]
    GivenId {
        /// `AccessorID` or `SecretID`.
        field: &'static str,
    },
    /// A given id is one of the server's own.
    #[error("Invalid Token: {field} - UUIDs with the prefix {RESERVED_PREFIX:?} are reserved")]
    ReservedId {
        /// `AccessorID` or `SecretID`.
        field: &'static str,
    },
    /// A given id is another token's.
    #[error("Invalid Token: {field} is already in use")]
    IdInUse {
        /// `AccessorID` or `SecretID`.
        field: &'static str,
    },
    /// The policy of a link does not exist.
    #[error("No such ACL policy with name {0:?}")]
    LinkedName(String),
    /// The policy of a link does not exist.
    #[error("No such ACL policy with ID {0:?}")]
    LinkedId(String),
    /// The id of a link is none.
    #[error("Error looking up policy for ID: {0:?}: failed acl policy lookup: index error: UUID must be 36 characters")]
    LinkedNotAnId(String),
    /// The id of a role is none.
    #[error("Error looking up role for ID: {0:?}: failed acl role lookup: index error: UUID must be 36 characters")]
    RoleNotAnId(String),
    /// There are no roles.
    #[error("No such ACL role with {by} {value:?}")]
    Role {
        /// `name` or `ID`.
        by: &'static str,
        /// Which.
        value: String,
    },
    /// Identities of services, nodes and templates do not exist here.
    #[error(
        "ServiceIdentities, NodeIdentities and TemplatedPolicies are not supported by this server; write a policy with the same rules and give it in Policies"
    )]
    Identities,
    /// Tokens are not made by logging in.
    #[error("AuthMethod field is disallowed outside of login")]
    AuthMethod,
    /// How a token was made cannot be changed.
    #[error("Cannot change AuthMethod of {0}")]
    AuthMethodChanged(Uuid),
    /// A life must go forwards.
    #[error("Token Expiration TTL '{0}' should be > 0")]
    NegativeTtl(GoDuration),
    /// An end is given twice.
    #[error("Token Expiration TTL and Expiration Time cannot both be set")]
    TwoEnds,
    /// An end has passed.
    #[error("ExpirationTime cannot be before CreateTime")]
    EndBeforeBegin,
    /// An end is too near.
    #[error("ExpirationTime cannot be less than {} in the future (was {was})", go(EXPIRATION_MIN))]
    EndTooNear {
        /// How near.
        was: GoDuration,
    },
    /// An end is later than any time that can be written.
    #[error("ExpirationTTL cannot be as long as {0}: the end would be after {end}", end = Timestamp::MAX)]
    EndTooFar(GoDuration),
    /// An end cannot be changed.
    #[error("Cannot change expiration time of {0}")]
    EndChanged(Uuid),
    /// A secret cannot be changed.
    #[error("Changing a token's SecretID is not permitted")]
    SecretChanged,
    /// Whether a token is local cannot be changed.
    #[error("Cannot toggle local mode of {0}")]
    LocalChanged(Uuid),
    /// The first management token was handed out already.
    #[error("Permission denied: ACL bootstrap no longer allowed (reset index: {index})")]
    BootstrapOver {
        /// When.
        index: u64,
    },
    /// The given secret has not the form of one. The text is that of Consul's library.
    #[error("{0}")]
    BootstrapForm(&'static str),
    /// The given secret is not that of the first management token.
    #[error(
        "Permission denied: the BootstrapSecret is not the one in the file management-token in the server's data directory"
    )]
    BootstrapSecret,
    /// No secret was given, and the caller is not known to be the server's own user.
    #[error(
        "Permission denied: ACL bootstrap needs the content of the file management-token in the server's data directory as BootstrapSecret, or a call by the server's own user over its unix socket"
    )]
    BootstrapRemote,
}

/// Writes a time as Go does.
fn go(duration: std::time::Duration) -> GoDuration {
    GoDuration::from_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}
