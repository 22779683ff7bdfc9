//! Public keys as they are given and shown: a file of PEM, or the base64 of one.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

/// Keys, any of which may have signed.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<[u8; KEY_BYTES]>);

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

    /// Says whether one of the keys made a signature.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
    }
}

fn of_text(text: &str) -> Option<Vec<[u8; KEY_BYTES]>> {
    Some(vec![of_spki(&STANDARD.decode(text.trim()).ok()?)?])
}

fn of_file(path: &Path) -> Option<Vec<[u8; KEY_BYTES]>> {
    let text = bounded::read_text_file(path, KEY_FILE_BYTES_MAX).ok()??;
    SubjectPublicKeyInfoDer::pem_slice_iter(text.as_bytes()).map(|key| of_spki(&key.ok()?)).collect()
}

fn of_spki(der: &[u8]) -> Option<[u8; KEY_BYTES]> {
    der.strip_prefix(&SPKI_BEGINS)?.try_into().ok()
}

/// Prints a key as a block of PEM: its base64 fits on one line.
pub(super) fn pem(base64: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----")
}
