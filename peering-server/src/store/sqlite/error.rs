//! Why a data directory cannot be opened, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Says why a data directory cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The path leads to something other than a directory.
    #[error("{} is not a directory: name another data directory", path.display())]
    NotADirectory {
        /// What was named.
        path: PathBuf,
    },
    /// Something other than a file has the name of one of ours.
    #[error("{} is not a file: move it away, or name another data directory", path.display())]
    NotAFile {
        /// What has the name.
        path: PathBuf,
    },
    /// Somebody else has the directory, and could put other data into it.
    #[error(
        "{} belongs to user {found} and the server runs as user {expected}: run the server as user {found}, or name another data directory",
        path.display()
    )]
    WrongOwner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: u32,
        /// Who runs the server.
        expected: u32,
    },
    /// Somebody else has a file in our directory, left by a server that ran as another user.
    #[error(
        "{} belongs to user {found} and the server runs as user {expected}: run `chown {expected} {}`",
        path.display(), path.display()
    )]
    WrongFileOwner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: u32,
        /// Who runs the server.
        expected: u32,
    },
    /// Others on this machine may read or write the data.
    #[error("{} has mode {found:04o}, so that others may use it: run `chmod {expected:o} {}`", path.display(), path.display())]
    WrongMode {
        /// The directory or the file.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
        /// What they should be.
        expected: u32,
    },
    /// Another store, most likely of another process, has it open.
    #[error("{} is in use by another server: stop that one, or name another data directory", directory.display())]
    InUse {
        /// The data directory.
        directory: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written: give this user the right to, or name another data directory", path.display())]
    ReadOnly {
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer release wrote it.
    #[error("{} has schema version {found}, this program knows up to {supported}: run a newer release", path.display())]
    NewerVersion {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        supported: i64,
    },
    /// It is a database, but of another program.
    #[error("{} belongs to another program: name another data directory", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// It is damaged or no database at all.
    #[error("{} is damaged: restore it from a backup, or name another data directory", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite did not take the settings by which a commit outlives a crash.
    #[error(
        "SQLite cannot make commits to {} durable: expected journal mode wal and synchronous 2, got {journal_mode} and {synchronous}; name a data directory on a local disk",
        path.display()
    )]
    NotDurable {
        /// The database.
        path: PathBuf,
        /// Its journal mode.
        journal_mode: String,
        /// How much it syncs, as SQLite counts it.
        synchronous: i64,
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
    /// SQLite refused something else.
    #[error("could not {operation} {}", path.display())]
    Sqlite {
        /// What was attempted.
        operation: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// Sorts what the system said about a path.
    pub(super) fn of_io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::IsADirectory => Self::NotAFile { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, source: Box::new(source) }
            }
            _ => Self::Io { operation, path, source },
        }
    }

    /// Sorts what SQLite said about a database.
    pub(super) fn of_sqlite(operation: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            // What SQLite cannot open, although we just did, is a log that it may not make or read.
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly { path, source: Box::new(source) }
            }
            _ => Self::Sqlite { operation, path, source },
        }
    }
}
