//! Why a token is refused. Where Consul has a text for it, the text is Consul's.

use jiff::Timestamp;
use thiserror::Error;

use super::consul::TOKEN_BYTES_MAX;
use crate::address::AddressError;
use crate::foreign::quoted;
use crate::gojson::JsonError;
use crate::trust::{CertificateError, Unusable};

/// Says why a text is not a peering token.
///
/// # Security
/// At most one byte of the text is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("peering token is too long: expected at most {TOKEN_BYTES_MAX} bytes, got {bytes}; check what was pasted")]
    TooLong {
        /// Length of what was given.
        bytes: usize,
    },
    /// Not base64.
    #[error("failed to decode token: illegal base64 data at input byte {offset}")]
    Base64 {
        /// The offset that Go names.
        offset: usize,
    },
    /// Base64 of something else than the JSON of a token.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// Says why a token that could be read must not be used. Consul's rules come first, in Consul's order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// An entry of `CA` is not a certificate.
    #[error("peering token invalid CA: {reason}")]
    Ca {
        /// Which entry, from 0.
        index: usize,
        /// What is wrong with it.
        reason: CertificateError,
    },
    /// Both lists of addresses are empty.
    #[error("peering token server addresses value is empty")]
    NoAddresses,
    /// An address cannot be dialed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is a CA and no name to check against it.
    #[error("peering token server name value is empty")]
    NoServerName,
    /// The acceptor's id of the peering is missing.
    #[error("peering token peer ID value is empty")]
    NoPeerId,
    /// A list is longer than any real cluster needs.
    #[error("peering token has too many entries in {list}: expected at most {max}, got {got}")]
    TooMany {
        /// The key of the list.
        list: &'static str,
        /// Most entries.
        max: usize,
        /// Entries found.
        got: usize,
    },
    /// There is a CA, and no entry of it can be trusted now.
    #[error(
        "peering token has no usable root certificate among {entries}, the first one {first}; generate a new token"
    )]
    NoUsableRoot {
        /// Entries of `CA`.
        entries: usize,
        /// Why the first is not usable.
        first: Unusable,
    },
    /// The acceptor said that it would not take the token any longer.
    #[error("peering token expired at {at}; generate a new token")]
    Expired {
        /// When.
        at: Timestamp,
    },
}

/// Something odd in a token that is usable all the same.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenWarning {
    /// An entry of `CA` is left out of the trusted roots.
    #[error("CA entry {index} with subject {} is not trusted: it {reason}", quoted(.subject))]
    RootDropped {
        /// Which entry, from 0.
        index: usize,
        /// Whom the certificate names.
        subject: String,
        /// Why.
        reason: Unusable,
    },
    /// An entry of `CA` holds text after its first certificate, which is left out.
    #[error("CA entry {index} has more than one certificate; only the first is trusted")]
    RootsAfterFirst {
        /// Which entry, from 0.
        index: usize,
    },
    /// `TokenID` is not a UUID and is ignored.
    #[error("TokenID is not a UUID and is ignored")]
    TokenId,
}
