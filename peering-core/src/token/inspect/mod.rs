//! Inspection: what a token is, what is in it and what is wrong with it, without asking anybody.
//!
//! | file | kind |
//! |---|---|
//! | `peering.rs` | peering tokens, Consul's and ours |
//! | `swarm.rs` | join tokens of Docker Swarm |
//! | `kubeadm.rs` | bootstrap tokens of Kubernetes |
//! | `k3s.rs` | tokens of k3s |
//! | `elasticsearch.rs` | enrollment tokens of Elasticsearch |
//! | `skupper/` | tokens and links of Skupper 1 and 2 |
//!
//! [`Code`] lists every finding, [`Kind`] every kind. No secret of a token reaches a report.

mod address;
mod certificate;
mod code;
mod cut;
mod elasticsearch;
mod finding;
mod k3s;
mod kind;
mod kubeadm;
mod peering;
mod skupper;
mod swarm;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use certificate::CertificateReport;
pub use code::{Code, Severity};
pub use elasticsearch::EnrollmentContents;
pub use finding::Finding;
pub use k3s::K3sContents;
pub(super) use k3s::is_short_k3s_token;
pub use kind::Kind;
pub use kubeadm::BootstrapContents;
pub(super) use kubeadm::is_bootstrap_token;
pub use peering::PeeringContents;
pub use skupper::SkupperContents;
pub use swarm::SwarmContents;

use self::finding::Findings;
use super::consul::{TOKEN_BYTES_MAX, UnverifiedToken};
use super::paste::{self, Mended};

/// Most bytes that are looked at: the longest token, in UTF-16.
pub const INSPECT_BYTES_MAX: usize = 2 * TOKEN_BYTES_MAX;

/// How long before its end a token is said to end soon: time enough to paste it and to try again.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_mins(10);

/// What a text is and what is to be said about it.
///
/// # Security
/// Everything but the secrets. All texts are the token's own: quote them with
/// [`quoted`](crate::foreign::quoted) before a terminal sees them. The texts of [`Finding`] are quoted already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Report {
    /// What the text is.
    pub kind: Kind,
    /// The commands that take such a token.
    pub used_with: Option<&'static str>,
    /// Whether it can be used there, as far as the token itself tells: no finding is an error.
    pub is_usable: bool,
    /// What `establish` would answer instead of dialing, if it is a peering token.
    pub refusal: Option<String>,
    /// What the token holds, if it could be read.
    pub contents: Option<Contents>,
    /// What is odd or wrong, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the severity of the worst finding; nothing if there is none.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.first().map(|finding| finding.severity)
    }
}

/// What a token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Contents {
    /// Of a peering token.
    Peering(Box<PeeringContents>),
    /// Of a Swarm join token.
    Swarm(SwarmContents),
    /// Of a Kubernetes bootstrap token.
    Bootstrap(BootstrapContents),
    /// Of a k3s token.
    K3s(K3sContents),
    /// Of an Elasticsearch enrollment token.
    Enrollment(EnrollmentContents),
    /// Of a Skupper token or link.
    Skupper(Box<SkupperContents>),
}

/// Says what a text is and what is wrong with it, as of a time.
///
/// What people paste around a token is taken off first; see [`paste::clean`].
///
/// # Examples
/// ```
/// use peering_core::token::inspect;
///
/// let report = inspect("abcdef.0123456789abcdef", jiff::Timestamp::UNIX_EPOCH);
/// assert_eq!(report.kind.as_str(), "Kubernetes bootstrap token");
/// assert!(report.is_usable && !format!("{report:?}").contains("0123456789abcdef"));
/// ```
#[must_use]
pub fn inspect(bytes: impl AsRef<[u8]>, now: Timestamp) -> Report {
    let bytes = bytes.as_ref();
    let mut findings = Findings::default();
    if bytes.len() > INSPECT_BYTES_MAX {
        findings.add(Code::TooLong, format!("there are more than {INSPECT_BYTES_MAX} bytes"));
        return Draft::unknown().finish(None, findings);
    }
    let pasted = match paste::clean(bytes) {
        Ok(pasted) => pasted,
        Err(error) => {
            findings.add(Code::NotText, error.to_string());
            return Draft::unknown().finish(None, findings);
        }
    };
    for mended in pasted.mended() {
        findings.add(code_of(*mended), mended.to_string());
    }
    let text = pasted.text();
    let draft = look(text, now, &mut findings);
    if !draft.kind.is_peering() && draft.kind != Kind::Unknown {
        let what = draft.kind.as_str();
        findings.add(
            Code::OtherKind,
            format!("this is a token of another kind ({what}), and `establish` takes peering tokens only"),
        );
    }
    // The errors of the decoder quote a byte of what it reads: of another program's token, that could be a secret's.
    let refusal = draft.kind.is_peering().then(|| match UnverifiedToken::decode(text) {
        Ok(token) => token.verify(now).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    });
    draft.finish(refusal.flatten(), findings)
}

/// A report in the making.
struct Draft {
    kind: Kind,
    contents: Option<Contents>,
}

impl Draft {
    const fn unknown() -> Self {
        Self { kind: Kind::Unknown, contents: None }
    }

    const fn of(kind: Kind, contents: Contents) -> Self {
        Self { kind, contents: Some(contents) }
    }

    fn finish(self, refusal: Option<String>, findings: Findings) -> Report {
        let Self { kind, contents } = self;
        let findings = findings.sorted();
        let is_usable = findings.iter().all(|finding| finding.severity != Severity::Error);
        Report { kind, used_with: kind.used_with(), is_usable, refusal, contents, findings }
    }
}

/// Looks at a text that has nothing around it.
fn look(text: &str, now: Timestamp, findings: &mut Findings) -> Draft {
    if text.is_empty() {
        findings.add(Code::Empty, "there is nothing in it");
        return Draft::unknown();
    }
    if paste::is_document(text) {
        return skupper::look(text, now, findings);
    }
    swarm::look(text, findings)
        .or_else(|| k3s::look(text, findings))
        .or_else(|| kubeadm::look(text, findings))
        .or_else(|| elasticsearch::look(text, findings))
        .or_else(|| peering::look(text, now, findings))
        .unwrap_or_else(|| damaged(text, findings))
}

/// What is no token may be the rest of one.
fn damaged(text: &str, findings: &mut Findings) -> Draft {
    match cut::look(text) {
        Some(damage) => {
            findings.add(if damage.is_cut { Code::Cut } else { Code::Unreadable }, damage.cause);
            Draft { kind: damage.kind, contents: None }
        }
        None => {
            findings.add(Code::Unknown, "it has the form of no token that is known here");
            Draft::unknown()
        }
    }
}

const fn code_of(mended: Mended) -> Code {
    match mended {
        Mended::Utf16 => Code::PastedUtf16,
        Mended::Invisible(_) => Code::PastedInvisible,
        Mended::Blanks(_) => Code::PastedBlanks,
        Mended::Marks(_) | Mended::Quotes => Code::PastedQuotes,
        Mended::Before(_) => Code::PastedBefore,
        Mended::After(_) => Code::PastedAfter,
        Mended::Json => Code::PastedJson,
        Mended::Padding(_) => Code::PastedPadding,
        Mended::Several => Code::SeveralTokens,
    }
}

/// Says whether and when a token ends.
fn check_end(at: Timestamp, now: Timestamp, findings: &mut Findings) {
    if at <= now {
        findings.add(Code::Expired, format!("it expired at {at}; it is {now} here"));
    } else if at.duration_since(now) < EXPIRES_SOON {
        findings.add(Code::ExpiresSoon, format!("it expires at {at}; it is {now} here"));
    }
}

#[cfg(test)]
mod tests;
