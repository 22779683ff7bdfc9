//! Who may do what: every handler asks here before it acts.
//!
//! Without access control every actor may do everything, which is why the server then listens on loopback and unix
//! sockets only, and says so in its settings.

use std::net::IpAddr;

use peering_core::secret::AclSecret;
use thiserror::Error;

use super::{Service, ServiceError};
use crate::config::AclMode;

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
pub struct Access {
    /// Whether access control is on, and what it says where no rule does.
    pub mode: AclMode,
    /// Name of this server, on which the rules for agents are asked.
    pub node: String,
}

impl Service {
    /// Sees to it that an actor may do something.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] if not.
    pub async fn require(&self, _actor: &Actor, action: Action) -> Result<(), ServiceError> {
        match self.access.mode {
            AclMode::Off => Ok(()),
            AclMode::Deny | AclMode::Allow => Err(Denied { action }.into()),
        }
    }
}
