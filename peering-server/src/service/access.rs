//! Who may do what: every handler asks here before it acts.
//!
//! Until access control exists every actor may do everything, which is why the server then listens on loopback and
//! unix sockets only, and says so in its settings.

use thiserror::Error;

use super::{Service, ServiceError};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Address of the caller; `None` over a unix socket.
    pub source: Option<std::net::IpAddr>,
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

/// The answer when an action is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Permission denied: {action:?} is not allowed for this caller")]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
}

/// The rules in force.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Access {
    /// Access control is off: everyone may do everything.
    #[default]
    Off,
}

impl Service {
    /// Sees to it that an actor may do something.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] if not.
    pub async fn require(&self, _actor: &Actor, _action: Action) -> Result<(), ServiceError> {
        match self.access {
            Access::Off => Ok(()),
        }
    }
}
