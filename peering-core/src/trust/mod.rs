//! Whom to believe: root certificates from tokens and from peers, checked before anything is trusted.
//!
//! | type | made from | holds for |
//! |---|---|---|
//! | [`CaCertificate`] | one PEM text | a certificate that parses; whether it may be a root is asked with a time |
//! | [`TrustAnchors`] | a token's `CA` | at least one root, for one peering |
//! | [`TrustBundle`] | a peer's message | the roots of one trust domain, never empty |
//!
//! No signature is checked here: that is the TLS library's work, with these roots.

mod bundle;
mod certificate;
mod domain;
#[cfg(test)]
pub(crate) mod fixtures;
mod key;
mod pem;
mod pin;

pub use bundle::{BUNDLE_PEM_BYTES_MAX, BUNDLE_ROOTS_MAX, BundleError, TrustAnchors, TrustBundle};
pub use certificate::{CaCertificate, CertificateError, Unusable};
pub use domain::peering_trust_domain;
pub use key::Key;
pub(crate) use pin::base36;
pub use pin::{CaDigest, CaPin};
