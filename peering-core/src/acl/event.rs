//! What happened to tokens and policies, in words that may be logged and kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::transition::Origin;

/// A change of tokens or policies: names only, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEvent {
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked for it.
    #[serde(flatten)]
    pub origin: Origin,
    /// What happened.
    pub acl: AclChange,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AclChange {
    /// The first management token was made at a start.
    ManagementTokenMade {
        /// Its accessor.
        accessor: Uuid,
    },
    /// The first management token was handed out over the API, which happens once.
    Bootstrapped {
        /// Its accessor.
        accessor: Uuid,
    },
    /// A token was made.
    TokenCreated {
        /// Its accessor.
        accessor: Uuid,
    },
    /// A token was changed.
    TokenUpdated {
        /// Its accessor.
        accessor: Uuid,
    },
    /// A token was removed.
    TokenDeleted {
        /// Its accessor.
        accessor: Uuid,
    },
    /// A token that had ended was removed.
    TokenExpired {
        /// Its accessor.
        accessor: Uuid,
    },
    /// A policy was made.
    PolicyCreated {
        /// Its id.
        id: Uuid,
        /// Its name.
        name: String,
    },
    /// A policy was changed.
    PolicyUpdated {
        /// Its id.
        id: Uuid,
        /// Its name now.
        name: String,
    },
    /// A policy was removed.
    PolicyDeleted {
        /// Its id.
        id: Uuid,
        /// The name that it had.
        name: String,
    },
}
