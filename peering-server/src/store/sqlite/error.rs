//! Why a data directory cannot be opened, each with its remedy.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rustix::io::Errno;
use thiserror::Error;

/// Files that a connection of SQLite has open at once: the database, its log, the index of that, and for a moment the
/// directory.
const SQLITE_FILES: usize = 4;

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
    /// This process or the machine may open no more files.
    #[error("{} cannot be opened among so many files: raise the limit of open files (`ulimit -n`), or end what holds them", path.display())]
    TooManyFiles {
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
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
        if is_too_many(&source) {
            return Self::TooManyFiles { path, source };
        }
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
        let code = source.sqlite_error_code();
        if code == Some(ErrorCode::CannotOpen)
            && let Some(source) = too_many(&path)
        {
            return Self::TooManyFiles { path, source };
        }
        match code {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            // What SQLite cannot open, although we just did, is a log that it may not make or read.
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly { path, source: Box::new(source) }
            }
            _ => Self::Sqlite { operation, path, source },
        }
    }
}

/// Tells whether files are what is lacking.
fn is_too_many(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Finds out whether the database cannot be opened for want of files, of which SQLite says nothing. It may have closed
/// those that it had, so as many are opened as it needs.
fn too_many(database: &Path) -> Option<io::Error> {
    let opened: Result<Vec<File>, io::Error> = (0..SQLITE_FILES).map(|_| File::open(database)).collect();
    opened.err().filter(is_too_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_want_of_files_is_told_as_such() {
        for errno in [Errno::MFILE, Errno::NFILE] {
            let told = OpenError::of_io("open", Path::new("/data/lock"), errno.into());
            assert!(matches!(told, OpenError::TooManyFiles { .. }), "{told}");
        }
        let told = OpenError::of_io("open", Path::new("/data/lock"), Errno::ACCESS.into());
        assert!(matches!(told, OpenError::ReadOnly { .. }), "{told}");
    }
}
