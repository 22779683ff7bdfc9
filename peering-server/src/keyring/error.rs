//! Why a keyring cannot be made, opened or used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::KeyId;

/// Says why a keyring cannot be made, opened or used.
///
/// # Security
/// No variant has key bytes, plaintext or any part of a malformed file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no keyring file.
    #[error("there is no keyring at {}: restore it, for without it what the store has sealed is lost", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A keyring would have been overwritten.
    #[error("there is something at {} already: a keyring is never overwritten", path.display())]
    Exists {
        /// Where it was to be made.
        path: PathBuf,
    },
    /// There is no room for another key.
    #[error("{} has no room for another key: expected at most {expected} bytes, it would have {found}", path.display())]
    TooManyKeys {
        /// The keyring.
        path: PathBuf,
        /// The most that is read.
        expected: u64,
        /// What it would have.
        found: u64,
    },
    /// Somebody else is changing the keyring.
    #[error("{} is being changed by another process: try again when that is done", path.display())]
    InUse {
        /// The keyring.
        path: PathBuf,
    },
    /// Others on this machine may read or write the keyring.
    #[error("{} has mode {found:04o}, so that others may use it: run `chmod 600 {}`", path.display(), path.display())]
    WrongMode {
        /// The keyring.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
    },
    /// Somebody else has the keyring, and could put another in its place.
    #[error(
        "{} belongs to user {found} and this is user {expected}: run this as user {found}, or name a keyring of user {expected}",
        path.display()
    )]
    WrongOwner {
        /// The keyring.
        path: PathBuf,
        /// Whose it is.
        found: u32,
        /// Who wants to use it.
        expected: u32,
    },
    /// This user may not do what must be done with the keyring.
    #[error("could not {operation} {}: give this user the right to, or name another keyring", path.display())]
    Denied {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A newer release wrote the keyring.
    #[error("{} has keyring version {found}, this program knows up to {supported}: run a newer release", path.display())]
    NewerVersion {
        /// The keyring.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version that this program knows.
        supported: u64,
    },
    /// The file is not a keyring.
    #[error("{} is not a keyring: {reason}; restore it", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Malformed,
    },
    /// Something was sealed or computed with a key that is not on this ring.
    #[error("key {id} is not on this keyring: use the keyring that this store was made with")]
    ForeignKey {
        /// The key's id.
        id: KeyId,
    },
    /// What was sealed does not open under this label and context: it was changed, or is something else.
    #[error("what was sealed with key {id} cannot be opened: it was changed, or taken for something else")]
    Unsealable {
        /// The id of the key that was tried.
        id: KeyId,
    },
    /// AWS-LC refused; of all that we ask, only to seal more than 64 GiB.
    #[error("the cryptographic library refused to {operation}")]
    Refused {
        /// What it was to do.
        operation: &'static str,
    },
    /// The system refused something else.
    #[error("could not {operation} {}", path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Says why a file is not a keyring.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is not a plain file.
    #[error("expected a file")]
    Kind,
    /// It is longer than any keyring.
    #[error("expected at most {expected} bytes, got {found}")]
    Size {
        /// The most that is read.
        expected: u64,
        /// Its length.
        found: u64,
    },
    /// It is not JSON of the right shape. The parser's own text is left out, because it may quote a key.
    #[error("expected an object with `version`, `current` and `keys`, failed at line {line}, column {column}")]
    Json {
        /// Where reading stopped.
        line: usize,
        /// Where reading stopped.
        column: usize,
    },
    /// Its version never existed.
    #[error("there is no version {found}")]
    Version {
        /// What it says.
        found: u64,
    },
    /// A key's id has another form.
    #[error("expected key ids of {expected} lower-case hexadecimal digits")]
    KeyId {
        /// How many digits.
        expected: usize,
    },
    /// A key is not base64 or has another length.
    #[error("expected {expected} bytes in base64 as key {id}")]
    Key {
        /// The key's id.
        id: KeyId,
        /// How many bytes.
        expected: usize,
    },
    /// Two keys have the same id.
    #[error("there are two keys {id}")]
    Repeated {
        /// The id.
        id: KeyId,
    },
    /// The current key is not among the keys.
    #[error("the current key {id} is not among the keys")]
    NoCurrent {
        /// The id.
        id: KeyId,
    },
}
