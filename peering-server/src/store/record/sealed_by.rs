//! Which key sealed what is in a record, without reading anything else of it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::keyring::KeyId;
use crate::store::key;

/// Directories with rows that hold something sealed. The peering authority is a row of its own.
pub const SEALED_DIRECTORIES: [&str; 2] = [key::SECRETS, key::ACL_TOKENS];

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Secrets {
    own: Option<SealedBy>,
}

#[derive(Deserialize)]
struct AclToken {
    sealed: Option<SealedBy>,
}

#[derive(Deserialize)]
struct SealedBy {
    key_id: KeyId,
}

/// Returns the id of the key that sealed what is in a record of [`SEALED_DIRECTORIES`]. A record with nothing sealed has
/// none, nor has one that cannot be read.
#[must_use]
pub fn sealed_by(key: &str, bytes: &[u8]) -> Option<KeyId> {
    let sealed = if key.starts_with(key::SECRETS) {
        read::<Secrets>(bytes)?.own
    } else if key.starts_with(key::ACL_TOKENS) {
        read::<AclToken>(bytes)?.sealed
    } else {
        None
    };
    sealed.map(|sealed| sealed.key_id)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice::<Envelope<T>>(bytes).ok().map(|envelope| envelope.data)
}
