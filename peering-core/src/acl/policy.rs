//! The record of a policy, and the two that are built in.

use blake2::{Blake2b, Digest, digest::consts::U32};
use thiserror::Error;
use uuid::Uuid;

/// Id of the policy that allows everything.
pub const GLOBAL_MANAGEMENT_ID: Uuid = Uuid::from_u128(1);
/// Id of the policy that allows looking at everything.
pub const GLOBAL_READ_ONLY_ID: Uuid = Uuid::from_u128(2);
/// Most bytes in the name of a policy; Consul's number.
const NAME_BYTES_MAX: usize = 128;
/// Most bytes in a description, so that a record stays below what a store takes.
pub const DESCRIPTION_BYTES_MAX: usize = 16 << 10;

/// A policy: rules with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its rules as they were given.
    pub rules: String,
    /// Datacenters in which it counts; all, if there are none.
    pub datacenters: Vec<String>,
}

impl Policy {
    /// Computes the hash by which Consul's clients tell whether a policy changed: BLAKE2b-256 of its texts, one after the
    /// other.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Blake2b::<U32>::new();
        for text in [&self.name, &self.description, &self.rules].into_iter().chain(&self.datacenters) {
            hash.update(text);
        }
        hash.finalize().into()
    }

    /// Says whether it counts in a datacenter.
    #[must_use]
    pub fn counts_in(&self, datacenter: &str) -> bool {
        self.datacenters.is_empty() || self.datacenters.iter().any(|one| one == datacenter)
    }
}

/// Says why a name cannot be a policy's. The texts are Consul's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// There is none.
    #[error("Invalid Policy: no Name is set")]
    NoName,
    /// It is too long.
    #[error("Invalid Policy: invalid Name. Length must be greater than 0 and less than 128")]
    NameLength,
    /// It begins as names of built-in policies do.
    #[error("Invalid Policy: invalid Name. Names cannot be prefixed with '/' or 'builtin/'")]
    NamePrefix,
    /// It has other characters.
    #[error("Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed")]
    NameCharacters,
}

/// Checks the name of a policy.
///
/// # Errors
/// [`PolicyError`].
///
/// # Source
/// Consul 1.21: a name with one `/` is accepted, `builtin/…` is not.
pub fn check_policy_name(name: &str) -> Result<(), PolicyError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    match name {
        "" => Err(PolicyError::NoName),
        _ if name.len() > NAME_BYTES_MAX => Err(PolicyError::NameLength),
        _ if name.starts_with('/') || name.starts_with("builtin/") => Err(PolicyError::NamePrefix),
        _ if !name.bytes().all(is_plain) || name.matches('/').count() > 1 => Err(PolicyError::NameCharacters),
        _ => Ok(()),
    }
}

/// A policy that every server has and nobody removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `global-management`.
    Management,
    /// `builtin/global-read-only`.
    ReadOnly,
}

impl Builtin {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Management, Self::ReadOnly];

    /// Returns the one with this id, if it is one.
    #[must_use]
    pub fn of(id: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.id() == id)
    }

    /// Returns its id.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Management => GLOBAL_MANAGEMENT_ID,
            Self::ReadOnly => GLOBAL_READ_ONLY_ID,
        }
    }

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Management => "global-management",
            Self::ReadOnly => "builtin/global-read-only",
        }
    }

    /// Returns the record. Its rules are Consul's to the byte, since clients see their hash.
    #[must_use]
    pub fn policy(self) -> Policy {
        let (level, grants) = match self {
            Self::Management => ("write", "read and write access"),
            Self::ReadOnly => ("read", "read-only access"),
        };
        let mut rules = String::new();
        for (resource, has_names) in [
            ("acl", false),
            ("agent_prefix", true),
            ("event_prefix", true),
            ("key_prefix", true),
            ("keyring", false),
            ("node_prefix", true),
            ("operator", false),
            ("mesh", false),
            ("peering", false),
            ("query_prefix", true),
            ("service_prefix", true),
            ("session_prefix", true),
        ] {
            let intentions =
                if resource == "service_prefix" { format!("\tintentions = \"{level}\"\n") } else { String::new() };
            rules += &if has_names {
                format!("\n{resource} \"\" {{\n\tpolicy = \"{level}\"\n{intentions}}}")
            } else {
                format!("\n{resource} = \"{level}\"")
            };
        }
        Policy {
            id: self.id(),
            name: self.name().to_owned(),
            description: format!("A built-in policy that grants {grants} to all Consul features"),
            rules,
            datacenters: Vec::new(),
        }
    }
}
