//! Sets of roots: those of a token, and those that a peer sends later over the stream.

use thiserror::Error;

use super::certificate::{CaCertificate, CertificateError, Unusable};
use crate::foreign::quoted;
use crate::name::TrustDomain;

/// Most roots in a bundle: a cluster has one, and two or three while it rotates.
pub const BUNDLE_ROOTS_MAX: usize = 16;

/// Most bytes of PEM text in a bundle: room for [`BUNDLE_ROOTS_MAX`] certificates of 4 KiB.
pub const BUNDLE_PEM_BYTES_MAX: usize = 64 * 1024;

/// At least one root, to be trusted for one peering and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchors(Vec<CaCertificate>);

impl TrustAnchors {
    /// Takes roots that were found usable; there are no anchors without one.
    pub(crate) fn of(roots: Vec<CaCertificate>) -> Option<Self> {
        (!roots.is_empty()).then_some(Self(roots))
    }

    /// Returns the roots, never none.
    #[must_use]
    pub fn roots(&self) -> &[CaCertificate] {
        &self.0
    }

    /// Returns the PEM text of each root, each ending in a line break.
    #[must_use]
    pub fn pems(&self) -> Vec<String> {
        self.0.iter().map(|root| root.pem().to_owned()).collect()
    }
}

/// The roots of a peer's trust domain, as the peer says.
///
/// # Security
/// Consul stores whatever arrives, and an empty bundle turns its next dial into plaintext. Here a bundle exists only if
/// it is one: never empty, of certificates that may be roots, of the domain that was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustBundle {
    trust_domain: TrustDomain,
    roots: TrustAnchors,
}

/// Says why a peer's trust bundle is refused. What was stored before stays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// There is no root in it.
    #[error("trust bundle is empty; expected at least one root certificate")]
    Empty,
    /// It has more than [`BUNDLE_ROOTS_MAX`] roots.
    #[error("trust bundle has {got} root certificates; expected at most {BUNDLE_ROOTS_MAX}")]
    TooManyRoots {
        /// Roots found.
        got: usize,
    },
    /// Its text is longer than [`BUNDLE_PEM_BYTES_MAX`].
    #[error("trust bundle has {got} bytes of PEM text; expected at most {BUNDLE_PEM_BYTES_MAX}")]
    TooLong {
        /// Bytes found.
        got: usize,
    },
    /// An entry is not a certificate.
    #[error("trust bundle entry {index} is not a certificate: {reason}")]
    Certificate {
        /// Which entry, from 0.
        index: usize,
        /// What is wrong with it.
        reason: CertificateError,
    },
    /// An entry can never be a root.
    #[error("trust bundle entry {index} cannot be a root: it {reason}")]
    Unusable {
        /// Which entry, from 0.
        index: usize,
        /// Why.
        reason: Unusable,
    },
    /// The trust domain is not the name of one.
    #[error("trust bundle names {} as its trust domain; expected <cluster uuid>.consul", quoted(.got))]
    NotATrustDomain {
        /// What it names.
        got: String,
    },
    /// The trust domain is another than this peer's.
    #[error("trust bundle is for trust domain {got}; expected {expected}")]
    ForeignTrustDomain {
        /// The domain of this peer.
        expected: TrustDomain,
        /// The domain of the bundle.
        got: TrustDomain,
    },
}

impl TrustBundle {
    /// Checks a bundle from a peer, given the trust domain that it must have, if that is known.
    ///
    /// Times are not looked at: a peer announces its next root before that is valid, and keeps the last one after.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn check(
        trust_domain: &str,
        root_pems: &[String],
        expected: Option<&TrustDomain>,
    ) -> Result<Self, BundleError> {
        if root_pems.len() > BUNDLE_ROOTS_MAX {
            return Err(BundleError::TooManyRoots { got: root_pems.len() });
        }
        let bytes = root_pems.iter().map(String::len).sum();
        if bytes > BUNDLE_PEM_BYTES_MAX {
            return Err(BundleError::TooLong { got: bytes });
        }
        let got = TrustDomain::parse(trust_domain)
            .map_err(|_| BundleError::NotATrustDomain { got: trust_domain.to_owned() })?;
        if let Some(expected) = expected.filter(|expected| **expected != got) {
            return Err(BundleError::ForeignTrustDomain { expected: expected.clone(), got });
        }
        let root = |(index, pem): (usize, &String)| {
            let root = CaCertificate::parse(pem).map_err(|reason| BundleError::Certificate { index, reason })?;
            root.usable_ever().map_err(|reason| BundleError::Unusable { index, reason })?;
            Ok(root)
        };
        let roots = root_pems.iter().enumerate().map(root).collect::<Result<Vec<_>, _>>()?;
        let roots = TrustAnchors::of(roots).ok_or(BundleError::Empty)?;
        Ok(Self { trust_domain: got, roots })
    }

    /// Returns the trust domain that the roots belong to.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Returns the roots.
    #[must_use]
    pub const fn roots(&self) -> &TrustAnchors {
        &self.roots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::fixtures::{ED25519, LEAF, P256, RSA_1024};

    const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
    const OTHER: &str = "99999999-2222-3333-4444-555555555555.consul";

    fn check(pems: &[&str]) -> Result<TrustBundle, BundleError> {
        let pems: Vec<String> = pems.iter().map(|&pem| pem.to_owned()).collect();
        TrustBundle::check(DOMAIN, &pems, Some(&TrustDomain::parse(DOMAIN).unwrap()))
    }

    #[test]
    fn the_roots_of_the_expected_domain_are_kept_in_order() {
        let bundle = check(&[P256.trim_end(), ED25519]).unwrap();
        assert_eq!(bundle.trust_domain().as_str(), DOMAIN);
        assert_eq!(bundle.roots().pems(), [P256, ED25519]);
        assert!(TrustBundle::check(OTHER, &[P256.to_owned()], None).is_ok());
    }

    #[test]
    fn an_empty_bundle_is_refused() {
        assert_eq!(check(&[]), Err(BundleError::Empty));
    }

    #[test]
    fn one_bad_root_refuses_the_bundle() {
        assert_eq!(check(&[P256, ""]), Err(BundleError::Certificate { index: 1, reason: CertificateError::NoPem }));
        assert_eq!(check(&[LEAF]), Err(BundleError::Unusable { index: 0, reason: Unusable::NotACa }));
        assert!(matches!(
            check(&[P256, RSA_1024]),
            Err(BundleError::Unusable { index: 1, reason: Unusable::WeakKey { .. } })
        ));
    }

    #[test]
    fn another_domain_and_no_domain_are_refused() {
        let expected = TrustDomain::parse(DOMAIN).unwrap();
        let refused = TrustBundle::check(OTHER, &[P256.to_owned()], Some(&expected)).unwrap_err();
        assert_eq!(refused.to_string(), format!("trust bundle is for trust domain {OTHER}; expected {DOMAIN}"));
        let refused = TrustBundle::check("evil\u{1b}[2J", &[P256.to_owned()], None).unwrap_err();
        assert_eq!(
            refused.to_string(),
            r#"trust bundle names "evil\u{1b}[2J" as its trust domain; expected <cluster uuid>.consul"#
        );
    }

    #[test]
    fn the_bounds_are_the_last_sizes_that_pass() {
        assert!(check(&[P256; BUNDLE_ROOTS_MAX]).is_ok());
        assert_eq!(check(&[P256; BUNDLE_ROOTS_MAX + 1]), Err(BundleError::TooManyRoots { got: 17 }));
        let padded = |bytes: usize| format!("{P256}{}", "x".repeat(bytes - P256.len()));
        assert!(check(&[&padded(BUNDLE_PEM_BYTES_MAX)]).is_ok());
        assert_eq!(check(&[&padded(BUNDLE_PEM_BYTES_MAX + 1)]), Err(BundleError::TooLong { got: 65_537 }));
    }
}
