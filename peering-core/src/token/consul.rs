//! The peering token: what is in it, and the way between it and its text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::base64;
use super::error::DecodeError;
use super::wire::{Read, Written};
use crate::gojson;
use crate::remote::RemoteInfo;
use crate::secret::EstablishmentSecret;

/// Most bytes in the text of a token. A real one has 1 to 4 KiB; [`CA_ENTRIES_MAX`](super::CA_ENTRIES_MAX) large
/// certificates and all addresses fit many times over.
pub const TOKEN_BYTES_MAX: usize = 512 * 1024;

/// Everything that a peering token holds, checked by nobody.
///
/// # Shape
/// The token's text is base64 (standard, padded, one line) of a compact JSON object: Consul's seven keys in Consul's
/// order, always present, then `PeerName`, `TokenID`, `Meta` and `ExpiresAt` when they are there. Consul ignores those.
///
/// # Security
/// `Debug` does not show the establishment secret. There is no `Serialize`; [`Self::encode`] is the one way out.
///
/// # Source
/// The seven keys are those of Consul 1.16 and later; earlier tokens lack some, which is the same as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeringToken {
    /// Root certificates of the acceptor, one PEM text each; none means plaintext.
    pub ca: Vec<String>,
    /// Addresses that an operator gave; if there are any, only these are dialed.
    pub manual_server_addresses: Vec<String>,
    /// Addresses that the acceptor knows itself by.
    pub server_addresses: Vec<String>,
    /// TLS name of the acceptor.
    pub server_name: String,
    /// The acceptor's id of the peering: `PeerID` in the text.
    pub peer_id: String,
    /// The one-time secret.
    pub establishment_secret: EstablishmentSecret,
    /// Where the acceptor says it is.
    pub remote: RemoteInfo,
    /// The acceptor's name for the peer that the token is meant for.
    pub peer_name: Option<String>,
    /// Public name of this token, by which it is listed and revoked.
    pub token_id: Option<String>,
    /// Metadata that was given when the token was made.
    pub meta: BTreeMap<String, String>,
    /// From when on the acceptor refuses the token; written in whole seconds.
    pub expires_at: Option<Timestamp>,
}

impl PeeringToken {
    /// Writes the token.
    ///
    /// # Security
    /// The text is a credential: whoever holds it can join as the peer. The JSON in between is wiped.
    ///
    /// # Examples
    /// See `examples/token.rs`.
    #[must_use]
    pub fn encode(&self) -> String {
        base64::encode(self.to_json().as_bytes())
    }

    fn to_json(&self) -> Zeroizing<String> {
        #[expect(clippy::unwrap_used, reason = "texts, lists of texts and maps of texts always print")]
        let json = gojson::to_string(&Written::of(self)).unwrap();
        Zeroizing::new(json)
    }
}

/// A token that was read and not checked: to look at, not to act on.
///
/// # Examples
/// ```
/// use peering_core::token::{DecodeError, UnverifiedToken};
///
/// let refused = UnverifiedToken::decode("+++/+++").unwrap_err();
/// assert_eq!(refused, DecodeError::Base64 { offset: 4 });
/// assert_eq!(refused.to_string(), "failed to decode token: illegal base64 data at input byte 4");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedToken(PeeringToken);

impl UnverifiedToken {
    /// Reads a token as Consul does: line breaks anywhere, keys in any case, unknown keys ignored.
    ///
    /// A wrong type in one of our four keys counts as absent, because Consul does not look at them.
    ///
    /// # Errors
    /// [`DecodeError`] for a text that is too long, no base64, no JSON, or has a wrong type in one of Consul's keys.
    ///
    /// # Security
    /// No error repeats more of the token than one byte.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes: text.len() });
        }
        let json = base64::decode(text).map_err(|offset| DecodeError::Base64 { offset })?;
        let read: Read = gojson::unmarshal(&json)?;
        Ok(Self(read.into()))
    }

    /// Returns what the token says.
    #[must_use]
    pub const fn claims(&self) -> &PeeringToken {
        &self.0
    }

    pub(super) fn into_claims(self) -> PeeringToken {
        self.0
    }
}
