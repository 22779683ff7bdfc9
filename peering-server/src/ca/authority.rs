//! One root and its key: made once, stored by the caller, loaded at every start.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use peering_core::name::TrustDomain;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::{CaError, Validity};

/// Life of a root: ten years of 365 days, as Consul's.
pub const ROOT_LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// What an authority vouches for. Each purpose has its own root with its own subject, so that a certificate of one
/// never verifies in another, and rotating one voids nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// The servers that accept peer streams.
    Peering,
}

impl Purpose {
    /// Returns the common name of this purpose's root. X.509 allows 64 characters; a trust domain takes 43.
    fn common_name(self, trust_domain: &TrustDomain) -> String {
        format!("{self} CA {trust_domain}")
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peering => f.write_str("Peering"),
        }
    }
}

/// A root certificate with its key.
///
/// # Shape
/// Self-signed, ECDSA P-256; subject a common name that tells the purpose and the trust domain, URI name
/// `spiffe://<trust domain>`; CA without path length; may sign certificates and revocation lists; ten years from one
/// minute in the past.
///
/// # Security
/// `Debug` shows no key. The key's memory is wiped on drop.
///
/// # Source
/// The shape of the root that Consul 1.21 makes, with a subject of our own.
///
/// # Examples
/// ```
/// use peering_core::name::TrustDomain;
/// use peering_server::ca::{Authority, Purpose};
///
/// let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul")?;
/// let made = Authority::create(Purpose::Peering, &domain, "2026-03-01T12:00:00Z".parse()?)?;
/// let loaded = Authority::load(Purpose::Peering, made.root_pem(), &made.key_pem())?;
/// assert_eq!(loaded.trust_domain(), &domain);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Authority {
    purpose: Purpose,
    trust_domain: TrustDomain,
    validity: Validity,
    root: CertificateDer<'static>,
    root_pem: String,
    key: Zeroizing<KeyPair>,
}

impl Authority {
    /// Makes a new root and its key.
    ///
    /// # Errors
    /// [`CaError::Clock`] if `now` cannot be written into a certificate; [`CaError::Generate`] if there is no
    /// randomness.
    pub fn create(purpose: Purpose, trust_domain: &TrustDomain, now: Timestamp) -> Result<Self, CaError> {
        let failed = |source| CaError::Generate { operation: "make a root certificate", source };
        let validity = Validity::beginning(now, ROOT_LIFE)?;
        let key = Zeroizing::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?);

        let mut params = CertificateParams::default();
        validity.write(&mut params)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, purpose.common_name(trust_domain));
        params.subject_alt_names = vec![SanType::URI(spiffe(trust_domain, "").map_err(failed)?)];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&*key).map_err(failed)?;

        let root_pem = with_one_newline(&root.pem());
        Ok(Self { purpose, trust_domain: trust_domain.clone(), validity, root: root.into(), root_pem, key })
    }

    /// Takes back what [`root_pem`](Self::root_pem) and [`key_pem`](Self::key_pem) gave.
    ///
    /// # Errors
    /// A variant of [`CaError`] for each way in which the two are not a root of this purpose with its key. Whether the
    /// root has expired is asked when something is issued.
    pub fn load(purpose: Purpose, root_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        let mut roots: Vec<_> = CertificateDer::pem_slice_iter(root_pem.as_bytes()).filter_map(Result::ok).collect();
        let got = roots.len();
        let root = roots.pop().filter(|_| got == 1).ok_or(CaError::RootPem { got })?;
        let (_, parsed) = X509Certificate::from_der(&root).map_err(|_| CaError::RootPem { got: 0 })?;

        let may_sign = parsed.key_usage().ok().flatten().is_some_and(|usage| usage.value.key_cert_sign());
        if !(parsed.is_ca() && may_sign) {
            return Err(CaError::RootNotCa);
        }
        let trust_domain = trust_domain_of(&parsed).ok_or(CaError::RootTrustDomain)?;
        let names: Vec<_> = parsed.subject().iter_common_name().map(|name| name.as_str().ok()).collect();
        if names != [Some(purpose.common_name(&trust_domain).as_str())] {
            return Err(CaError::RootPurpose { expected: purpose });
        }

        let key = KeyPair::from_pem_and_sign_algo(key_pem, &PKCS_ECDSA_P256_SHA256).map_err(CaError::Key)?;
        let key = Zeroizing::new(key);
        if key.subject_public_key_info() != parsed.public_key().raw {
            return Err(CaError::KeyMismatch);
        }

        let second = |at: i64| Timestamp::from_second(at).map_err(|_| CaError::RootPem { got });
        let validity = Validity {
            not_before: second(parsed.validity().not_before.timestamp())?,
            not_after: second(parsed.validity().not_after.timestamp())?,
        };
        let root_pem = with_one_newline(root_pem);
        Ok(Self { purpose, trust_domain, validity, root, root_pem, key })
    }

    /// Returns what it vouches for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns the trust domain that its root names.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Returns the life of the root.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Returns the root as PEM, ending in one newline as Consul's do: an entry of a token's `CA`.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Returns the root as DER.
    #[must_use]
    pub const fn root_der(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// Returns the key as PKCS #8 PEM.
    ///
    /// # Security
    /// Whoever has it is this authority: seal it before it is stored, and log it nowhere.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    pub(super) fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, rcgen::Error> {
        Issuer::from_ca_cert_der(&self.root, &*self.key)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("purpose", &self.purpose)
            .field("trust_domain", &self.trust_domain)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// Writes the SPIFFE id of a path in a trust domain; the empty path is the domain itself.
pub(super) fn spiffe(trust_domain: &TrustDomain, path: &str) -> Result<rcgen::string::Ia5String, rcgen::Error> {
    format!("spiffe://{trust_domain}{path}").try_into()
}

fn trust_domain_of(root: &X509Certificate<'_>) -> Option<TrustDomain> {
    let names = root.subject_alternative_name().ok()??;
    let mut domains = names.value.general_names.iter().map(|name| match name {
        GeneralName::URI(uri) => TrustDomain::parse(uri.strip_prefix("spiffe://")?).ok(),
        _ => None,
    });
    domains.next().flatten().filter(|_| domains.next().is_none())
}

fn with_one_newline(pem: &str) -> String {
    format!("{}\n", pem.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn domain() -> TrustDomain {
        TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap()
    }

    fn authority() -> Authority {
        Authority::create(Purpose::Peering, &domain(), now()).unwrap()
    }

    #[test]
    fn a_root_is_what_consul_makes_with_a_subject_of_our_own() {
        let authority = authority();
        let (rest, root) = X509Certificate::from_der(authority.root_der()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(root.subject().to_string(), "CN=Peering CA 11111111-2222-3333-4444-555555555555.consul");
        assert_eq!(root.issuer(), root.subject());
        root.verify_signature(None).unwrap();
        assert_eq!(root.validity().not_before.timestamp(), now().as_second() - 60);
        assert_eq!(root.validity().not_after.timestamp(), now().as_second() - 60 + 10 * 365 * 86_400);

        let constraints = root.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca && constraints.value.path_len_constraint.is_none());
        let usage = root.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.to_string(), "Key Cert Sign, CRL Sign");
        let names = root.subject_alternative_name().unwrap().unwrap();
        let uri = "spiffe://11111111-2222-3333-4444-555555555555.consul";
        assert_eq!(names.value.general_names, [GeneralName::URI(uri)]);
    }

    #[test]
    fn every_root_has_its_own_key_and_serial_number() {
        let serial = |authority: &Authority| {
            X509Certificate::from_der(authority.root_der()).unwrap().1.tbs_certificate.serial.clone()
        };
        let (one, other) = (authority(), authority());
        assert_ne!(serial(&one), serial(&other));
        assert_ne!(*one.key_pem(), *other.key_pem());
    }

    #[test]
    fn what_was_exported_loads_again() {
        let made = authority();
        assert!(made.root_pem().ends_with("-----END CERTIFICATE-----\n"));
        let loaded = Authority::load(Purpose::Peering, made.root_pem(), &made.key_pem()).unwrap();
        assert_eq!(loaded.root_pem(), made.root_pem());
        assert_eq!(*loaded.key_pem(), *made.key_pem());
        assert_eq!((loaded.validity(), loaded.trust_domain()), (made.validity(), made.trust_domain()));
    }

    #[test]
    fn a_missing_newline_is_added_on_loading() {
        let made = authority();
        let loaded = Authority::load(Purpose::Peering, made.root_pem().trim_end(), &made.key_pem()).unwrap();
        assert_eq!(loaded.root_pem(), made.root_pem());
    }

    #[test]
    fn a_key_of_another_root_is_refused() {
        let refused = Authority::load(Purpose::Peering, authority().root_pem(), &authority().key_pem());
        assert!(matches!(refused, Err(CaError::KeyMismatch)));
    }

    #[test]
    fn text_that_is_no_key_is_refused_and_not_repeated() {
        let made = authority();
        let refused = Authority::load(Purpose::Peering, made.root_pem(), "hunter2").unwrap_err();
        assert!(matches!(refused, CaError::Key(_)));
        assert!(!format!("{refused:?} {refused}").contains("hunter2"));
    }

    #[test]
    fn a_root_must_be_one_certificate() {
        let made = authority();
        let twice = made.root_pem().repeat(2);
        for (pem, count) in [("", 0), ("hunter2", 0), (twice.as_str(), 2)] {
            let refused = Authority::load(Purpose::Peering, pem, &made.key_pem());
            assert!(matches!(refused, Err(CaError::RootPem { got }) if got == count), "{pem}");
        }
    }

    #[test]
    fn a_root_that_is_not_ours_is_refused() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        let load = |params: &CertificateParams| {
            let pem = params.self_signed(&key).unwrap().pem();
            Authority::load(Purpose::Peering, &pem, &key.serialize_pem())
        };
        assert!(matches!(load(&params), Err(CaError::RootNotCa)));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        assert!(matches!(load(&params), Err(CaError::RootNotCa)));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        assert!(matches!(load(&params), Err(CaError::RootTrustDomain)));
        params.subject_alt_names = vec![SanType::URI(spiffe(&domain(), "").unwrap())];
        assert!(matches!(load(&params), Err(CaError::RootPurpose { expected: Purpose::Peering })));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, Purpose::Peering.common_name(&domain()));
        load(&params).unwrap();
    }

    #[test]
    fn debug_shows_no_key() {
        let authority = authority();
        let shown = format!("{authority:?}");
        assert!(shown.starts_with("Authority { purpose: Peering"), "{shown}");
        assert!(!shown.contains("key") && !shown.contains("BEGIN"), "{shown}");
    }
}
