//! Why the audit trail cannot be opened or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::keyring::KeyringError;

/// Says why the audit trail cannot be opened or written, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// There is no space left for it.
    #[error("the disk of the audit log {} is full; free space on it, nothing is lost meanwhile", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file cannot be used.
    #[error("cannot {operation} the audit log {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not a file to append to.
    #[error("the audit log {} is not a regular file: name another, or stdout for standard output", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("the audit log {} belongs to user {found}, expected {expected}: give it to the user of the server", path.display())]
    WrongOwner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// The user of this process.
        expected: u32,
    },
    /// Others may change it.
    #[error("the audit log {} may be written by others, its mode is {found:o}: take that away with chmod go-w", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        found: u32,
    },
    /// Another server writes to it, or a reader has locked it.
    #[error(
        "the audit log {} is locked, by another server that writes to it or by a reader: name another file with -audit-log, \
         or end the reader", path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It has something else in it.
    #[error("{} holds something that is no audit trail, and nothing is added to it: name another file with -audit-log", path.display())]
    NotATrail {
        /// The file.
        path: PathBuf,
    },
    /// It is the trail of another server.
    #[error(
        "the audit log {} is that of another server, {of}, and nothing is added to it: move it away, or \
         name another file with -audit-log", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What tells so.
        of: String,
    },
    /// Standard output does not take lines.
    #[error("cannot write the audit trail to standard output")]
    Stdout(#[source] io::Error),
    /// Nobody reads what is printed.
    #[error("nobody reads the audit trail from standard output: let its reader go on")]
    StdoutStuck,
    /// A checkpoint cannot be signed.
    #[error("cannot sign a checkpoint of the audit trail")]
    Sign(#[from] KeyringError),
    /// A line has no JSON form.
    #[error("cannot write a line of the audit trail")]
    Line(#[from] serde_json::Error),
}

impl AuditError {
    pub(super) fn of_io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { operation, path, source },
        }
    }
}
