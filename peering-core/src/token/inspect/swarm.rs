//! Join tokens of Docker Swarm.

use serde::Serialize;

use super::code::Code;
use super::finding::Findings;
use super::{Contents, Draft, Kind};
use crate::trust::{CaDigest, base36};

/// Characters of a digest.
const DIGEST_CHARS: usize = 50;
/// Characters of a secret.
const SECRET_CHARS: usize = 25;

/// What a join token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SwarmContents {
    /// 1 or 2.
    pub version: u8,
    /// Digest of the root CA bundle that the manager serves.
    #[serde(rename = "CADigest")]
    pub ca_digest: Option<CaDigest>,
    /// Whether every node must run in FIPS mode.
    pub is_fips: bool,
    /// Whether there is a secret.
    pub has_secret: bool,
}

/// Looks at `SWMTKN-1-<digest>-<secret>` or `SWMTKN-2-<0 or 1>-<digest>-<secret>`.
///
/// # Source
/// moby/swarmkit `ca/config.go` of 2026, `ParseJoinToken`; Docker Engine 20.10 and 28 print such tokens.
pub(super) fn look(text: &str, findings: &mut Findings) -> Option<Draft> {
    let rest = text.strip_prefix("SWMTKN-")?;
    let (version, is_fips, rest) = match rest.split_at_checked(2) {
        Some(("1-", rest)) => (1, false, rest),
        Some(("2-", rest)) => match rest.split_at_checked(2) {
            Some(("0-", rest)) => (2, false, rest),
            Some(("1-", rest)) => (2, true, rest),
            _ if rest.len() < 2 => return Some(cut(text, "within its version", findings)),
            _ => return Some(wrong("after version 2 there is neither 0 nor 1", findings)),
        },
        None => return Some(cut(text, "within its version", findings)),
        Some(_) => return Some(wrong("its version is neither 1 nor 2", findings)),
    };
    let Some((digest, secret)) = rest.split_once('-') else {
        let what = format!("its digest has {} of {DIGEST_CHARS} characters, and its secret is missing", rest.len());
        let is_short = rest.len() <= DIGEST_CHARS;
        return Some(if is_short { cut(text, &what, findings) } else { wrong(&what, findings) });
    };
    let ca_digest = CaDigest::parse_base36(digest);
    if ca_digest.is_none() {
        let length = digest.chars().count();
        findings.add(
            Code::PartMalformed,
            format!(
                "its digest is not {DIGEST_CHARS} characters of 0-9 and a-z that stand for 256 bits: it has {length}"
            ),
        );
    }
    if secret.len() < SECRET_CHARS {
        cut(text, &format!("its secret has {} of {SECRET_CHARS} characters", secret.len()), findings);
    } else if secret.len() > SECRET_CHARS || base36::<16>(secret).is_none() {
        let length = secret.chars().count();
        findings.add(
            Code::PartMalformed,
            format!(
                "its secret is not {SECRET_CHARS} characters of 0-9 and a-z that stand for 128 bits: it has {length}"
            ),
        );
    }
    if is_fips {
        findings.add(Code::Fips, "the swarm takes only nodes in FIPS mode");
    }
    findings.add(Code::RoleUnknown, "whether it makes a worker or a manager only the swarm knows");
    findings.add(Code::LifeUnknown, "it holds until it is rotated, or the root CA is");
    let contents = SwarmContents { version, ca_digest, is_fips, has_secret: !secret.is_empty() };
    Some(Draft::of(Kind::SwarmJoin, Contents::Swarm(contents)))
}

fn cut(text: &str, what: &str, findings: &mut Findings) -> Draft {
    let characters = text.chars().count();
    findings.add(Code::Cut, format!("it looks cut off after character {characters}: {what}"));
    Draft { kind: Kind::SwarmJoin, contents: None }
}

fn wrong(what: &str, findings: &mut Findings) -> Draft {
    findings.add(Code::PartMalformed, what);
    Draft { kind: Kind::SwarmJoin, contents: None }
}
