//! Signatures that others check without the keyring: by public halves that anybody may have.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hkdf;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KeyId, Keyring, KeyringError, Label, RingKey, refused};

/// Bytes in the seed of an Ed25519 key.
const SEED_BYTES: usize = 32;

/// What checks the signatures of one key of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The key's public name.
    pub id: KeyId,
    /// Whether it makes the signatures of today.
    pub is_current: bool,
    spki: Vec<u8>,
}

impl PublicKey {
    /// Returns the key as a `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns that in base64, one line.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.spki)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl RingKey {
    /// Derives the key that signs under a label.
    fn signing(&self, label: Label) -> Result<Ed25519KeyPair, KeyringError> {
        let (prk, info) = (self.extract(), [label.text().as_bytes(), b" sign"]);
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        let derived = prk.expand(&info, hkdf::HKDF_SHA256).and_then(|key| key.fill(&mut *seed));
        derived.map_err(|_| refused("derive a key"))?;
        Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| refused("derive a key"))
    }
}

impl Keyring {
    /// Signs a message with Ed25519 and the current key; returns the key's id too.
    ///
    /// # Errors
    /// [`KeyringError::Refused`] if the key cannot be derived.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    ///
    /// use peering_server::entropy::SystemEntropy;
    /// use peering_server::keyring::{Keyring, Label};
    ///
    /// let keyring = Keyring::ephemeral(Arc::new(SystemEntropy));
    /// let (signature, id) = keyring.sign(Label::AuditCheckpoint, b"message")?;
    /// assert_eq!((signature.len(), &id), (64, keyring.current_id()));
    /// # Ok::<(), peering_server::keyring::KeyringError>(())
    /// ```
    pub fn sign(&self, label: Label, message: &[u8]) -> Result<(Vec<u8>, KeyId), KeyringError> {
        let key = self.key(&self.current)?;
        Ok((key.signing(label)?.sign(message).as_ref().to_vec(), key.id.clone()))
    }

    /// Returns the public halves of all keys that sign, or signed, under a label; the current one first.
    ///
    /// # Errors
    /// [`KeyringError::Refused`] if a key cannot be derived.
    pub fn public_keys(&self, label: Label) -> Result<Vec<PublicKey>, KeyringError> {
        let public = |key: &RingKey| {
            let pair = key.signing(label)?;
            let spki = pair.public_key().as_der().map_err(|_| refused("print a public key"))?;
            let is_current = key.id == self.current;
            Ok(PublicKey { id: key.id.clone(), is_current, spki: spki.as_ref().to_vec() })
        };
        let mut keys: Vec<PublicKey> = self.keys.iter().map(public).collect::<Result<_, KeyringError>>()?;
        keys.sort_by_key(|key| !key.is_current);
        Ok(keys)
    }
}
