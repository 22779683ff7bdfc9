//! Config entries: what is exported to which peer, and how the mesh is set up.
//!
//! Of Consul's kinds we keep two. They are read from a request as Consul reads them ([`decode`]), checked in its words
//! ([`ConfigEntry::check`]), and printed in its shape.

mod decode;
mod exported;
mod kind;
mod mesh;
mod weak;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::foreign::echo;
pub use decode::{DecodeError, decode};
pub use exported::{
    CONSUMERS_MAX, Consumer, EXPORTED_SERVICES_MAX, ExportedService, ExportedServices, ServiceConsumers,
};
pub use kind::{Kind, KindError};
pub use mesh::{Http, Incoming, Mesh, Peering, RequestNormalization, Tls, TlsDirection, TransparentProxy};

/// Most pairs in the metadata of an entry.
const META_PAIRS_MAX: usize = 64;
/// Most bytes in one of its keys.
const META_KEY_BYTES_MAX: usize = 128;
/// Most bytes in one of its values.
const META_VALUE_BYTES_MAX: usize = 512;

/// One config entry.
///
/// # Shape
/// As JSON it is what Consul 1.21 prints, without the hash and the indexes, which belong to the stored record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Kind")]
pub enum ConfigEntry {
    /// Which services are exported to which peers.
    #[serde(rename = "exported-services")]
    ExportedServices(ExportedServices),
    /// How the mesh is set up; peering looks at [`Peering::peer_through_mesh_gateways`] alone.
    #[serde(rename = "mesh")]
    Mesh(Mesh),
}

/// Says why an entry that could be read is not accepted. Where Consul has a text, this is it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// There is one entry of its kind, with a fixed name.
    #[error("exported-services Name must be \"default\"")]
    Name,
    /// The metadata breaks a bound.
    #[error("{}", errors_occurred(.0))]
    Meta(Vec<String>),
    /// A field of a service or a consumer is refused.
    #[error("{place}: {reason}")]
    Service {
        /// Which one, such as `Services[0].Consumers[1]`.
        place: String,
        /// Why.
        reason: ServiceError,
    },
    /// A setting of the mesh is refused.
    #[error("error in {room} configuration: {reason}")]
    Mesh {
        /// Which part of it.
        room: &'static str,
        /// Why.
        reason: String,
    },
}

/// Says why a service or a consumer is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It has no name.
    #[error("service name cannot be empty")]
    NoName,
    /// Nobody is to get it.
    #[error("must have at least one consumer")]
    NoConsumer,
    /// A consumer has several names.
    #[error("must define at most one of Peer, Partition, or SamenessGroup")]
    Several,
    /// A consumer is every peer.
    #[error("exporting to all peers (wildcard) is not supported")]
    AllPeers,
    /// A consumer is every partition.
    #[error("exporting to all partitions (wildcard) is not supported")]
    AllPartitions,
    /// A consumer is a group of the enterprise edition.
    #[error("sameness-groups are an enterprise-only feature")]
    SamenessGroup,
    /// A name is longer than any peer of ours accepts. Consul has no such bound, and its list would be refused whole.
    #[error("service name must have at most {max} bytes, got {got}")]
    NameTooLong {
        /// The bound.
        max: usize,
        /// Its length.
        got: usize,
    },
    /// There are more than anybody exports. Consul has no such bound.
    #[error("there must be at most {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

impl ConfigEntry {
    /// Returns its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::ExportedServices(_) => Kind::ExportedServices,
            Self::Mesh(_) => Kind::Mesh,
        }
    }

    /// Returns the name under which it is kept.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::ExportedServices(entry) => &entry.name,
            Self::Mesh(_) => "mesh",
        }
    }

    /// Checks what Consul checks before it stores an entry, and our bounds.
    ///
    /// # Errors
    /// [`EntryError`], the first in Consul's order.
    pub fn check(&self) -> Result<(), EntryError> {
        let meta = |meta: &Option<BTreeMap<String, String>>| meta.as_ref().map_or(Ok(()), check_meta);
        match self {
            Self::ExportedServices(entry) => {
                if entry.name != "default" {
                    return Err(EntryError::Name);
                }
                meta(&entry.meta)?;
                entry.check()
            }
            Self::Mesh(entry) => {
                meta(&entry.meta)?;
                entry.check()
            }
        }
    }

    /// Returns a number that is the same for the same content, as Consul shows one. It says nothing else.
    #[must_use]
    pub fn hash(&self) -> u64 {
        // Keys are printed in one order, so equal entries print equal.
        let printed = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(printed);
        digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }
}

fn check_meta(meta: &BTreeMap<String, String>) -> Result<(), EntryError> {
    if meta.len() > META_PAIRS_MAX {
        return Err(EntryError::Meta(vec![format!("Meta exceeds maximum element count {META_PAIRS_MAX}")]));
    }
    let mut faults = Vec::new();
    for (key, value) in meta {
        let shown = echo(key);
        if key.len() > META_KEY_BYTES_MAX {
            faults.push(format!("Meta key \"{shown}\" exceeds maximum length {META_KEY_BYTES_MAX}"));
        }
        if value.len() > META_VALUE_BYTES_MAX {
            faults.push(format!("Meta value for key \"{shown}\" exceeds maximum length {META_VALUE_BYTES_MAX}"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(EntryError::Meta(faults)) }
}

/// Lists faults as Consul does.
fn errors_occurred(faults: &[String]) -> String {
    let noun = if faults.len() == 1 { "error" } else { "errors" };
    let lines: String = faults.iter().map(|fault| format!("\t* {fault}\n")).collect();
    format!("{} {noun} occurred:\n{lines}\n", faults.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> ConfigEntry {
        decode(json.as_bytes()).unwrap()
    }

    fn refusal(json: &str) -> String {
        entry(json).check().unwrap_err().to_string()
    }

    #[test]
    fn metadata_is_bounded_in_consuls_words() {
        let with = |meta: &str| format!(r#"{{"Kind":"mesh","Meta":{{{meta}}}}}"#);
        let pairs = |count: usize| (0..count).map(|i| format!(r#""k{i}":"v""#)).collect::<Vec<_>>().join(",");
        assert_eq!(entry(&with(&pairs(64))).check(), Ok(()));
        assert_eq!(refusal(&with(&pairs(65))), "1 error occurred:\n\t* Meta exceeds maximum element count 64\n\n");
        let (key, value) = ("k".repeat(129), "v".repeat(513));
        assert_eq!(
            refusal(&with(&format!(r#""{key}":"","a":"{value}""#))),
            format!(
                "2 errors occurred:\n\t* Meta value for key \"a\" exceeds maximum length 512\n\
                 \t* Meta key \"{key}\" exceeds maximum length 128\n\n"
            )
        );
    }

    #[test]
    fn equal_entries_have_equal_hashes_and_others_do_not() {
        let one = entry(r#"{"Kind":"mesh","Meta":{"a":"1","b":"2"}}"#);
        let same = entry(r#"{"meta":{"b":"2","a":"1"},"kind":"mesh"}"#);
        assert_eq!(one.hash(), same.hash());
        assert_ne!(one.hash(), entry(r#"{"Kind":"mesh"}"#).hash());
    }
}
