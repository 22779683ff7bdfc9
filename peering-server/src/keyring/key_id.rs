//! The public name of a key.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::entropy::Entropy;

/// Digits in an id: 64 bits, so that two rings never share one by chance.
pub(super) const KEY_ID_DIGITS: usize = 16;

/// Names a key of a ring.
///
/// # Shape
/// Sixteen random lower-case hexadecimal digits. Public: it is stored beside what the key made.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// Says that a text is not the id of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected {KEY_ID_DIGITS} lower-case hexadecimal digits, got {bytes} bytes of another form")]
#[non_exhaustive]
pub struct KeyIdError {
    /// Length of what was given.
    pub bytes: usize,
}

impl KeyId {
    /// Reads the id of a key.
    ///
    /// # Errors
    /// [`KeyIdError`] for any other form.
    pub fn parse(text: &str) -> Result<Self, KeyIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == KEY_ID_DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyIdError { bytes: text.len() })
        }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; KEY_ID_DIGITS / 2];
        entropy.fill(&mut bytes);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, KeyIdError> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}
