//! How a call or an import ends when it does not end well: a code and a text, those of Consul.

use std::fmt;

use thiserror::Error;

use crate::foreign::echo;

/// Most characters kept of a message that a peer sent: it is shown to an operator, not to a program.
pub const PEER_MESSAGE_CHARS_MAX: usize = 256;

/// A status code of gRPC, the same numbers in trailers and in the `Error` of a request.
///
/// # Source
/// google.rpc `code.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusCode {
    /// 2: what Consul answers when it has no better code.
    Unknown,
    /// 3: a frame breaks a rule.
    InvalidArgument,
    /// 4: something expected did not come in time.
    DeadlineExceeded,
    /// 7: the secret is wrong.
    PermissionDenied,
    /// 8: too many requests, or too large a message.
    ResourceExhausted,
    /// 9: not the leader; another address may be.
    FailedPrecondition,
    /// 10: the peering was deleted.
    Aborted,
    /// 13: the other side failed.
    Internal,
    /// 14: nobody answers there now.
    Unavailable,
    /// Any other number, 0 (OK) among them.
    Other(i32),
}

impl StatusCode {
    /// Reads a number from the wire; every number is a code.
    #[must_use]
    pub const fn from_number(number: i32) -> Self {
        match number {
            2 => Self::Unknown,
            3 => Self::InvalidArgument,
            4 => Self::DeadlineExceeded,
            7 => Self::PermissionDenied,
            8 => Self::ResourceExhausted,
            9 => Self::FailedPrecondition,
            10 => Self::Aborted,
            13 => Self::Internal,
            14 => Self::Unavailable,
            other => Self::Other(other),
        }
    }

    /// Returns the number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Unknown => 2,
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Aborted => 10,
            Self::Internal => 13,
            Self::Unavailable => 14,
            Self::Other(number) => number,
        }
    }
}

/// Texts by which one code's meanings are told apart.
pub(super) mod text {
    pub(in crate::peerstream) const UNKNOWN_PEERING: &str = "unknown PeerID";
    pub(in crate::peerstream) const NO_SECRETS: &str = "peering must be re-established";
    pub(in crate::peerstream) const WRONG_END: &str = "the wrong end of peering is being dialed";
    pub(in crate::peerstream) const REPLACED: &str = "failed to register stream";
    pub(in crate::peerstream) const NOT_READY: &str = "Connect CA is not yet initialized";
    pub(in crate::peerstream) const SHUTTING_DOWN: &str = "the server is shutting down";
    pub(in crate::peerstream) const HEARTBEAT_TIMEOUT: &str = "heartbeat timeout";
    pub(in crate::peerstream) const ENDED_UNEXPECTEDLY: &str = "stream ended unexpectedly";
}

/// Why a stream ended or an import was refused, as it crosses the wire.
///
/// # Security
/// The text may repeat what a peer sent, up to [`ECHO_BYTES_MAX`](crate::foreign::ECHO_BYTES_MAX); escape it in logs. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (code {})", .code.number())]
pub struct Refusal {
    /// What kind of failure.
    pub code: StatusCode,
    /// The text for the other side.
    pub message: String,
}

impl Refusal {
    /// States a refusal of ours.
    #[must_use]
    pub fn new(code: StatusCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Keeps a refusal that a peer sent, its text cut at [`PEER_MESSAGE_CHARS_MAX`].
    #[must_use]
    pub fn from_peer(code: i32, message: &str) -> Self {
        let end = message.char_indices().nth(PEER_MESSAGE_CHARS_MAX).map_or(message.len(), |(at, _)| at);
        Self::new(StatusCode::from_number(code), &message[..end])
    }

    /// Refuses an `Open` for a peering that nobody knows.
    #[must_use]
    pub fn unknown_peering(id: &str) -> Self {
        let id = echo(id);
        Self::new(StatusCode::InvalidArgument, format!("initial subscription for unknown PeerID: {id}"))
    }

    /// Refuses an `Open` whose id is no UUID, or when the peering cannot be read.
    #[must_use]
    pub fn peering_unreadable(id: &str) -> Self {
        Self::new(StatusCode::Internal, format!("failed to find PeerID: {}", echo(id)))
    }

    /// Refuses an `Open` for a peering that ended; a dialer stops for ever.
    #[must_use]
    pub fn peering_deleted(id: &str) -> Self {
        Self::new(StatusCode::Aborted, format!("peering is marked as deleted: {}", echo(id)))
    }

    /// Refuses an `Open` when the secrets cannot be read.
    #[must_use]
    pub fn secrets_unreadable(id: &str) -> Self {
        Self::new(StatusCode::Internal, format!("failed to find peering secrets for PeerID: {}", echo(id)))
    }

    /// Refuses an `Open` for a peering that holds no secret.
    #[must_use]
    pub fn no_secrets() -> Self {
        Self::new(StatusCode::Internal, "unable to authorize connection, peering must be re-established")
    }

    /// Refuses an `Open` with a stream secret that is neither active nor pending.
    #[must_use]
    pub fn invalid_stream_secret() -> Self {
        Self::new(StatusCode::PermissionDenied, "invalid peering stream secret")
    }

    /// Refuses an `Open` whose promotion could not be stored.
    #[must_use]
    pub fn promotion_not_stored(cause: impl fmt::Display) -> Self {
        Self::new(StatusCode::Internal, format!("failed to persist peering: {cause}"))
    }

    /// Refuses an `Open` for a peering that we dial ourselves.
    #[must_use]
    pub fn wrong_end() -> Self {
        Self::new(StatusCode::InvalidArgument, "expected PeerID to be empty; the wrong end of peering is being dialed")
    }

    /// Ends an older stream of a peering, because a newer one took its place. The words are those in which Consul
    /// refuses the second stream; the loser dials again after a while, as after any failure.
    #[must_use]
    pub fn replaced(id: &str) -> Self {
        let id = quoted(id);
        let text = format!("failed to register stream: there is an active stream for the given PeerID {id}");
        Self::new(StatusCode::Unknown, text)
    }

    /// Refuses an `Open` before the certificate authority has its first root.
    #[must_use]
    pub fn authority_not_ready() -> Self {
        Self::new(StatusCode::Unavailable, text::NOT_READY)
    }

    /// Ends a stream because this server stops; the peer finds another, or this one again.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::new(StatusCode::Unavailable, text::SHUTTING_DOWN)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::InvalidArgument, message)
    }

    pub(super) fn heartbeat_timeout() -> Self {
        Self::new(StatusCode::Unknown, text::HEARTBEAT_TIMEOUT)
    }

    pub(super) fn ended_unexpectedly() -> Self {
        Self::new(StatusCode::Unknown, text::ENDED_UNEXPECTEDLY)
    }

    pub(super) fn receiving_failed(self) -> Self {
        Self::new(self.code, format!("unexpected error receiving from the stream: {}", self.message))
    }
}

/// Cuts and quotes a peer's text. Printable text comes out as Go's `%q` prints it.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", echo(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::ECHO_BYTES_MAX;

    #[test]
    fn codes_keep_their_numbers() {
        for number in -1..=20 {
            assert_eq!(StatusCode::from_number(number).number(), number);
        }
        assert_eq!(StatusCode::from_number(10), StatusCode::Aborted);
        assert_eq!(StatusCode::from_number(i32::MIN), StatusCode::Other(i32::MIN));
    }

    #[test]
    fn refusals_of_an_open_have_the_codes_and_texts_of_consul() {
        for (refusal, code, text) in [
            (Refusal::unknown_peering("x"), 3, "initial subscription for unknown PeerID: x"),
            (Refusal::peering_unreadable("x"), 13, "failed to find PeerID: x"),
            (Refusal::peering_deleted("x"), 10, "peering is marked as deleted: x"),
            (Refusal::secrets_unreadable("x"), 13, "failed to find peering secrets for PeerID: x"),
            (Refusal::no_secrets(), 13, "unable to authorize connection, peering must be re-established"),
            (Refusal::invalid_stream_secret(), 7, "invalid peering stream secret"),
            (Refusal::promotion_not_stored("disk full"), 13, "failed to persist peering: disk full"),
            (Refusal::wrong_end(), 3, "expected PeerID to be empty; the wrong end of peering is being dialed"),
            (
                Refusal::replaced("x"),
                2,
                "failed to register stream: there is an active stream for the given PeerID \"x\"",
            ),
            (Refusal::authority_not_ready(), 14, "Connect CA is not yet initialized"),
        ] {
            assert_eq!((refusal.code.number(), refusal.message.as_str()), (code, text));
        }
    }

    #[test]
    fn foreign_text_is_cut_between_characters() {
        let long = "é".repeat(ECHO_BYTES_MAX);
        assert_eq!(echo(&long).len(), ECHO_BYTES_MAX);
        assert_eq!(echo(&format!("x{long}")).len(), ECHO_BYTES_MAX - 1);
        assert_eq!(echo(""), "");
        assert!(Refusal::unknown_peering(&long).message.len() < ECHO_BYTES_MAX + 64);
        assert_eq!(Refusal::from_peer(2, &long).message.chars().count(), PEER_MESSAGE_CHARS_MAX);
        assert_eq!(Refusal::from_peer(2, "short").message, "short");
    }
}
