//! Bootstrap tokens of Kubernetes.

use serde::Serialize;

use super::code::Code;
use super::finding::Findings;
use super::{Contents, Draft, Kind};

/// Characters of the public part.
const ID_CHARS: usize = 6;
/// Characters of the secret part.
const SECRET_CHARS: usize = 16;
/// Fewest characters of a secret that was cut: with fewer, `secret.yaml` would be a token.
const CUT_SECRET_CHARS_MIN: usize = 8;

/// What a bootstrap token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct BootstrapContents {
    /// The public part, by which the token is listed and deleted.
    #[serde(rename = "TokenID")]
    pub token_id: String,
    /// Whether there is a secret.
    pub has_secret: bool,
}

/// Looks at six characters, a dot, sixteen characters, of `a-z` and `0-9`.
///
/// # Source
/// Kubernetes 1.34, `staging/src/k8s.io/cluster-bootstrap/token/api/types.go`.
pub(super) fn look(text: &str, findings: &mut Findings) -> Option<Draft> {
    let (id, secret) = text.split_once('.').filter(|(id, secret)| {
        id.len() == ID_CHARS
            && (CUT_SECRET_CHARS_MIN..=SECRET_CHARS).contains(&secret.len())
            && is_part(id)
            && is_part(secret)
    })?;
    if secret.len() < SECRET_CHARS {
        let (characters, length) = (text.len(), secret.len());
        let what = format!("its secret part has {length} of {SECRET_CHARS} characters");
        findings.add(Code::Cut, format!("it looks cut off after character {characters}: {what}"));
    }
    findings.add(Code::PinApart, "the pin of the cluster's CA is given apart from it");
    findings.add(Code::LifeUnknown, "kubeadm makes tokens for 24 hours if nothing else is asked for");
    let contents = BootstrapContents { token_id: id.to_owned(), has_secret: !secret.is_empty() };
    Some(Draft::of(Kind::Bootstrap, Contents::Bootstrap(contents)))
}

/// Says whether a text is a whole bootstrap token.
pub(in crate::token) fn is_bootstrap_token(text: &str) -> bool {
    text.split_once('.').is_some_and(|(id, secret)| {
        (id.len(), secret.len()) == (ID_CHARS, SECRET_CHARS) && is_part(id) && is_part(secret)
    })
}

fn is_part(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
