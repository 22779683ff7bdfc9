//! What a sealed value looks like at rest.

use std::fmt;

use aws_lc_rs::aead::NONCE_LEN;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::KeyId;

/// A value that only the keyring can open.
///
/// # Shape
/// An object of three texts: `key_id`; `nonce`, 12 bytes, and `ciphertext`, the value and a tag of 16 bytes, both in
/// base64.
///
/// # Security
/// Safe to store and to back up apart from the keyring. `Debug` shows the id and a length.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AtRest", into = "AtRest")]
pub struct Sealed {
    pub(super) key_id: KeyId,
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) ciphertext: Vec<u8>,
}

impl Sealed {
    /// Returns the id of the key that sealed it.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.ciphertext.len();
        f.debug_struct("Sealed").field("key_id", &self.key_id).field("bytes", &bytes).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct AtRest {
    key_id: KeyId,
    nonce: String,
    ciphertext: String,
}

/// Says that a stored value was never sealed.
#[derive(Debug, Clone, Copy, Error)]
enum AtRestError {
    #[error("expected {NONCE_LEN} bytes in base64 as nonce")]
    Nonce,
    #[error("expected base64 as ciphertext")]
    Ciphertext,
}

impl From<Sealed> for AtRest {
    fn from(sealed: Sealed) -> Self {
        Self {
            key_id: sealed.key_id,
            nonce: STANDARD.encode(sealed.nonce),
            ciphertext: STANDARD.encode(sealed.ciphertext),
        }
    }
}

impl TryFrom<AtRest> for Sealed {
    type Error = AtRestError;

    fn try_from(at_rest: AtRest) -> Result<Self, AtRestError> {
        let nonce = STANDARD.decode(at_rest.nonce).map_err(|_| AtRestError::Nonce)?;
        Ok(Self {
            key_id: at_rest.key_id,
            nonce: nonce.try_into().map_err(|_| AtRestError::Nonce)?,
            ciphertext: STANDARD.decode(at_rest.ciphertext).map_err(|_| AtRestError::Ciphertext)?,
        })
    }
}
