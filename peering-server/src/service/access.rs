//! Who may do what: every handler asks here before it acts.
//!
//! Until access control exists every actor may do everything, which is why the server then listens on loopback and
//! unix sockets only, and says so in its settings.

use thiserror::Error;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Address of the caller; `None` over a unix socket.
    pub source: Option<std::net::IpAddr>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// See peerings.
    PeeringRead,
    /// Make, use or delete peerings.
    PeeringWrite,
    /// See that the server is there.
    StatusRead,
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

impl Access {
    /// Decides whether an actor may do something.
    ///
    /// # Errors
    /// [`Denied`] if not.
    pub const fn decide(&self, _actor: &Actor, _action: Action) -> Result<(), Denied> {
        match self {
            Self::Off => Ok(()),
        }
    }
}
