//! What is to be said about each entry of `CA`.

use jiff::Timestamp;
use serde::Serialize;

use super::finding::Finding;
use crate::foreign::quoted;
use crate::token::verify::CA_ENTRIES_MAX;
use crate::trust::CaCertificate;

/// An entry of `CA`. Everything but the problem is absent if the entry is no certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CertificateReport {
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
    /// SHA-256 of the certificate: 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// The trust domain of its SPIFFE URI.
    pub trust_domain: Option<String>,
    /// Why it is not trusted; nothing if it is.
    pub problem: Option<String>,
}

/// Reads and judges the entries, at most [`CA_ENTRIES_MAX`] of them.
pub(super) fn reports(entries: &[String], now: Timestamp, findings: &mut Vec<Finding>) -> Vec<CertificateReport> {
    entries.iter().take(CA_ENTRIES_MAX).enumerate().map(|(index, pem)| report(index, pem, now, findings)).collect()
}

fn report(index: usize, pem: &str, now: Timestamp, findings: &mut Vec<Finding>) -> CertificateReport {
    let certificate = match CaCertificate::parse(pem) {
        Ok(certificate) => certificate,
        Err(error) => {
            let message = format!("CA entry {index} is not a certificate: {error}");
            findings.push(Finding::error("root-unreadable", message, "generate a new token, or copy it again whole"));
            return CertificateReport { problem: Some(error.to_string()), ..CertificateReport::default() };
        }
    };
    let problem = certificate.usable_at(now).err().map(|reason| reason.to_string());
    if let Some(reason) = &problem {
        let message =
            format!("CA entry {index} with subject {} is not trusted: it {reason}", quoted(certificate.subject()));
        findings.push(Finding::warning(
            "root-unusable",
            message,
            "nothing, if another root is usable; else generate a new token",
        ));
    }
    if certificate.has_more() {
        let message = format!("CA entry {index} has more than one certificate; only the first is trusted");
        findings.push(Finding::warning("root-extra", message, "put each root in an entry of its own"));
    }
    CertificateReport {
        subject: Some(certificate.subject().to_owned()),
        issuer: Some(certificate.issuer().to_owned()),
        not_before: Some(certificate.not_before()),
        not_after: Some(certificate.not_after()),
        key: Some(certificate.key().to_string()),
        fingerprint: Some(certificate.fingerprint()),
        trust_domain: certificate.spiffe_trust_domain().map(str::to_owned),
        problem,
    }
}
