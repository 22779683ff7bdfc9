//! Secrets as types of their own: redacted, wiped on drop, compared in constant time, and hashed for keeping.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// # Security
        /// `Debug` prints the type's name alone; there is no `Display` and no `Serialize`. Memory is wiped on drop.
        /// Equality is constant-time for equal lengths.
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes a secret that came from outside; any text is one, the empty one too.
            #[must_use]
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(Zeroizing::new(text.into()))
            }

            /// Prints sixteen random bytes, drawn by the caller, in the form that Consul gives a secret.
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self::from_text(Uuid::from_bytes(bytes).as_hyphenated().to_string())
            }

            /// Returns the secret itself. Look for this word to find every place where one leaves its type.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Says whether there is nothing in it. An empty secret is never accepted.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Returns what may be kept of this secret.
            #[must_use]
            pub fn hash(&self) -> SecretHash {
                SecretHash::of(self.0.as_bytes())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

secret_text! {
    /// The one-time secret inside a peering token.
    EstablishmentSecret
}

secret_text! {
    /// The long-lived secret that a dialer presents when it opens a peer stream.
    StreamSecret
}

secret_text! {
    /// What a dialer sends with an exchange so that it alone may ask again: 64 hexadecimal digits.
    Redemption
}

secret_text! {
    /// The `SecretID` of an ACL token: what a caller presents to say who it is.
    AclSecret
}

/// The SHA-256 of a secret: all that an acceptor keeps.
///
/// # Shape
/// Thirty-two bytes; 64 lower-case hexadecimal digits in stored records. A secret of 128 random bits cannot be found
/// from it, so it needs no salt.
///
/// # Security
/// Equality is constant-time. `Debug` prints the type's name alone.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes the bytes of a secret.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns 64 lower-case hexadecimal digits, for keys and stored records.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hash.to_hex()
    }
}

impl TryFrom<String> for SecretHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "a secret hash is 64 hexadecimal digits";
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EXPECTED);
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| EXPECTED)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_secret() {
        let secret = EstablishmentSecret::from_text("hunter2");
        assert_eq!(format!("{secret:?}"), "EstablishmentSecret");
        assert_eq!(format!("{:?}", secret.hash()), "SecretHash");
    }

    #[test]
    fn equality_is_by_content() {
        assert_eq!(StreamSecret::from_text("a"), StreamSecret::from_text("a"));
        assert_ne!(StreamSecret::from_text("a"), StreamSecret::from_text("ab"));
    }

    #[test]
    fn a_hash_round_trips_through_its_stored_form() {
        let hash = StreamSecret::from_random([7; 16]).hash();
        assert_eq!(SecretHash::try_from(hash.to_hex()).unwrap(), hash);
        assert!(SecretHash::try_from("zz".repeat(32)).is_err());
        assert!(SecretHash::try_from("+f".repeat(32)).is_err());
        assert!(SecretHash::try_from("é".repeat(32)).is_err());
        assert!(SecretHash::try_from("0".repeat(63)).is_err());
    }

    #[test]
    fn random_bytes_print_as_consul_prints_a_secret() {
        let secret = EstablishmentSecret::from_random([0xab; 16]);
        assert_eq!(secret.expose(), "abababab-abab-abab-abab-abababababab");
    }
}
