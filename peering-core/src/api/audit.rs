//! The JSON of what is asked about an audit trail. Ours alone: Consul has nothing like it.

use serde::{Deserialize, Serialize};

use crate::audit::LineHash;

/// A key that signs checkpoints, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuditKey {
    /// Its public name.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whether it signs today.
    #[serde(rename = "Current")]
    pub is_current: bool,
    /// Its public half: a `SubjectPublicKeyInfo` in base64.
    pub public_key: String,
}

/// The last line of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuditHead {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: LineHash,
}
