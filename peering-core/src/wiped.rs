//! Bytes that were secret for a moment, and are wiped when they are dropped.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

/// A text on its way between a token and its fields.
///
/// Only what it holds is wiped, once. `Zeroizing` goes over the whole room of the vector as well, which for a token is
/// twice the work; here nothing but the content was ever written, since nothing shortens it.
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wiped({} bytes)", self.0.len())
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// A text that was read and is a secret, or holds one.
#[derive(Default, Deserialize)]
#[serde(from = "String")]
pub(crate) struct WipedText(Zeroizing<String>);

impl From<String> for WipedText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Deref for WipedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
