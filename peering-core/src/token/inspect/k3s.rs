//! Tokens of k3s, full and short.

use serde::Serialize;

use super::code::Code;
use super::finding::Findings;
use super::kubeadm::is_bootstrap_token;
use super::{Contents, Draft, Kind};

/// What every full token begins with.
const PREFIX: &str = "K10";
/// Digits of the hash of the CA.
const HASH_DIGITS: usize = 64;
/// Digits of a password that k3s draws.
const PASSWORD_DIGITS: usize = 32;

/// What a k3s token holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct K3sContents {
    /// SHA-256 of the CA: of its PEM text if it is one certificate, else of the root's DER.
    #[serde(rename = "CAHash")]
    pub ca_hash: Option<String>,
    /// The user of a token with a password: `server` or `node`.
    pub username: Option<String>,
    /// The public part of a bootstrap token inside.
    #[serde(rename = "TokenID")]
    pub token_id: Option<String>,
    /// Whether there is a password or the secret of a bootstrap token.
    pub has_secret: bool,
}

/// Looks at `K10<hash>::<user>:<password>`, the same with a bootstrap token, or a password that k3s drew.
///
/// # Source
/// k3s 1.33, `pkg/clientaccess/token.go`, `parseToken`; docs.k3s.io, `k3s token`.
pub(super) fn look(text: &str, findings: &mut Findings) -> Option<Draft> {
    if is_short_k3s_token(text) {
        findings.add(
            Code::NoCaHash,
            "32 hexadecimal digits are what k3s draws as a password; the hash of the CA is missing",
        );
        return Some(draft(K3sContents { has_secret: true, ..K3sContents::default() }, findings));
    }
    let rest = text.strip_prefix(PREFIX)?;
    let Some((hash, credentials)) = rest.split_once("::") else {
        return cut(rest, text, findings);
    };
    let mut contents = K3sContents { has_secret: true, ..K3sContents::default() };
    if hash.is_empty() {
        findings.add(Code::NoCaHash, "the hash of the CA is empty");
    } else if hash.len() == HASH_DIGITS && hash.bytes().all(is_digit) {
        // k3s compares the text, so that a digit in upper case fits nothing.
        contents.ca_hash = Some(hash.to_owned());
    } else {
        let length = hash.chars().count();
        let what =
            format!("its hash is not {HASH_DIGITS} hexadecimal digits in lower case: it has {length} characters");
        findings.add(Code::PartMalformed, what);
    }
    if is_bootstrap_token(credentials) {
        contents.token_id = credentials.split('.').next().map(str::to_owned);
    } else if let Some((user, password)) = credentials.split_once(':') {
        contents.has_secret = !password.is_empty();
        // A user whom k3s does not know could be a part of a password.
        contents.username = matches!(user, "server" | "node").then(|| user.to_owned());
        if password.is_empty() {
            let characters = text.chars().count();
            findings.add(Code::Cut, format!("it looks cut off after character {characters}: its password is missing"));
        }
    } else {
        contents.has_secret = false;
        let characters = text.chars().count();
        let what = "there is neither user:password nor a bootstrap token after the hash";
        findings.add(Code::Cut, format!("it looks cut off after character {characters}: {what}"));
    }
    Some(draft(contents, findings))
}

/// What has nothing behind the hash is cut, or no token of k3s.
fn cut(rest: &str, text: &str, findings: &mut Findings) -> Option<Draft> {
    let hash = rest.strip_suffix(':').unwrap_or(rest);
    if hash.len() > HASH_DIGITS || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let what = format!("its hash has {} of {HASH_DIGITS} digits, and what follows is missing", hash.len());
    findings.add(Code::Cut, format!("it looks cut off after character {}: {what}", text.len()));
    Some(Draft { kind: Kind::K3s, contents: None })
}

fn draft(contents: K3sContents, findings: &mut Findings) -> Draft {
    let cause = match contents.token_id {
        Some(_) => "k3s makes bootstrap tokens for 24 hours if nothing else is asked for",
        None => "a token with a password holds until it is rotated",
    };
    findings.add(Code::LifeUnknown, cause);
    Draft::of(Kind::K3s, Contents::K3s(contents))
}

/// Says whether a text is a password as k3s draws one: sixteen bytes in hexadecimal.
pub(in crate::token) fn is_short_k3s_token(text: &str) -> bool {
    text.len() == PASSWORD_DIGITS && text.bytes().all(is_digit)
}

const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
