//! One certificate of a CA: read once, kept parsed, asked whether it may be a root now.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::key::{Key, RSA_BITS_MIN};
use super::pem::Block;
use super::pin::{CaDigest, CaPin};

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
    /// Something follows the certificate in its block.
    #[error("x509: trailing data")]
    TrailingData,
    /// The key is on an elliptic curve that Go does not know.
    #[error("x509: unsupported elliptic curve")]
    UnsupportedCurve,
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
    pin: CaPin,
    signature: String,
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
        let Block { label, contents, text: block, rest } = Block::first(text).ok_or(CertificateError::NoPem)?;
        if label != "CERTIFICATE" {
            return Err(CertificateError::NotACertificate);
        }
        let has_more = Block::first(rest).is_some();
        let pem = if block.ends_with('\n') { block.to_owned() } else { format!("{block}\n") };
        Self::of_der(pem, contents, has_more)
    }

    fn of_der(pem: String, der: Vec<u8>, has_more: bool) -> Result<Self, CertificateError> {
        const MALFORMED: CertificateError = CertificateError::Malformed;
        let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| MALFORMED)?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingData);
        }
        let constraints = certificate.basic_constraints().map_err(|_| MALFORMED)?;
        let is_ca = constraints.is_some_and(|extension| extension.value.ca);
        let usage = certificate.key_usage().map_err(|_| MALFORMED)?;
        let may_sign = usage.is_none_or(|extension| extension.value.key_cert_sign());
        let names = certificate.subject_alternative_name().map_err(|_| MALFORMED)?;
        let spiffe_trust_domain = names.iter().flat_map(|names| &names.value.general_names).find_map(spiffe_domain);
        let algorithm = certificate.signature_algorithm.oid();
        let signature = oid2sn(algorithm, oid_registry()).map_or_else(|_| algorithm.to_id_string(), str::to_owned);
        Ok(Self {
            signature,
            pin: CaPin::of_public_key(certificate.public_key().raw),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: timestamp(certificate.validity().not_before),
            not_after: timestamp(certificate.validity().not_after),
            key: Key::of(certificate.public_key())?,
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
        self.valid_at(now)
    }

    /// Says whether a time lies within its validity, whatever it is for.
    pub(crate) fn valid_at(&self, now: Timestamp) -> Result<(), Unusable> {
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

    /// Returns the algorithm of its signature, by the name that OpenSSL and RFCs give it, else by its number.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Says whether its basic constraints make it the certificate of a CA.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Returns the SHA-256 of its public key, which people pin.
    #[must_use]
    pub const fn pin(&self) -> CaPin {
        self.pin
    }

    /// Returns the digest of a bundle that holds this certificate alone.
    #[must_use]
    pub fn digest(&self) -> CaDigest {
        CaDigest::of_bundle(&self.pem)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trust::fixtures::{self, at};

    #[test]
    fn every_verdict_on_a_text_is_consuls() {
        #[derive(serde::Deserialize)]
        struct Verdict {
            case: String,
            pem: String,
            consul: Option<String>,
        }
        let verdicts = include_str!("../../../tests/data/certificates/consul-verdicts.jsonl");
        assert!(verdicts.lines().count() > 30);
        for line in verdicts.lines() {
            let Verdict { case, pem, consul } = serde_json::from_str(line).unwrap();
            assert_eq!(CaCertificate::parse(&pem).err().map(|error| error.to_string()), consul, "{case}");
        }
    }

    #[test]
    fn the_block_alone_is_kept_and_ends_in_a_line_break() {
        let pem = fixtures::P256;
        for text in [pem.to_owned(), pem.trim_end().to_owned(), format!("comment\n{pem}more"), format!("{pem}{pem}")] {
            let certificate = CaCertificate::parse(&text).unwrap();
            assert_eq!(certificate.pem(), pem);
            assert_eq!(certificate.has_more(), text.len() == 2 * pem.len());
        }
    }

    #[test]
    fn what_openssl_says_of_a_certificate_is_what_we_say() {
        let certificate = CaCertificate::parse(fixtures::P256).unwrap();
        assert_eq!((certificate.subject(), certificate.issuer()), ("CN=p256", "CN=p256"));
        assert_eq!(certificate.fingerprint(), "123158886b36db4465e8dcdeb3f8e97763f154acc9e27eadbe86535a45c2a308");
        assert_eq!(certificate.not_before(), at("2026-11-22T00:58:02Z"));
        assert_eq!(certificate.not_after(), at("2126-10-29T00:58:02Z"));
        assert_eq!(certificate.spiffe_trust_domain(), None);
        assert_eq!((certificate.signature(), certificate.is_ca()), ("ecdsa-with-SHA256", true));
    }

    #[test]
    fn pins_are_kubeadms_and_digests_are_swarms() {
        let kubeadm = CaCertificate::parse(fixtures::KUBEADM).unwrap();
        let pin = "sha256:b97cff896ddf2493b1d49a9b4c92410f0cc72fc0168d99232b0650d8b0c43a41";
        assert_eq!(kubeadm.pin().to_string(), pin);
        assert_eq!(kubeadm.fingerprint(), "6f28872fffbebd1198b30841c9eaca795ba045a95aeacdc25cfa4f16548be4cb");
        let swarm = CaCertificate::parse(fixtures::SWARM.trim_end()).unwrap();
        let digest = "0c50e905c4fd536c247405549e696706f3f12729a9676613b47a7c50f15bebb0";
        assert_eq!(swarm.digest().to_string(), digest, "the text of the certificate, with its last line break");
    }

    #[test]
    fn the_spiffe_uri_gives_the_trust_domain() {
        let root = fixtures::root(
            "11111111-2222-3333-4444-555555555555.consul",
            "2030-01-01T00:00:00Z",
            "2031-01-01T00:00:00Z",
        );
        let certificate = CaCertificate::parse(&root).unwrap();
        assert_eq!(certificate.spiffe_trust_domain(), Some("11111111-2222-3333-4444-555555555555.consul"));
    }

    #[test]
    fn only_a_strong_key_of_a_signing_ca_may_be_a_root() {
        let weak = |key| Err(Unusable::WeakKey { key });
        for (pem, key, verdict) in [
            (fixtures::RSA_1024, Key::Rsa { bits: 1024 }, weak(Key::Rsa { bits: 1024 })),
            (fixtures::RSA_2047, Key::Rsa { bits: 2047 }, weak(Key::Rsa { bits: 2047 })),
            (fixtures::RSA_2048, Key::Rsa { bits: 2048 }, Ok(())),
            (fixtures::RSA_4096, Key::Rsa { bits: 4096 }, Ok(())),
            (fixtures::P224, Key::EcP224, weak(Key::EcP224)),
            (fixtures::P256, Key::EcP256, Ok(())),
            (fixtures::P384, Key::EcP384, Ok(())),
            (fixtures::P521, Key::EcP521, Ok(())),
            (fixtures::ED25519, Key::Ed25519, Ok(())),
            (fixtures::ED448, Key::Other, weak(Key::Other)),
            (fixtures::LEAF, Key::EcP256, Err(Unusable::NotACa)),
            (fixtures::NO_CONSTRAINTS, Key::EcP256, Err(Unusable::NotACa)),
            (fixtures::NO_CERT_SIGN, Key::EcP256, Err(Unusable::MayNotSign)),
        ] {
            let certificate = CaCertificate::parse(pem).unwrap();
            assert_eq!((certificate.key(), certificate.usable_at(at("2030-01-01T00:00:00Z"))), (key, verdict), "{pem}");
        }
        assert_eq!(CaCertificate::parse(fixtures::SECP256K1), Err(CertificateError::UnsupportedCurve));
    }

    #[test]
    fn both_ends_of_the_validity_count() {
        let root = fixtures::root("d", "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z");
        let certificate = CaCertificate::parse(&root).unwrap();
        let (not_before, not_after) = (at("2030-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"));
        assert_eq!(certificate.usable_at(at("2029-12-31T23:59:59Z")), Err(Unusable::NotYetValid { not_before }));
        assert_eq!(certificate.usable_at(not_before), Ok(()));
        assert_eq!(certificate.usable_at(not_after), Ok(()));
        assert_eq!(certificate.usable_at(at("2031-01-01T00:00:01Z")), Err(Unusable::Expired { not_after }));
    }

    #[test]
    fn a_certificate_without_end_is_valid_for_as_long_as_time_goes() {
        let root = fixtures::root("d", "2030-01-01T00:00:00Z", "9999-12-30T22:00:00Z");
        assert_eq!(CaCertificate::parse(&root).unwrap().usable_at(at("9000-01-01T00:00:00Z")), Ok(()));
        let end = time::PrimitiveDateTime::new(
            time::Date::from_calendar_date(9999, time::Month::December, 31).unwrap(),
            time::Time::from_hms(23, 59, 59).unwrap(),
        );
        assert_eq!(timestamp(ASN1Time::new(end.assume_utc())), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn arbitrary_text_and_broken_certificates_never_panic(text: String, flip in 0..600_usize, byte: u8) {
            let _ = CaCertificate::parse(&text);
            let mut der = CaCertificate::parse(fixtures::P256).unwrap().der().to_vec();
            let flip = flip % der.len();
            der[flip] ^= byte;
            let _ = CaCertificate::of_der(String::new(), der, false);
        }
    }
}
