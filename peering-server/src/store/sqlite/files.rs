//! The data directory: made private before SQLite sees it, checked to be private, and locked while it is open.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::OpenError;

/// The database; SQLite puts `store.sqlite-wal` and `store.sqlite-shm` beside it and gives them its mode.
const DATABASE_FILE: &str = "store.sqlite";
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
    /// Makes the directory and its files if they are missing, checks their modes, and takes the lock.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        make_directory(directory)?;
        let lock = lock(directory)?;
        let database = directory.join(DATABASE_FILE);
        for suffix in COMPANION_SUFFIXES {
            let companion = directory.join(format!("{DATABASE_FILE}{suffix}"));
            match companion.metadata() {
                Ok(metadata) => check_mode(&companion, &metadata, FILE_MODE)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(OpenError::of_io("look at", &companion, error)),
            }
        }
        private_file(&database)?;
        sync_directory(directory)?;
        Ok(Self { database, _lock: lock })
    }

    /// Path of the database.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }
}

fn make_directory(directory: &Path) -> Result<(), OpenError> {
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => check_mode(directory, &metadata, DIRECTORY_MODE),
        Ok(_) => Err(OpenError::NotADirectory { path: directory.to_owned() }),
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
    match file.try_lock() {
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
    check_mode(path, &metadata, FILE_MODE)?;
    Ok(file)
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
