//! One certificate of a CA: read once, kept parsed, asked whether it may be a root now.

use std::fmt;
use std::io::Cursor;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::PEMError;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ED25519,
};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Fewest bits of an RSA key in a root. Shorter ones are refused by the TLS library too.
const RSA_BITS_MIN: usize = 2048;

/// What begins every PEM block.
const PEM_BEGIN: &str = "-----BEGIN ";

/// Says why a text is not a certificate. The texts are Consul's, after `peering token invalid CA: `.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no PEM block, or none that is whole.
    #[error("no PEM-encoded data found")]
    NoPem,
    /// The first PEM block is something else.
    #[error("first PEM-block should be CERTIFICATE type")]
    NotACertificate,
    /// The block does not hold an X.509 certificate.
    #[error("x509: malformed certificate")]
    Malformed,
}

/// Says why a certificate must not be a root. The texts complete "it …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unusable {
    /// Its basic constraints do not say that it is a CA.
    #[error("is not the certificate of a CA")]
    NotACa,
    /// Its key usage does not allow it to sign certificates.
    #[error("may not sign certificates by its key usage")]
    MayNotSign,
    /// Its key is too weak, or of a kind that is not known to be strong.
    #[error("has a {key} key; expected RSA of at least {RSA_BITS_MIN} bits, EC P-256, P-384 or P-521, or Ed25519")]
    WeakKey {
        /// The key.
        key: Key,
    },
    /// Its time has not come.
    #[error("is not valid before {not_before}; compare the clocks of both clusters")]
    NotYetValid {
        /// When it begins.
        not_before: Timestamp,
    },
    /// Its time is over.
    #[error("expired at {not_after}")]
    Expired {
        /// When it ended.
        not_after: Timestamp,
    },
}

/// The kind and the strength of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// RSA with a modulus of so many bits, to the next lower byte.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// NIST P-256.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// NIST P-521.
    EcP521,
    /// Ed25519.
    Ed25519,
    /// Any other.
    Other,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits} bit"),
            Self::EcP256 => f.write_str("EC P-256"),
            Self::EcP384 => f.write_str("EC P-384"),
            Self::EcP521 => f.write_str("EC P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("short or unknown"),
        }
    }
}

impl Key {
    fn of(info: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = &info.algorithm;
        if algorithm.algorithm == OID_SIG_ED25519 {
            return Self::Ed25519;
        }
        if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            return match curve {
                Some(curve) if curve == OID_EC_P256 => Self::EcP256,
                Some(curve) if curve == OID_NIST_EC_P384 => Self::EcP384,
                Some(curve) if curve == OID_NIST_EC_P521 => Self::EcP521,
                _ => Self::Other,
            };
        }
        match info.parsed() {
            Ok(PublicKey::RSA(rsa)) => Self::Rsa { bits: rsa.key_size() },
            _ => Self::Other,
        }
    }

    const fn is_strong(self) -> bool {
        match self {
            Self::Rsa { bits } => bits >= RSA_BITS_MIN,
            Self::EcP256 | Self::EcP384 | Self::EcP521 | Self::Ed25519 => true,
            Self::Other => false,
        }
    }
}

/// A certificate from outside that parses. It is not trusted because it exists: ask [`Self::usable_at`].
///
/// # Security
/// Subject, issuer and trust domain are foreign text; quote them before a person sees them.
#[derive(Clone, PartialEq, Eq)]
pub struct CaCertificate {
    pem: String,
    der: Vec<u8>,
    has_more: bool,
    subject: String,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    key: Key,
    is_ca: bool,
    may_sign: bool,
    spiffe_trust_domain: Option<String>,
}

impl CaCertificate {
    /// Reads the first PEM block of a text, as Consul does; text around the block is dropped.
    ///
    /// # Errors
    /// [`CertificateError`] if there is no whole block, it is not a `CERTIFICATE`, or holds something else.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        let Block { label, der, text: block, rest } = Block::first(text).ok_or(CertificateError::NoPem)?;
        if label != "CERTIFICATE" {
            return Err(CertificateError::NotACertificate);
        }
        let has_more = Block::first(rest).is_some();
        let pem = if block.ends_with('\n') { block.to_owned() } else { format!("{block}\n") };
        Self::of_der(pem, der, has_more).ok_or(CertificateError::Malformed)
    }

    fn of_der(pem: String, der: Vec<u8>, has_more: bool) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let is_ca = certificate.basic_constraints().ok()?.is_some_and(|extension| extension.value.ca);
        let may_sign = certificate.key_usage().ok()?.is_none_or(|extension| extension.value.key_cert_sign());
        let names = certificate.subject_alternative_name().ok()?;
        let spiffe_trust_domain = names.iter().flat_map(|names| &names.value.general_names).find_map(spiffe_domain);
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: timestamp(certificate.validity().not_before),
            not_after: timestamp(certificate.validity().not_after),
            key: Key::of(certificate.public_key()),
            pem,
            is_ca,
            may_sign,
            spiffe_trust_domain,
            has_more,
            der,
        })
    }

    /// Says whether this may be a root at a time; both ends of its validity count.
    ///
    /// # Errors
    /// [`Unusable`], the first reason in the order of its variants.
    pub fn usable_at(&self, now: Timestamp) -> Result<(), Unusable> {
        self.usable_ever()?;
        if now < self.not_before {
            Err(Unusable::NotYetValid { not_before: self.not_before })
        } else if now > self.not_after {
            Err(Unusable::Expired { not_after: self.not_after })
        } else {
            Ok(())
        }
    }

    /// Says whether this may be a root at any time.
    pub(super) const fn usable_ever(&self) -> Result<(), Unusable> {
        if !self.is_ca {
            Err(Unusable::NotACa)
        } else if !self.may_sign {
            Err(Unusable::MayNotSign)
        } else if !self.key.is_strong() {
            Err(Unusable::WeakKey { key: self.key })
        } else {
            Ok(())
        }
    }

    /// Returns the PEM block, ending in a line break.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the certificate in DER, as TLS libraries take it.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Says whether another PEM block followed in the same text. It is not part of this certificate.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Returns the distinguished name of the subject, such as `CN=pri-1a2b.consul.ca`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the distinguished name of the issuer; the subject's if the certificate is a root.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns when the certificate begins to be valid.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Returns when the certificate stops being valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Returns the kind and strength of the key.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// Returns the trust domain of the certificate's SPIFFE URI, without `spiffe://`.
    #[must_use]
    pub fn spiffe_trust_domain(&self) -> Option<&str> {
        self.spiffe_trust_domain.as_deref()
    }

    /// Returns the SHA-256 of the DER: 64 lower-case hexadecimal digits, for people to compare.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.der).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for CaCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaCertificate({})", self.fingerprint())
    }
}

/// A PEM block: its label, what it holds, its own text and what follows it.
struct Block<'a> {
    label: String,
    der: Vec<u8>,
    text: &'a str,
    rest: &'a str,
}

impl<'a> Block<'a> {
    /// Finds the first whole block; a broken one before it is passed over.
    fn first(text: &'a str) -> Option<Self> {
        let mut reader = Cursor::new(text);
        loop {
            let start = position(&reader);
            match Pem::read(&mut reader) {
                Ok((Pem { label, contents: der }, _)) => {
                    let (passed, rest) = text.split_at(position(&reader));
                    let block = &passed[start + line_start(&passed[start..], PEM_BEGIN)?..];
                    let last = block.lines().last()?.trim_end();
                    if last == format!("-----END {label}-----") {
                        return Some(Self { label, der, text: block, rest });
                    }
                }
                Err(PEMError::MissingHeader) => return None,
                Err(_) => {}
            }
        }
    }
}

fn position(reader: &Cursor<&str>) -> usize {
    usize::try_from(reader.position()).unwrap_or(usize::MAX)
}

/// Finds the first line that begins so.
fn line_start(text: &str, begin: &str) -> Option<usize> {
    text.match_indices(begin).map(|(at, _)| at).find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
}

fn spiffe_domain(name: &GeneralName<'_>) -> Option<String> {
    let GeneralName::URI(uri) = name else { return None };
    let domain = uri.strip_prefix("spiffe://")?;
    Some(domain.split('/').next().unwrap_or_default().to_ascii_lowercase())
}

/// The last years that X.509 can name are beyond what a timestamp holds; the end of time serves as well.
fn timestamp(time: ASN1Time) -> Timestamp {
    let limit = if time.timestamp() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(time.timestamp()).unwrap_or(limit)
}
