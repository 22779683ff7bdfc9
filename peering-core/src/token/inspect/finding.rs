//! One thing that is to be said about a token.

use serde::Serialize;

use super::code::{Code, Severity};

/// One thing that is to be said about a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Finding {
    /// A stable name for scripts, such as `address-loopback`.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong here; foreign text in it is quoted and cut.
    pub cause: String,
    /// What a person can do about it.
    pub next_step: &'static str,
}

/// What was found so far, in the order in which it was found.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding with its cause.
    pub(super) fn add(&mut self, code: Code, cause: impl Into<String>) {
        self.0.push(Finding { code, severity: code.severity(), cause: cause.into(), next_step: code.next_step() });
    }

    /// Returns them, the worst first.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| finding.severity);
        self.0
    }
}
