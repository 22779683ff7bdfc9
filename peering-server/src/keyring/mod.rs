//! The keyring: seals what must be shown again, and derives what must be computed again.
//!
//! The keys never leave this room. Each use derives a key of its own from a key of the ring and the use's [`Label`], so
//! that what was made for one purpose means nothing for another.
//!
//! | File | Holds |
//! |---|---|
//! | `error` | why a keyring cannot be made, opened or used |
//! | `file` | the file: its shape, its mode, how it is made |
//! | `key_id` | the public name of a key |
//! | `sealed` | what a sealed value looks like at rest |
//! | `sign` | signatures, and the public halves that check them |

mod error;
mod file;
mod key_id;
mod sealed;
mod sign;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::{aead, hkdf, hmac};
use zeroize::Zeroizing;

pub use error::{KeyringError, Malformed};
pub use key_id::{KeyId, KeyIdError};
pub use sealed::Sealed;
pub use sign::PublicKey;

use crate::entropy::Entropy;

/// Bytes in a key of the ring.
const KEY_BYTES: usize = 32;

/// What a key is used for.
///
/// The text of a label is part of every key derived for it: changing one makes everything sealed under it unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Label {
    /// Seals the private keys of the certificate authorities.
    CaKey,
    /// Seals the stream secret that a dialer presents.
    DialerStreamSecret,
    /// Derives the stream secret that an acceptor hands out for a redemption, so that asking again gets the same.
    AcceptorRedemption,
    /// Derives the redemption that a dialer sends with an exchange.
    DialerRedemption,
    /// Seals the secrets of ACL tokens, to show them to whoever may change tokens.
    AclSecret,
    /// Signs the checkpoints of the audit trail.
    AuditCheckpoint,
}

impl Label {
    const fn text(self) -> &'static str {
        match self {
            Self::CaKey => "peering v1 ca key",
            Self::DialerStreamSecret => "peering v1 dialer stream secret",
            Self::AcceptorRedemption => "peering v1 acceptor redemption",
            Self::DialerRedemption => "peering v1 dialer redemption",
            Self::AclSecret => "peering v1 acl secret",
            Self::AuditCheckpoint => "peering v1 audit checkpoint",
        }
    }
}

/// One key of the ring, wiped on drop.
struct RingKey {
    id: KeyId,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl RingKey {
    fn random(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *key);
        Self { id: KeyId::random(entropy), key }
    }

    /// Derives the key that seals under a label.
    fn sealing(&self, label: Label) -> Result<aead::LessSafeKey, KeyringError> {
        let (prk, info) = (self.extract(), [label.text().as_bytes(), b" seal"]);
        let derived = prk.expand(&info, &aead::AES_256_GCM).map_err(|_| refused("derive a key"))?;
        Ok(aead::LessSafeKey::new(aead::UnboundKey::from(derived)))
    }

    /// Derives the key of the MAC under a label.
    fn mac(&self, label: Label) -> Result<hmac::Key, KeyringError> {
        let (prk, info) = (self.extract(), [label.text().as_bytes(), b" mac"]);
        let derived = prk.expand(&info, hmac::HMAC_SHA256).map_err(|_| refused("derive a key"))?;
        Ok(hmac::Key::from(derived))
    }

    /// Begins HKDF-SHA256; without salt, since the key is uniformly random.
    fn extract(&self) -> hkdf::Prk {
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&*self.key)
    }
}

const fn refused(operation: &'static str) -> KeyringError {
    KeyringError::Refused { operation }
}

/// Keys that seal, unseal and derive.
///
/// One key is current and makes everything new; the others open what was made before.
///
/// # Security
/// `Debug` shows ids only. Keys are wiped on drop.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use peering_server::entropy::SystemEntropy;
/// use peering_server::keyring::{Keyring, Label};
///
/// let keyring = Keyring::ephemeral(Arc::new(SystemEntropy));
/// let sealed = keyring.seal(Label::CaKey, b"authorities/peering", b"private key")?;
/// assert_eq!(*keyring.unseal(Label::CaKey, b"authorities/peering", &sealed)?, b"private key");
/// assert!(keyring.unseal(Label::CaKey, b"authorities/other", &sealed).is_err());
/// # Ok::<(), peering_server::keyring::KeyringError>(())
/// ```
pub struct Keyring {
    current: KeyId,
    keys: Vec<RingKey>,
    entropy: Arc<dyn Entropy>,
}

impl Keyring {
    /// Makes a ring of one key that is kept in memory only.
    #[must_use]
    pub fn ephemeral(entropy: Arc<dyn Entropy>) -> Self {
        let key = RingKey::random(&*entropy);
        Self { current: key.id.clone(), keys: vec![key], entropy }
    }

    /// Makes a ring of one key and its file, mode 0600. When this returns, file and name are durable.
    ///
    /// Blocks for as long as the disk needs.
    ///
    /// # Errors
    /// [`KeyringError::Exists`] if there is anything at the path, even if it came there just now; [`KeyringError::Io`]
    /// if the file cannot be written.
    pub fn create(path: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, KeyringError> {
        let keyring = Self::ephemeral(entropy);
        file::create(path, &keyring)?;
        Ok(keyring)
    }

    /// Opens the ring in a file. The entropy is for what is sealed from now on.
    ///
    /// Blocks for as long as the disk needs.
    ///
    /// # Errors
    /// [`KeyringError::Missing`], [`KeyringError::WrongMode`], [`KeyringError::NewerVersion`],
    /// [`KeyringError::Malformed`], or [`KeyringError::Io`] if the file cannot be read.
    pub fn open(path: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, KeyringError> {
        let (current, keys) = file::open(path)?;
        Ok(Self { current, keys, entropy })
    }

    /// Adds a new key to the ring in a file and makes it the current one. The others stay, since they open what was
    /// sealed with them. When this returns, the change is durable; a crash leaves the old file or the new one.
    ///
    /// A server that has the ring open goes on with what it has read, until it is started again.
    ///
    /// Blocks for as long as the disk needs.
    ///
    /// # Errors
    /// Those of [`Keyring::open`]; [`KeyringError::InUse`] while another process does the same, and
    /// [`KeyringError::TooManyKeys`] if the file would be longer than what is read.
    pub fn rotate(path: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, KeyringError> {
        file::change(path, || {
            let mut keyring = Self::open(path, entropy)?;
            let key = RingKey::random(&*keyring.entropy);
            keyring.current = key.id.clone();
            keyring.keys.push(key);
            Ok(keyring)
        })
    }

    /// Returns the ids of all keys, the oldest first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().map(|key| &key.id)
    }

    /// Returns the id of the key that makes everything new.
    #[must_use]
    pub const fn current_id(&self) -> &KeyId {
        &self.current
    }

    /// Seals a value under the current key.
    ///
    /// The context names what the value belongs to, such as its store key; it is not stored, and whoever unseals must
    /// know it.
    ///
    /// # Errors
    /// [`KeyringError::Refused`] for more than 64 GiB.
    ///
    /// # Security
    /// AES-256-GCM with a random nonce of 96 bits, under a key of its own per label; safe for four billion values per
    /// label and key.
    pub fn seal(&self, label: Label, context: &[u8], plaintext: &[u8]) -> Result<Sealed, KeyringError> {
        let key = self.key(&self.current)?;
        let mut nonce = [0; aead::NONCE_LEN];
        self.entropy.fill(&mut nonce);
        // Room for the tag from the start, so that no copy of the plaintext is left behind by growing.
        let mut text = Zeroizing::new(Vec::with_capacity(plaintext.len() + aead::AES_256_GCM.tag_len()));
        text.extend_from_slice(plaintext);
        let unique = aead::Nonce::assume_unique_for_key(nonce);
        let sealed = key.sealing(label)?.seal_in_place_append_tag(unique, aead::Aad::from(context), &mut *text);
        sealed.map_err(|_| refused("seal"))?;
        Ok(Sealed { key_id: key.id.clone(), nonce, ciphertext: std::mem::take(&mut *text) })
    }

    /// Opens a sealed value that was sealed under the same label and context.
    ///
    /// # Errors
    /// [`KeyringError::ForeignKey`] if its key is not on this ring; [`KeyringError::Unsealable`] if anything differs
    /// from what was sealed.
    pub fn unseal(&self, label: Label, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let key = self.key(&sealed.key_id)?;
        let mut text = Zeroizing::new(sealed.ciphertext.clone());
        let nonce = aead::Nonce::assume_unique_for_key(sealed.nonce);
        let opened = key.sealing(label)?.open_in_place(nonce, aead::Aad::from(context), &mut text);
        let bytes = opened.map_err(|_| KeyringError::Unsealable { id: sealed.key_id.clone() })?.len();
        text.truncate(bytes);
        Ok(text)
    }

    /// Computes HMAC-SHA256 over parts, with the key of this id, or the current one. Returns the id of the key as well,
    /// to ask again with.
    ///
    /// # Shape
    /// Each part is preceded by its length as eight bytes, most significant first, so that no two lists of parts are
    /// the same bytes.
    ///
    /// # Errors
    /// [`KeyringError::ForeignKey`] if the key is not on this ring.
    pub fn mac(
        &self,
        label: Label,
        key_id: Option<&KeyId>,
        parts: &[&[u8]],
    ) -> Result<(Zeroizing<[u8; 32]>, KeyId), KeyringError> {
        let key = self.key(key_id.unwrap_or(&self.current))?;
        let mut context = hmac::Context::with_key(&key.mac(label)?);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mac = Zeroizing::new([0; 32]);
        mac.copy_from_slice(context.sign().as_ref());
        Ok((mac, key.id.clone()))
    }

    fn key(&self, id: &KeyId) -> Result<&RingKey, KeyringError> {
        self.keys.iter().find(|key| key.id == *id).ok_or_else(|| KeyringError::ForeignKey { id: id.clone() })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&KeyId> = self.ids().collect();
        f.debug_struct("Keyring").field("current", &self.current).field("keys", &ids).finish_non_exhaustive()
    }
}
