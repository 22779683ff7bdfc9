//! Why a verb about the audit trail failed.

use std::io;

use peering_core::audit::HeadError;
use thiserror::Error;

use crate::client::error::ClientError;
use crate::client::go_io;
use crate::client::settings::SettingsError;
use crate::output::OutputError;
use crate::output::escape::line;

/// Says why a verb about the audit trail failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum AuditError {
    /// The settings of the call are wrong.
    #[error("Error connecting to the server: {}", line(&.0.to_string()))]
    Connect(#[from] SettingsError),
    /// The keys were not told.
    #[error("Error reading the keys of the audit trail: {0}")]
    Keys(#[source] ClientError),
    /// The head was not told.
    #[error("Error reading the head of the audit trail: {0}")]
    Head(#[source] ClientError),
    /// The server knows no such endpoint.
    #[error("This server keeps no audit trail: a Consul does not, and nor did the first release of peering")]
    Unsupported,
    /// No file is named.
    #[error("Missing the files of the audit trail, such as audit.log, or - for standard input")]
    NoFile,
    /// A file cannot be read.
    #[error("Error reading {}: {}", line(place), go_io::reason(source))]
    File {
        /// The file.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// A file is compressed.
    #[error("{} is compressed: unpack it, perhaps with zcat, and give - to read it from standard input", line(.0))]
    Compressed(String),
    /// `-key` names neither a file nor a key.
    #[error("Invalid -key {}: expected a file of public keys in PEM, as `peering audit key` prints them, or the base64 of one", line(.0))]
    Key(String),
    /// `-head` is no head.
    #[error("Invalid -head: {0}")]
    BadHead(#[source] HeadError),
    /// `-from` is no number of a line.
    #[error("Invalid -from {}: expected the number of a line, from 1 on", line(.0))]
    From(String),
    /// `-format` names no format.
    #[error("Invalid format, valid formats are {{json|pretty}}")]
    Format,
    /// Neither `-token` nor `-peer` is given, or both are.
    #[error("Give one of -token and -peer: whose story is to be told")]
    Whose,
    /// `-token` is no id.
    #[error("Invalid -token {}: expected the id of a token, as `peering issued list` and `peering inspect` show it", line(.0))]
    TokenId(String),
    /// No line tells of the token.
    #[error("No line tells of the token {0}: is it of another server, or in a file that was rotated away?")]
    TokenAbsent(String),
    /// No line tells of the peer.
    #[error("No line tells of the peer {}: is it of another server, or in a file that was rotated away?", line(.0))]
    PeerAbsent(String),
    /// Something is wrong with the trail; the page says what.
    #[error("This audit trail is not as it was written")]
    Changed,
    /// Nothing is wrong, and nothing vouches for it.
    #[error("Nothing is wrong with this audit trail as far as it goes, and nobody vouches for it")]
    Unvouched,
    /// A checkpoint is signed with a key that was not given.
    #[error(
        "Nothing is wrong with this audit trail as far as it goes, and it is signed with {0}: give the keys of its server, which \
         `peering audit key` prints"
    )]
    UnknownKeys(String),
    /// Lines wait too long for a signature.
    #[error(
        "Nothing is wrong with this audit trail as far as it goes, and its last lines wait too long for a signature"
    )]
    Overdue,
    /// The head is older than the first line.
    #[error(
        "Nothing is wrong with this audit trail as far as it goes, and it begins after the head that was given: give the files before it too"
    )]
    HeadBefore,
    /// Nobody said that the first line here is not the first of all.
    #[error(
        "Nothing is wrong with this audit trail as far as it goes, and it begins at seq {0}: if earlier lines are kept elsewhere, \
         say so with -from {0}"
    )]
    BeginsLate(u64),
    /// The keyring cannot be opened.
    #[cfg(feature = "server")]
    #[error("Error opening the keyring: {}", peering_server::causes::chain(.0))]
    Keyring(#[source] Box<peering_server::keyring::KeyringError>),
    /// The store cannot be opened.
    #[cfg(feature = "server")]
    #[error("Error opening the store: {}", peering_server::causes::chain(.0))]
    Store(#[source] Box<peering_server::audit::StoredHeadError>),
    /// The operating system did not give what is needed.
    #[cfg(feature = "server")]
    #[error("Error preparing to run: {0}")]
    Runtime(#[source] io::Error),
    /// The result was not printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Explains a call that failed because the server has no such endpoint.
pub(super) fn explained(error: ClientError, other: fn(ClientError) -> AuditError) -> AuditError {
    if error.is_unknown_path() { AuditError::Unsupported } else { other(error) }
}
