//! Who may do what: every handler asks here before it acts.
//!
//! Without access control every actor may do everything, which is why the server then listens on loopback and unix
//! sockets only, and says so in its settings.
//!
//! A token is looked up by the hash of its secret, its policies by their ids, and nothing is remembered but the reading
//! of a policy's rules: a change counts from the next request on, and a wrong token leaves nothing behind.

use std::net::IpAddr;

use peering_core::acl::{
    ANONYMOUS_ACCESSOR, ANONYMOUS_SECRET, Access as Grant, Authorizer, DefaultPolicy, Denial, Resource, Subject,
};
use peering_core::secret::AclSecret;
use peering_core::transition::Origin;
use tracing::warn;
use uuid::Uuid;

use super::acl::{AclError, Found};
use super::refusals::Refused;
use super::{Service, ServiceError};
use crate::config::AclMode;

/// Secrets by which Consul once named built-in rules; presenting one is an error of its own.
const ROOT_SECRETS: [&str; 3] = ["allow", "deny", "manage"];

/// Who asks.
///
/// # Security
/// `Debug` shows that there is a token, not which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// Address of the caller; `None` over a unix socket.
    pub source: Option<IpAddr>,
    /// The token that was presented, never an empty one; without one the caller is anonymous.
    pub token: Option<AclSecret>,
    /// The user of this machine who calls, over a unix socket.
    pub user: Option<u32>,
}

impl Actor {
    /// Returns where the actor is, before it is known who it is.
    pub(super) const fn origin(&self) -> Origin {
        Origin { actor: None, source: self.source, user: self.user }
    }
}

/// What is asked for, in the words of Consul's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// See peerings.
    PeeringRead,
    /// Make, use or delete peerings.
    PeeringWrite,
    /// See what is exported.
    MeshRead,
    /// Change what is exported.
    MeshWrite,
    /// See what operates the cluster.
    OperatorRead,
    /// Change what operates the cluster.
    OperatorWrite,
    /// See how this server is set up, and its metrics.
    AgentRead,
    /// See tokens and policies.
    AclRead,
    /// Change tokens and policies.
    AclWrite,
}

impl Action {
    /// Says whether the audit trail tells of those who may not. A list that shows only what its reader may see is asked
    /// for all day, and refuses nothing.
    const fn is_audited(self) -> bool {
        matches!(self.right(), (Resource::Acl | Resource::Operator, _) | (_, Grant::Write))
    }

    const fn right(self) -> (Resource, Grant) {
        match self {
            Self::PeeringRead => (Resource::Peering, Grant::Read),
            Self::PeeringWrite => (Resource::Peering, Grant::Write),
            Self::MeshRead => (Resource::Mesh, Grant::Read),
            Self::MeshWrite => (Resource::Mesh, Grant::Write),
            Self::OperatorRead => (Resource::Operator, Grant::Read),
            Self::OperatorWrite => (Resource::Operator, Grant::Write),
            Self::AgentRead => (Resource::Agent, Grant::Read),
            Self::AclRead => (Resource::Acl, Grant::Read),
            Self::AclWrite => (Resource::Acl, Grant::Write),
        }
    }
}

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Whether access control is on, and what it says where no rule does.
    pub mode: AclMode,
    /// Name of this server, on which the rules for agents are asked.
    pub node: String,
}

impl Access {
    /// Returns what holds where no rule says anything; without access control, everything is allowed.
    #[must_use]
    pub const fn default_policy(&self) -> DefaultPolicy {
        match self.mode {
            AclMode::Deny => DefaultPolicy::Deny,
            AclMode::Allow | AclMode::Off => DefaultPolicy::Allow,
        }
    }

    /// Returns that in Consul's word.
    #[must_use]
    pub const fn default_word(&self) -> &'static str {
        match self.default_policy() {
            DefaultPolicy::Deny => "deny",
            DefaultPolicy::Allow => "allow",
        }
    }
}

/// Somebody whose token was found, and what it may do.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Public name of the token.
    pub accessor: Uuid,
    authorizer: Authorizer,
    origin: Origin,
}

impl Identity {
    /// Returns whom the events of a change are to name.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Says whether an access to the thing of this name is allowed.
    #[must_use]
    pub fn allows(&self, resource: Resource, name: &str, access: Grant) -> bool {
        self.authorizer.allows(resource, name, access)
    }

    /// Sees to it that an action is allowed on a server of this name.
    ///
    /// # Errors
    /// [`Denial`] if not.
    pub fn require(&self, action: Action, node: &str) -> Result<(), Denial> {
        let (resource, access) = action.right();
        if self.allows(resource, node, access) {
            return Ok(());
        }
        let subject = match self.accessor {
            ANONYMOUS_ACCESSOR => Subject::Anonymous,
            accessor => Subject::Token { accessor: accessor.to_string() },
        };
        let name = (!resource.is_whole()).then(|| node.to_owned());
        Err(Denial { subject, resource, name, access })
    }
}

impl Service {
    /// Returns the rules in force.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// Sees to it that an actor may do something, and returns whom the events of a change are to name.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] if not; [`ServiceError::Acl`] for a token that there is not.
    pub async fn require(&self, actor: &Actor, action: Action) -> Result<Origin, ServiceError> {
        match self.access.mode {
            AclMode::Off => Ok(actor.origin()),
            AclMode::Deny | AclMode::Allow => Ok(self.require_identity(actor, action).await?.origin()),
        }
    }

    /// Sees to it that an actor may do something with tokens or policies, and returns who it is.
    pub(super) async fn require_identity(&self, actor: &Actor, action: Action) -> Result<Identity, ServiceError> {
        let identity = self.identify(actor).await?;
        if let Err(denial) = identity.require(action, &self.access.node) {
            if action.is_audited() {
                self.tally(Refused::of("permission", identity.origin()));
            }
            return Err(denial.into());
        }
        Ok(identity)
    }

    /// Notes a token that there is not: in memory, within bounds, so that wrong tokens fill neither the store nor the log.
    pub(super) fn note_wrong_token(&self, actor: &Actor) {
        self.tally(Refused::of("acl_token", actor.origin()));
        if let Some(times) = self.refusals.note(actor.source, "acl_token") {
            let source = actor.source.map(|source| source.to_string());
            warn!(source, times, "an ACL token was presented that does not exist");
        }
    }

    /// Finds out who an actor is.
    ///
    /// # Errors
    /// [`ServiceError::Acl`] if access control is off, or for a token that there is not or that has ended.
    pub async fn identify(&self, actor: &Actor) -> Result<Identity, ServiceError> {
        if self.access.mode == AclMode::Off {
            return Err(AclError::Disabled.into());
        }
        let anonymous = AclSecret::from_text(ANONYMOUS_SECRET);
        let secret = actor.token.as_ref().unwrap_or(&anonymous);
        if ROOT_SECRETS.contains(&secret.expose()) {
            self.tally(Refused::of("acl_token", actor.origin()));
            return Err(AclError::Root.into());
        }
        let Some(Found { stored, .. }) = self.find_token(secret).await? else {
            self.note_wrong_token(actor);
            return Err(AclError::NotFound.into());
        };
        let policies = self.compiled_policies(&stored.token.policies).await?;
        let authorizer = Authorizer::new(policies, self.access.default_policy());
        let accessor = stored.token.accessor;
        let origin = Origin { actor: Some(accessor), ..actor.origin() };
        Ok(Identity { accessor, authorizer, origin })
    }
}
