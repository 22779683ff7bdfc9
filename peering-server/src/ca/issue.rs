//! The leaf that a peering server presents.

use jiff::{SignedDuration, Timestamp};
use peering_core::name::Datacenter;
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::authority::spiffe;
use super::{Authority, CaError, Validity};

/// Life of a leaf: three days, as Consul's.
pub const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// A leaf with its key and the chain to present, the root left out.
///
/// # Security
/// The key lives in memory only: a restarted server issues itself a new leaf. It is never printed.
pub struct Leaf {
    validity: Validity,
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<KeyPair>,
}

impl Leaf {
    /// Issues a leaf for the server that accepts peer streams in this datacenter.
    ///
    /// # Shape
    /// Empty subject, so the names are critical: DNS `server.<datacenter>.peering.<trust domain>` and URI
    /// `spiffe://<trust domain>/agent/server/dc/<datacenter>`. For client and server authentication; digital signature,
    /// key and data encipherment, key agreement; no CA; ECDSA P-256; 72 hours from one minute in the past, but never
    /// longer than the root.
    ///
    /// # Errors
    /// [`CaError::RootExpired`] if the root has ended; [`CaError::Clock`] and [`CaError::Generate`] as for a root.
    ///
    /// # Source
    /// The leaf of a Consul 1.21 server.
    pub fn for_peering_server(authority: &Authority, datacenter: &Datacenter, now: Timestamp) -> Result<Self, CaError> {
        let failed = |source| CaError::Generate { operation: "issue a leaf certificate", source };
        let mut validity = Validity::beginning(now, LEAF_LIFE)?;
        let root_end = authority.validity().not_after;
        if now > root_end {
            return Err(CaError::RootExpired { not_after: root_end });
        }
        validity.not_after = validity.not_after.min(root_end);

        let domain = authority.trust_domain();
        let server_name = domain.peering_server_name(datacenter).try_into().map_err(failed)?;
        let id = spiffe(domain, &format!("/agent/server/dc/{datacenter}")).map_err(failed)?;

        let mut params = CertificateParams::default();
        validity.write(&mut params)?;
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::DnsName(server_name), SanType::URI(id)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::DataEncipherment,
            KeyUsagePurpose::KeyAgreement,
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];

        let key = Zeroizing::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?);
        let issuer = authority.issuer().map_err(failed)?;
        let certificate = params.signed_by(&*key, &issuer).map_err(failed)?;
        Ok(Self { validity, chain: vec![certificate.into()], key })
    }

    /// Returns its life.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Returns the chain to present, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Makes it ready for a TLS server.
    ///
    /// # Errors
    /// [`CaError::Serve`] if the TLS library cannot use the key.
    pub fn certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CaError> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        Ok(CertifiedKey::from_der(self.chain.clone(), key, provider)?)
    }
}

#[cfg(test)]
mod tests {
    use peering_core::name::TrustDomain;
    use x509_parser::certificate::X509Certificate;
    use x509_parser::extensions::GeneralName;
    use x509_parser::prelude::FromDer;

    use super::*;
    use crate::ca::Purpose;
    use crate::ca::authority::ROOT_LIFE;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn authority() -> Authority {
        let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap();
        Authority::create(Purpose::Peering, &domain, now()).unwrap()
    }

    fn leaf(authority: &Authority, now: Timestamp) -> Result<Leaf, CaError> {
        Leaf::for_peering_server(authority, &Datacenter::parse("dc1").unwrap(), now)
    }

    #[test]
    fn a_leaf_is_the_one_that_consul_presents() {
        let authority = authority();
        let issued = leaf(&authority, now()).unwrap();
        let [der] = issued.chain() else { panic!("one certificate") };
        let (_, root) = X509Certificate::from_der(authority.root_der()).unwrap();
        let (rest, leaf) = X509Certificate::from_der(der).unwrap();
        assert!(rest.is_empty());
        leaf.verify_signature(Some(root.public_key())).unwrap();
        assert_eq!(leaf.issuer(), root.subject());
        assert_eq!(leaf.subject().iter().count(), 0);
        assert_eq!(leaf.validity().not_before.timestamp(), now().as_second() - 60);
        assert_eq!(leaf.validity().not_after.timestamp(), now().as_second() - 60 + 72 * 3_600);

        let names = leaf.subject_alternative_name().unwrap().unwrap();
        assert!(names.critical, "an empty subject makes the names critical");
        assert_eq!(
            names.value.general_names,
            [
                GeneralName::DNSName("server.dc1.peering.11111111-2222-3333-4444-555555555555.consul"),
                GeneralName::URI("spiffe://11111111-2222-3333-4444-555555555555.consul/agent/server/dc/dc1"),
            ]
        );
        let constraints = leaf.basic_constraints().unwrap().unwrap();
        assert!(!constraints.value.ca);
        let usage = leaf.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.to_string(), "Digital Signature, Key Encipherment, Data Encipherment, Key Agreement");
        let extended = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.server_auth && extended.client_auth && !extended.any && extended.other.is_empty());
        let public_key = leaf.public_key().parsed().unwrap();
        assert_eq!(public_key.key_size(), 256);
    }

    #[test]
    fn a_leaf_never_outlives_its_root() {
        let authority = authority();
        let root_end = authority.validity().not_after;
        let late = root_end - SignedDuration::from_hours(1);
        assert_eq!(leaf(&authority, late).unwrap().validity().not_after, root_end);
        assert!(leaf(&authority, root_end).is_ok());
        let after = now() + ROOT_LIFE;
        let refused = leaf(&authority, after).err();
        assert!(matches!(refused, Some(CaError::RootExpired { not_after }) if not_after == root_end));
    }

    #[test]
    fn a_clock_before_the_root_still_gets_a_leaf() {
        let authority = authority();
        let before = now() - SignedDuration::from_hours(1);
        let issued = leaf(&authority, before).unwrap();
        assert!(issued.validity().contains(before));
    }
}
