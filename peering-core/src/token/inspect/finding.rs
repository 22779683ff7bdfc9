//! One thing that is to be said about a token.

use serde::Serialize;

/// How bad a finding is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The token cannot be used.
    Error,
    /// The token may fail where it is used.
    Warning,
    /// Worth knowing.
    Info,
}

/// One thing that is to be said about a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Finding {
    /// A stable name for scripts, such as `address-loopback`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong; foreign text in it is quoted and cut.
    pub message: String,
    /// What a person can do about it.
    pub next_step: &'static str,
}

impl Finding {
    pub(super) fn error(code: &'static str, message: impl Into<String>, next_step: &'static str) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), next_step }
    }

    pub(super) fn warning(code: &'static str, message: impl Into<String>, next_step: &'static str) -> Self {
        Self { code, severity: Severity::Warning, message: message.into(), next_step }
    }

    pub(super) fn info(code: &'static str, message: impl Into<String>, next_step: &'static str) -> Self {
        Self { code, severity: Severity::Info, message: message.into(), next_step }
    }
}
