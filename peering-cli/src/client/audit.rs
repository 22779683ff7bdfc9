//! Calls about the audit trail, which a server of ours alone answers.

use peering_core::api::audit::{AuditHead, AuditKey};
use reqwest::Method;

use super::error::ClientError;
use super::{Client, from_body};

impl Client {
    /// Asks for the public halves of the keys that sign checkpoints.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn audit_keys(&self) -> Result<Vec<AuditKey>, ClientError> {
        from_body(&self.call(Method::GET, "/v1/peering-audit/key", None).await?.body)
    }

    /// Asks where the trail ends.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn audit_head(&self) -> Result<AuditHead, ClientError> {
        from_body(&self.call(Method::GET, "/v1/peering-audit/head", None).await?.body)
    }
}
