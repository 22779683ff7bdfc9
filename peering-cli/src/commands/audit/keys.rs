//! Public keys as they are given and shown: a file of PEM, or the base64 of one.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peering_core::audit::Signer;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::bounded;
use crate::commands::audit::error::AuditError;

/// Most bytes of a file of keys: a key has some 120.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;
/// What a `SubjectPublicKeyInfo` of an Ed25519 key begins with in DER (RFC 8410); 32 bytes follow.
const SPKI_BEGINS: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Bytes of an Ed25519 key.
const KEY_BYTES: usize = 32;

/// What stands before the id of a key in a line before its block.
const ID_BEGINS: &str = "Key ";
/// The lines around a key.
const BLOCK: [&str; 2] = ["-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"];

/// Keys, any of which may have signed.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

/// A key that was given.
#[derive(Debug)]
struct Key {
    /// Its id, if it was given with one.
    id: Option<String>,
    key: [u8; KEY_BYTES],
}

impl Keys {
    /// Reads what was given.
    pub(super) fn read(given: &[String]) -> Result<Self, AuditError> {
        let mut keys = Vec::new();
        for text in given {
            let read = of_text(text).or_else(|| of_file(Path::new(text)));
            keys.extend(read.filter(|read| !read.is_empty()).ok_or_else(|| AuditError::Key(text.clone()))?);
        }
        Ok(Self(keys))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says which of the keys made a signature, given the id of the one that should have.
    pub(super) fn signer(&self, named: &str, message: &[u8], signature: &[u8]) -> Signer {
        let signed = |Key { key, .. }: &Key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok();
        if self.0.iter().any(signed) {
            Signer::Known
        } else if self.0.iter().any(|key| key.id.as_deref() == Some(named)) {
            Signer::Nobody
        } else if self.0.iter().any(|key| key.id.is_none()) {
            Signer::Unsure
        } else {
            Signer::Unknown
        }
    }
}

fn of_text(text: &str) -> Option<Vec<Key>> {
    Some(vec![Key { id: None, key: of_spki(&STANDARD.decode(text.trim()).ok()?)? }])
}

fn of_file(path: &Path) -> Option<Vec<Key>> {
    let text = bounded::read_text_file(path, KEY_FILE_BYTES_MAX).ok()??;
    let [begins, ends] = BLOCK;
    let blocks = text.split_inclusive(ends).filter(|block| block.contains(begins));
    blocks.map(of_block).collect()
}

/// Reads a block of PEM and the id in the words before it.
fn of_block(text: &str) -> Option<Key> {
    let key = of_spki(&SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?)?;
    let id = text.lines().rev().find_map(|line| line.strip_prefix(ID_BEGINS));
    let id = id.map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect());
    Some(Key { id, key })
}

fn of_spki(der: &[u8]) -> Option<[u8; KEY_BYTES]> {
    der.strip_prefix(&SPKI_BEGINS)?.try_into().ok()
}

/// Prints a key as a block of PEM: its base64 fits on one line.
pub(super) fn pem(base64: &str) -> String {
    let [begins, ends] = BLOCK;
    format!("{begins}\n{base64}\n{ends}")
}
