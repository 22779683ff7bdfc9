//! What is to be said about each certificate in a token.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::code::Code;
use super::finding::Findings;
use crate::foreign::quoted;
use crate::trust::{CaCertificate, CaDigest, CaPin, Unusable};

/// How long before its end a certificate is said to end soon: time enough to have it renewed by people.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A certificate in a token. Everything but place and problem is absent if it cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CertificateReport {
    /// Where it stands in the token, such as `CA entry 0`.
    pub place: String,
    /// Whom the certificate names.
    pub subject: Option<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// When it begins to be valid.
    pub not_before: Option<Timestamp>,
    /// When it stops being valid.
    pub not_after: Option<Timestamp>,
    /// Kind and strength of its key, such as `EC P-256`.
    pub key: Option<String>,
    /// Algorithm of its signature, such as `ecdsa-with-SHA256`.
    pub signature: Option<String>,
    /// Digest of a CA bundle that holds it alone, as a Swarm join token carries it.
    pub digest: Option<CaDigest>,
    /// Pin of its public key, as kubeadm takes it.
    pub pin: Option<CaPin>,
    /// SHA-256 of the certificate: 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// Whether it is the certificate of a CA.
    #[serde(rename = "IsCA")]
    pub is_ca: Option<bool>,
    /// Whether it may be trusted as a root now.
    pub is_usable_root: Option<bool>,
    /// The trust domain of its SPIFFE URI.
    pub trust_domain: Option<String>,
    /// Why it is not good for what it is there for; nothing if it is.
    pub problem: Option<String>,
}

/// What a certificate is in a token for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To be trusted.
    Root,
    /// To be shown to the other side.
    Own,
}

/// Reads and judges a certificate in PEM.
pub(super) fn report(
    place: String,
    role: Role,
    pem: &str,
    now: Timestamp,
    findings: &mut Findings,
) -> CertificateReport {
    let certificate = match CaCertificate::parse(pem) {
        Ok(certificate) => certificate,
        Err(error) => {
            findings.add(Code::CertificateUnreadable, format!("{place} is not a certificate: {error}"));
            return CertificateReport { place, problem: Some(error.to_string()), ..CertificateReport::default() };
        }
    };
    let usable = certificate.usable_at(now);
    let problem = match role {
        Role::Root => usable.err(),
        Role::Own => certificate.valid_at(now).err(),
    };
    let subject = quoted(certificate.subject());
    match &problem {
        Some(reason) => {
            let what = if role == Role::Root { " is not trusted" } else { " is not good" };
            findings.add(code(reason), format!("{place} with subject {subject}{what}: it {reason}"));
        }
        None if certificate.not_after() < now.saturating_add(ENDS_SOON).unwrap_or(Timestamp::MAX) => {
            let cause = format!("{place} with subject {subject} ends at {}", certificate.not_after());
            findings.add(Code::CertificateEndsSoon, cause);
        }
        None => {}
    }
    // What a program shows of itself is a chain as a rule.
    if role == Role::Root && certificate.has_more() {
        let cause = format!("{place} has more than one certificate; only the first is looked at");
        findings.add(Code::CertificateExtra, cause);
    }
    CertificateReport {
        place,
        subject: Some(certificate.subject().to_owned()),
        issuer: Some(certificate.issuer().to_owned()),
        not_before: Some(certificate.not_before()),
        not_after: Some(certificate.not_after()),
        key: Some(certificate.key().to_string()),
        signature: Some(certificate.signature().to_owned()),
        digest: Some(certificate.digest()),
        pin: Some(certificate.pin()),
        fingerprint: Some(certificate.fingerprint()),
        is_ca: Some(certificate.is_ca()),
        is_usable_root: Some(usable.is_ok()),
        trust_domain: certificate.spiffe_trust_domain().map(str::to_owned),
        problem: problem.map(|reason| reason.to_string()),
    }
}

const fn code(reason: &Unusable) -> Code {
    match reason {
        Unusable::NotACa => Code::CertificateNotCa,
        Unusable::MayNotSign => Code::CertificateMayNotSign,
        Unusable::WeakKey { .. } => Code::CertificateWeakKey,
        Unusable::NotYetValid { .. } => Code::CertificateEarly,
        Unusable::Expired { .. } => Code::CertificateExpired,
    }
}
