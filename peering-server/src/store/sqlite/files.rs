//! The data directory: made private before SQLite sees it, checked to be ours and private, and locked while it is open.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::error::OpenError;

/// The database; SQLite puts `store.sqlite-wal` and `store.sqlite-shm` beside it and gives them its mode.
pub(crate) const DATABASE_FILE: &str = "store.sqlite";
/// The files that SQLite adds.
const COMPANION_SUFFIXES: [&str; 2] = ["-wal", "-shm"];
/// Locked by whoever has the directory open. It stays when the store is closed; only the lock counts.
const LOCK_FILE: &str = "lock";
/// Only the owner may enter.
const DIRECTORY_MODE: u32 = 0o700;
/// Only the owner may read.
const FILE_MODE: u32 = 0o600;
/// Permission bits that nobody but the owner may have.
const OTHERS_MODE: u32 = 0o077;

/// A data directory that nobody else has open, until this is dropped.
#[derive(Debug)]
pub(super) struct DataDirectory {
    database: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory and its files if they are missing, checks their owners and modes, and takes the lock.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        make_directory(directory)?;
        let database = directory.join(DATABASE_FILE);
        // All of them before any is made, so that a refusal leaves the directory as it was.
        check_if_there(&directory.join(LOCK_FILE))?;
        check_if_there(&database)?;
        for suffix in COMPANION_SUFFIXES {
            check_if_there(&directory.join(format!("{DATABASE_FILE}{suffix}")))?;
        }
        let lock = lock(directory)?;
        private_file(&database)?;
        sync_directory(directory)?;
        Ok(Self { database, _lock: lock })
    }

    /// Path of the database.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }
}

/// Checks owners and modes without making anything or taking the lock; tells whether there is a database.
pub(crate) fn check(directory: &Path) -> Result<bool, OpenError> {
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => check_directory(directory, &metadata)?,
        Ok(_) => return Err(OpenError::NotADirectory { path: directory.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(OpenError::of_io("look at", directory, error)),
    }
    let database = directory.join(DATABASE_FILE);
    check_if_there(&database)?;
    for suffix in COMPANION_SUFFIXES {
        check_if_there(&directory.join(format!("{DATABASE_FILE}{suffix}")))?;
    }
    Ok(database.exists())
}

fn make_directory(directory: &Path) -> Result<(), OpenError> {
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => check_directory(directory, &metadata),
        Ok(_) => Err(OpenError::NotADirectory { path: directory.to_owned() }),
        // A link that leads nowhere has the name and is nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_symlink() => {
            Err(OpenError::NotADirectory { path: directory.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(DIRECTORY_MODE).create(directory);
            made.map_err(|error| OpenError::of_io("make", directory, error))?;
            match directory.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
                _ => Ok(()),
            }
        }
        Err(error) => Err(OpenError::of_io("look at", directory, error)),
    }
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK_FILE);
    let file = private_file(&path)?;
    match crate::lock::lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::of_io("lock", &path, error)),
    }
}

/// Opens a file for writing and makes it, empty, if it is missing: with its mode from the first moment on.
fn private_file(path: &Path) -> Result<File, OpenError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    let file = opened.map_err(|error| OpenError::of_io("open", path, error))?;
    let metadata = file.metadata().map_err(|error| OpenError::of_io("look at", path, error))?;
    check_file(path, &metadata)?;
    Ok(file)
}

/// Looks at a file before it is opened, which fails for one of somebody else without saying whose it is.
fn check_if_there(path: &Path) -> Result<(), OpenError> {
    match path.metadata() {
        Ok(metadata) => check_file(path, &metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError::of_io("look at", path, error)),
    }
}

fn check_directory(path: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    if let Some((found, expected)) = other_owner(metadata) {
        return Err(OpenError::WrongOwner { path: path.to_owned(), found, expected });
    }
    check_mode(path, metadata, DIRECTORY_MODE)?;
    // SQLite would find it out too, with less to say.
    if metadata.permissions().mode() & DIRECTORY_MODE == DIRECTORY_MODE {
        Ok(())
    } else {
        Err(OpenError::of_io("write to", path, io::ErrorKind::PermissionDenied.into()))
    }
}

fn check_file(path: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    if !metadata.is_file() {
        return Err(OpenError::NotAFile { path: path.to_owned() });
    }
    if let Some((found, expected)) = other_owner(metadata) {
        return Err(OpenError::WrongFileOwner { path: path.to_owned(), found, expected });
    }
    check_mode(path, metadata, FILE_MODE)
}

/// Returns the owner and this process's user, if they differ.
fn other_owner(metadata: &Metadata) -> Option<(u32, u32)> {
    let (found, expected) = (metadata.uid(), geteuid().as_raw());
    (found != expected).then_some((found, expected))
}

fn check_mode(path: &Path, metadata: &Metadata, expected: u32) -> Result<(), OpenError> {
    let found = metadata.permissions().mode() & 0o777;
    if found & OTHERS_MODE == 0 { Ok(()) } else { Err(OpenError::WrongMode { path: path.to_owned(), found, expected }) }
}

/// Makes new names in a directory durable, which SQLite leaves to whoever made the files.
fn sync_directory(directory: &Path) -> Result<(), OpenError> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(|error| OpenError::of_io("sync", directory, error))
}
