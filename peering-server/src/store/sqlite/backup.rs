//! A copy of the store in one file, made while a server commits to it, or while none runs.
//!
//! `VACUUM INTO` copies one snapshot: in write-ahead mode a reader stops no writer and no writer stops it, and a copy is
//! never begun anew, as SQLite's own backup of pages is whenever another process commits. What was deleted is not in
//! it: no secret that is gone from the store comes back with a copy.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

use super::error::OpenError;
use super::files::{self, DATABASE_FILE};
use super::schema;
use crate::entropy::Entropy;
use crate::store::{Revision, key};

/// Only the owner may read.
const FILE_MODE: u32 = 0o600;

/// Says why there is no backup. Nothing is left at the place where it was to be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is no store to copy.
    #[error(
        "there is no store in {}: name the directory of a server with -data-dir (one with -dev or -store memory keeps nothing)",
        directory.display()
    )]
    NoStore {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The store belongs to somebody else.
    #[error("{} belongs to user {found} and this is user {expected}: make the backup as user {found}", path.display())]
    WrongOwner {
        /// The directory or the file.
        path: PathBuf,
        /// Whose it is.
        found: u32,
        /// Who wants to copy it.
        expected: u32,
    },
    /// The store cannot be opened for another reason.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something has the name already.
    #[error("there is something at {} already: a backup overwrites nothing, name another file", path.display())]
    Exists {
        /// Where the backup was to be.
        path: PathBuf,
    },
    /// There is no directory for it.
    #[error("there is no directory {}: make it, or name a file in another", directory.display())]
    NoDirectory {
        /// Where the backup was to be.
        directory: PathBuf,
    },
    /// The backup would lie beside the store.
    #[error("{} is the directory of the store itself: name a file elsewhere, best on another disk", directory.display())]
    Beside {
        /// The data directory.
        directory: PathBuf,
    },
    /// What was to be copied is damaged.
    #[error("the store {} is damaged ({problem}): restore it from an earlier backup", path.display())]
    DamagedStore {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// What was written is not what a store is.
    #[error("the copy at {} is not a good store ({problem}) and was removed: look at the disk, and at the store itself", path.display())]
    Damaged {
        /// Where the copy was.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file system cannot give the copy its name.
    #[error(
        "could not make {}: its file system seems to have no hard links; name a file on one that has, and copy it from there",
        path.display()
    )]
    NoHardLinks {
        /// Where the backup was to be.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system refused something.
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
    /// SQLite refused something.
    #[error("could not {operation} {}", path.display())]
    Sqlite {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// The revision of the last commit that is in it.
    pub revision: Revision,
    /// How many peerings are in it.
    pub peerings: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Copies the store in a data directory to a new file, mode 0600. When this returns, file and name are durable and what
/// is in the file has been read again.
///
/// Blocks for as long as the disks need.
///
/// # Errors
/// [`BackupError`], each variant with its remedy.
pub fn back_up(directory: &Path, target: &Path, entropy: &dyn Entropy) -> Result<Backup, BackupError> {
    let database = source(directory)?;
    let place = place(directory, target)?;
    let name = format!(".peering-backup-{}.draft", entropy.uuid());
    let draft = Draft(place.join(name));
    draft.make()?;
    copy(&database, &draft.0)?;
    let (revision, peerings) = look(&draft.0)?;
    let synced = File::open(&draft.0).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    let bytes = synced.map_err(failed("sync", &draft.0))?.len();
    // A hard link, unlike a new name, fails if somebody has just taken the name.
    fs::hard_link(&draft.0, target).map_err(|source| of_link(target, source))?;
    drop(draft);
    File::open(&place).and_then(|directory| directory.sync_all()).map_err(failed("sync", &place))?;
    Ok(Backup { revision, peerings, bytes })
}

/// Says why the copy could not be given its name.
pub(super) fn of_link(target: &Path, source: io::Error) -> BackupError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: target.to_owned() },
        // Linux says the one on FAT and the other on some file systems over the network.
        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported => {
            BackupError::NoHardLinks { path: target.to_owned(), source }
        }
        _ => failed("make", target)(source),
    }
}

/// Finds the database, which must be ours and private.
fn source(directory: &Path) -> Result<PathBuf, BackupError> {
    let database = directory.join(DATABASE_FILE);
    match files::check(directory) {
        Ok(true) => Ok(database),
        Ok(false) => Err(BackupError::NoStore { directory: directory.to_owned() }),
        Err(OpenError::WrongOwner { path, found, expected } | OpenError::WrongFileOwner { path, found, expected }) => {
            Err(BackupError::WrongOwner { path, found, expected })
        }
        Err(error) => Err(error.into()),
    }
}

/// Finds the directory of the backup, in which its name must be free.
fn place(directory: &Path, target: &Path) -> Result<PathBuf, BackupError> {
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path: target.to_owned() });
    }
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let place = parent.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            BackupError::NoDirectory { directory: parent.to_owned() }
        }
        _ => failed("look at", parent)(source),
    })?;
    if !place.is_dir() {
        return Err(BackupError::NoDirectory { directory: parent.to_owned() });
    }
    // A name such as store.sqlite-wal would be taken for a part of the store.
    if directory.canonicalize().is_ok_and(|directory| directory == place) {
        return Err(BackupError::Beside { directory: directory.to_owned() });
    }
    Ok(place)
}

/// Copies one snapshot into an empty file.
fn copy(database: &Path, draft: &Path) -> Result<(), BackupError> {
    let refused = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Sqlite { operation, path, source }
    };
    // For writing, though nothing is written: after a server was killed, the last one to close puts its log back.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(refused("open", database))?;
    connection.busy_timeout(schema::BUSY_TIMEOUT).map_err(refused("open", database))?;
    if schema::check_version(&connection, database)? {
        let directory = database.parent().unwrap_or(database).to_owned();
        return Err(BackupError::NoStore { directory });
    }
    let Some(name) = draft.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8");
        return Err(failed("write", draft)(source));
    };
    connection.execute("VACUUM INTO ?1", [name]).map(drop).map_err(|source| {
        // SQLite says of a damaged page that the disk is full, if that is how it reads.
        let damage =
            damage(&connection).map(|problem| BackupError::DamagedStore { path: database.to_owned(), problem });
        damage.unwrap_or_else(|| refused("copy the store to", draft)(source))
    })
}

/// Says what is wrong with the pages of a store; nothing if they are good, or cannot be read for another reason.
fn damage(connection: &Connection) -> Option<String> {
    let verdict: Result<String, _> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match verdict {
        Ok(verdict) => (verdict != "ok").then(|| verdict.trim().lines().last().unwrap_or_default().to_owned()),
        Err(error) => (error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)).then(|| error.to_string()),
    }
}

/// Reads a copy: that every page of it is good, that it is a store of ours, and what is in it.
fn look(draft: &Path) -> Result<(Revision, u64), BackupError> {
    let damaged = |problem: String| BackupError::Damaged { path: draft.to_owned(), problem };
    let unreadable = |error: rusqlite::Error| damaged(error.to_string());
    let connection = schema::open_reader(draft)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(unreadable)?;
    if verdict != "ok" {
        return Err(damaged(verdict));
    }
    if schema::check_version(&connection, draft)? {
        return Err(damaged("it is empty".to_owned()));
    }
    let position = schema::read_position(&connection).map_err(unreadable)?;
    let (first, behind) = (key::PEERINGS, key::PEERINGS.replace('/', "0"));
    let count = "SELECT count(*) FROM record WHERE key >= ?1 AND key < ?2";
    let peerings = connection.query_row(count, [first, &behind], |row| row.get(0)).map_err(unreadable)?;
    Ok((position.revision, peerings))
}

/// A file under another name, removed on drop; once linked, the backup keeps its own name.
struct Draft(PathBuf);

impl Draft {
    /// Makes the file, private before anything is in it.
    fn make(&self) -> Result<(), BackupError> {
        let made = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&self.0);
        made.map(drop).map_err(failed("write", &self.0))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "could not remove the draft of a backup");
        }
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io { operation, path, source }
}
