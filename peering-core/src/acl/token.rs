//! The record of an ACL token.

use blake2::{Blake2b, Digest, digest::consts::U32};
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

use crate::secret::SecretHash;

/// Public name of the token that counts for callers without one.
pub const ANONYMOUS_ACCESSOR: Uuid = Uuid::from_u128(2);
/// What may be presented in its place.
pub const ANONYMOUS_SECRET: &str = "anonymous";
/// Ids that begin so are Consul's own.
pub const RESERVED_PREFIX: &str = "00000000-0000-0000-0000-0000000000";
/// Shortest life of a token that ends.
pub const EXPIRATION_MIN: Duration = Duration::from_secs(60);
/// Most policies of one token: each is read when the token is presented.
pub const POLICIES_MAX: usize = 64;

/// Says whether an id is one that only the server itself gives.
#[must_use]
pub fn is_reserved(id: Uuid) -> bool {
    id.as_u128() <= 0xff
}

/// An ACL token: who somebody is, and which policies count for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its public name.
    pub accessor: Uuid,
    /// What is kept to find it by its secret.
    pub secret: SecretHash,
    /// Free text.
    pub description: String,
    /// Ids of its policies; one that was deleted since does not count.
    pub policies: Vec<Uuid>,
    /// Consul's mark of a token that other datacenters do not get.
    pub local: bool,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
}

impl Token {
    /// Says whether it has ended.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Computes the hash by which Consul's clients tell whether a token changed: BLAKE2b-256 of the description, `local`
    /// or `global`, and the ids of the policies that there are.
    #[must_use]
    pub fn hash(description: &str, local: bool, policies: impl Iterator<Item = Uuid>) -> [u8; 32] {
        let mut hash = Blake2b::<U32>::new();
        hash.update(description);
        hash.update(if local { "local" } else { "global" });
        for policy in policies {
            hash.update(policy.to_string());
        }
        hash.finalize().into()
    }
}
