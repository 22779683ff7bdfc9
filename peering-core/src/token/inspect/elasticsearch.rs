//! Enrollment tokens of Elasticsearch.

use serde::Serialize;

use super::address::{self, Dialer};
use super::code::Code;
use super::finding::Findings;
use super::{Contents, Draft, Kind};
use crate::gojson::base64;
use crate::token::verify::ADDRESSES_MAX;
use crate::wiped::WipedText;

/// Characters of an API key's id, as Elasticsearch draws one.
const KEY_ID_CHARS: usize = 20;
/// Digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 64;

/// What an enrollment token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct EnrollmentContents {
    /// Release of the node that made the token.
    pub version: String,
    /// Where that node listens for HTTPS.
    pub addresses: Vec<String>,
    /// SHA-256 of the certificate of the CA behind HTTPS: a fingerprint.
    #[serde(rename = "CAFingerprint")]
    pub ca_fingerprint: Option<String>,
    /// The public part of the API key.
    #[serde(rename = "KeyID")]
    pub key_id: Option<String>,
    /// Whether there is an API key.
    pub has_secret: bool,
}

/// The keys of the JSON inside.
#[derive(serde::Deserialize)]
struct Read {
    ver: String,
    adr: Vec<String>,
    fgr: String,
    key: WipedText,
}

/// Looks at base64 of JSON with `ver`, `adr`, `fgr` and `key`.
///
/// # Source
/// Elasticsearch 8.14, `EnrollmentToken.java` in `org.elasticsearch.xpack.core.security`.
pub(super) fn look(text: &str, findings: &mut Findings) -> Option<Draft> {
    let json = base64::decode(text).ok()?;
    let read: Read = serde_json::from_slice(&json).ok()?;
    if read.adr.is_empty() {
        findings.add(Code::NoAddresses, "adr is empty");
    } else if read.adr.len() > ADDRESSES_MAX {
        findings.add(Code::TooMany, format!("adr has {} entries; expected at most {ADDRESSES_MAX}", read.adr.len()));
    } else if !address::check("adr", &read.adr, Dialer::Another, findings) {
        findings.add(Code::NoDialable, "adr has no address that anybody could reach");
    }
    let is_digest = read.fgr.len() == FINGERPRINT_DIGITS && read.fgr.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digest {
        let length = read.fgr.chars().count();
        let what = format!("fgr is not {FINGERPRINT_DIGITS} hexadecimal digits: it has {length} characters");
        findings.add(Code::PartMalformed, what);
    }
    let (id, secret) = read.key.split_once(':').unwrap_or_default();
    if secret.is_empty() {
        findings.add(Code::NoSecret, "key is not an API key's id, a colon and its secret");
    }
    findings.add(Code::LifeUnknown, "Elasticsearch takes such a token for 30 minutes after it was made");
    // Whatever has another form could be a part of the secret.
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_public = id.len() == KEY_ID_CHARS && id.chars().all(is_id);
    Some(Draft::of(
        Kind::ElasticsearchEnrollment,
        Contents::Enrollment(EnrollmentContents {
            version: read.ver,
            addresses: read.adr.into_iter().take(ADDRESSES_MAX).collect(),
            ca_fingerprint: is_digest.then_some(read.fgr),
            key_id: is_public.then(|| id.to_owned()),
            has_secret: !secret.is_empty(),
        }),
    ))
}
