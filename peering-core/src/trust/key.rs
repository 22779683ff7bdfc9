//! Kinds of public keys, and which of them a root may have.

use std::fmt;

use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ED25519,
};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certificate::CertificateError;

/// Fewest bits of an RSA key in a root. Shorter ones are refused by the TLS library too.
pub(super) const RSA_BITS_MIN: usize = 2048;

/// The kind and the strength of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// RSA with a modulus of so many bits; 0 if it is negative.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// NIST P-224.
    EcP224,
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
            Self::EcP224 => f.write_str("EC P-224"),
            Self::EcP256 => f.write_str("EC P-256"),
            Self::EcP384 => f.write_str("EC P-384"),
            Self::EcP521 => f.write_str("EC P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("unknown kind of"),
        }
    }
}

/// The curves that Go knows.
const CURVES: [(Oid<'static>, Key); 4] = [
    (oid!(1.3.132.0.33), Key::EcP224),
    (OID_EC_P256, Key::EcP256),
    (OID_NIST_EC_P384, Key::EcP384),
    (OID_NIST_EC_P521, Key::EcP521),
];

impl Key {
    pub(super) fn of(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, CertificateError> {
        let algorithm = &info.algorithm;
        if algorithm.algorithm == OID_SIG_ED25519 {
            return Ok(Self::Ed25519);
        }
        if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            let known = CURVES.into_iter().find(|(oid, _)| curve.as_ref() == Some(oid));
            return known.map(|(_, key)| key).ok_or(CertificateError::UnsupportedCurve);
        }
        Ok(match info.parsed() {
            Ok(PublicKey::RSA(rsa)) => Self::Rsa { bits: modulus_bits(rsa.modulus) },
            _ => Self::Other,
        })
    }

    pub(super) const fn is_strong(self) -> bool {
        match self {
            Self::Rsa { bits } => bits >= RSA_BITS_MIN,
            Self::EcP256 | Self::EcP384 | Self::EcP521 | Self::Ed25519 => true,
            Self::EcP224 | Self::Other => false,
        }
    }
}

fn modulus_bits(modulus: &[u8]) -> usize {
    if modulus.first().is_none_or(|first| first & 0x80 != 0) {
        return 0;
    }
    let zeros: usize = modulus.iter().map_while(|byte| (*byte == 0).then_some(8)).sum();
    let next = modulus.get(zeros / 8).map_or(0, |byte| byte.leading_zeros());
    8 * modulus.len() - zeros - usize::try_from(next).unwrap_or_default()
}
