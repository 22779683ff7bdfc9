//! The root certificates of this cluster, as an operator sees them.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use super::peerings::Indexed;
use super::{Service, ServiceError};
use crate::store::{Revision, key};

/// A root of the peering authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootView {
    /// Its SHA-1 fingerprint, in pairs of digits: a name, as Consul gives one, which nothing is decided by.
    pub id: String,
    /// Its subject.
    pub name: String,
    /// The low 64 bits of its serial number.
    pub serial_number: u64,
    /// Identifies its key, in pairs of digits.
    pub signing_key_id: String,
    /// When it begins.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// The certificate.
    pub pem: String,
    /// Index of the write that stored it.
    pub create_index: Revision,
    /// Index of the last write to it.
    pub modify_index: Revision,
}

impl Service {
    /// Returns the root by which peers know this cluster.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn root(&self) -> Result<Indexed<RootView>, ServiceError> {
        let authority = self.cluster.authority();
        let stored = self.store.get(key::PEERING_CA).await?;
        let (create_index, modify_index) = stored.map_or((1, 1), |stored| (stored.created, stored.modified));
        let der = authority.root_der();
        // It was read when the cluster was opened.
        let parsed = X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed);
        let validity = authority.validity();
        let root = RootView {
            id: pairs(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
            name: format!("{} CA Primary Cert", authority.purpose()),
            serial_number: parsed.as_ref().map(serial_number).unwrap_or_default(),
            signing_key_id: parsed.as_ref().map(key_id).unwrap_or_default(),
            not_before: validity.not_before,
            not_after: validity.not_after,
            pem: authority.root_pem().to_owned(),
            create_index,
            modify_index,
        };
        Ok(Indexed { value: root, index: modify_index.max(1) })
    }
}

fn serial_number(certificate: &X509Certificate<'_>) -> u64 {
    certificate.raw_serial().iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn key_id(certificate: &X509Certificate<'_>) -> String {
    let found = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    });
    pairs(found.unwrap_or_default())
}

/// Prints bytes as hexadecimal pairs between colons.
fn pairs(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}
