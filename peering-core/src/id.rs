//! One newtype per kind of id, so that a token's id is never taken for a peering's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// Length in bytes of a hyphenated UUID, the only form accepted.
const UUID_TEXT_BYTES: usize = 36;

/// Says that a text is not a hyphenated UUID.
///
/// # Security
/// Ids are public; the offending text is not repeated because a secret may have been pasted in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected a UUID of 36 characters such as 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d, got {bytes} bytes of another form"
)]
#[non_exhaustive]
pub struct IdError {
    /// Length of what was given.
    pub bytes: usize,
}

fn parse_uuid(text: &str) -> Result<Uuid, IdError> {
    let refused = IdError { bytes: text.len() };
    // `Uuid` also reads braces, URNs and bare hex digits, which no peer ever sends.
    if text.len() != UUID_TEXT_BYTES {
        return Err(refused);
    }
    Uuid::parse_str(text).map_err(|_| refused)
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// # Shape
        /// Sixteen bytes, printed as lower-case `8-4-4-4-12` hexadecimal. Version and variant bits are free.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id that was drawn by the caller.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the id as a UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Reads the hyphenated form.
            ///
            /// # Errors
            /// [`IdError`] for any other form, such as braces, a URN or 32 bare digits.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse_uuid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    };
}

uuid_id! {
    /// Names a peering on the cluster that keeps the record.
    ///
    /// The acceptor's id is the only one that crosses the wire: it is the `PeerID` of a peering token.
    PeeringId
}

uuid_id! {
    /// Names one issued token in public: safe to log, to list and to revoke by.
    TokenId
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d";

    #[test]
    fn a_hyphenated_uuid_round_trips_whatever_its_version_bits() {
        for text in [TEXT, "11111111-2222-3333-4444-555555555555"] {
            assert_eq!(PeeringId::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn upper_case_is_read_and_printed_lower() {
        assert_eq!(TokenId::parse(&TEXT.to_uppercase()).unwrap().to_string(), TEXT);
    }

    #[test]
    fn other_uuid_forms_are_refused_without_repeating_them() {
        let bare = TEXT.replace('-', "");
        for text in ["", "x", bare.as_str(), "urn:uuid:5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d", &TEXT.replace('-', "_")] {
            let error = PeeringId::parse(text).unwrap_err();
            assert_eq!(error.bytes, text.len());
            assert!(text.len() < 2 || !error.to_string().contains(text));
        }
    }
}
