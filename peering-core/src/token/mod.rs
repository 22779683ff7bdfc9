//! Peering tokens: reading, checking and writing the one string that makes two clusters trust each other.
//!
//! A token is read in two steps with a type for each, so that nobody uses what was not checked:
//!
//! | step | type | what holds |
//! |---|---|---|
//! | [`UnverifiedToken::decode`] | [`UnverifiedToken`] | it is base64 of JSON with Consul's keys; nothing in it is to be believed |
//! | [`UnverifiedToken::verify`] | [`VerifiedToken`] | Consul would accept it, our bounds hold, a root is usable now |
//!
//! ```
//! use peering_core::token::UnverifiedToken;
//!
//! let refused = UnverifiedToken::decode("e30=")?.verify(jiff::Timestamp::UNIX_EPOCH).unwrap_err();
//! assert_eq!(refused.to_string(), "peering token server addresses value is empty");
//! # Ok::<(), peering_core::token::DecodeError>(())
//! ```

mod consul;
mod error;
pub mod inspect;
pub mod paste;

#[cfg(test)]
mod samples;
mod verify;
mod wire;

pub use consul::{PeeringToken, TOKEN_BYTES_MAX, UnverifiedToken};
pub use error::{DecodeError, TokenWarning, VerifyError};

pub use inspect::{INSPECT_BYTES_MAX, Report, inspect};
pub use verify::{ADDRESSES_MAX, CA_ENTRIES_MAX, VerifiedToken};
