//! What is told about the audit trail: where it ends, and what checks its signatures.

use peering_core::audit::Head;

use super::{Service, ServiceError};
use crate::keyring::{Label, PublicKey};

impl Service {
    /// Returns the last line of the audit trail.
    ///
    /// # Errors
    /// [`ServiceError::NoAuditTrail`] if there is none.
    pub fn audit_head(&self) -> Result<Head, ServiceError> {
        self.outbox.audit_head().ok_or(ServiceError::NoAuditTrail)
    }

    /// Returns the public halves of the keys that sign checkpoints; the current one first.
    ///
    /// # Errors
    /// [`ServiceError::Keyring`] if they cannot be derived.
    pub fn audit_keys(&self) -> Result<Vec<PublicKey>, ServiceError> {
        Ok(self.keyring.public_keys(Label::AuditCheckpoint)?)
    }
}
