//! The keyring's file.
//!
//! ```json
//! { "version": 1, "current": "0123456789abcdef", "keys": [ { "id": "0123456789abcdef", "key": "<32 bytes in base64>" } ] }
//! ```

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::key_id::KEY_ID_DIGITS;
use super::{KEY_BYTES, KeyId, Keyring, KeyringError, Malformed, RingKey};

/// Version of the shape above.
const VERSION: u64 = 1;
/// Longest file that is read: room for some five hundred keys, of which a ring has a handful.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Only the owner may read.
const FILE_MODE: u32 = 0o600;
/// Permission bits that nobody but the owner may have.
const OTHERS_MODE: u32 = 0o077;

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u64,
    current: String,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: String,
    key: String,
}

/// Writes a ring to a new file.
///
/// The bytes are synced under another name first, so that a crash leaves no file or a whole one. The name is then given
/// by a hard link, which, unlike renaming, fails if somebody else has just taken it: two servers that start together on
/// one shared keyring must not each have their own.
pub(super) fn create(path: &Path, keyring: &Keyring) -> Result<(), KeyringError> {
    let directory = directory_of(path);
    let draft = Draft(directory.join(format!(".keyring-{}.draft", KeyId::random(&*keyring.entropy))));
    let written = encode(keyring).and_then(|text| draft.write(&text));
    written.map_err(|source| failed("write", &draft.0, source))?;
    fs::hard_link(&draft.0, path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyringError::Exists { path: path.to_owned() },
        _ => failed("make", path, source),
    })?;
    drop(draft);
    sync(directory)
}

/// Writes a ring over the file that it was made from. Of several processes that do so, one has the directory's lock: a
/// key that one of them has added must not be lost to the other.
pub(super) fn change(
    path: &Path,
    next: impl FnOnce() -> Result<Keyring, KeyringError>,
) -> Result<Keyring, KeyringError> {
    // What a link leads to is changed, and the link stays.
    let real = path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyringError::Missing { path: path.to_owned() },
        _ => failed("look at", path, source),
    })?;
    let directory = directory_of(&real);
    let lock = File::open(directory).map_err(|source| failed("open", directory, source))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => KeyringError::InUse { path: path.to_owned() },
        TryLockError::Error(source) => failed("lock", directory, source),
    })?;
    let keyring = next()?;
    let draft = Draft(directory.join(format!(".keyring-{}.draft", KeyId::random(&*keyring.entropy))));
    let text = encode(&keyring).map_err(|source| failed("write", &draft.0, source))?;
    let found = text.len() as u64;
    if found > FILE_BYTES_MAX {
        return Err(KeyringError::TooManyKeys { path: path.to_owned(), expected: FILE_BYTES_MAX, found });
    }
    draft.write(&text).map_err(|source| failed("write", &draft.0, source))?;
    fs::rename(&draft.0, &real).map_err(|source| failed("replace", path, source))?;
    sync(directory)?;
    Ok(keyring)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes new names durable.
fn sync(directory: &Path) -> Result<(), KeyringError> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(|source| failed("sync", directory, source))
}

/// Reads a ring: the current key's id and all keys.
pub(super) fn open(path: &Path) -> Result<(KeyId, Vec<RingKey>), KeyringError> {
    let text = read(path)?;
    let malformed = |reason| KeyringError::Malformed { path: path.to_owned(), reason };
    let not_json = |error: serde_json::Error| Malformed::Json { line: error.line(), column: error.column() };
    // The version first, since a newer one may have another shape.
    let Versioned { version } = serde_json::from_slice(&text).map_err(|error| malformed(not_json(error)))?;
    match version {
        VERSION => {}
        0 => return Err(malformed(Malformed::Version { found: 0 })),
        found => return Err(KeyringError::NewerVersion { path: path.to_owned(), found, supported: VERSION }),
    }
    let stored: Stored = serde_json::from_slice(&text).map_err(|error| malformed(not_json(error)))?;
    decode(&stored).map_err(malformed)
}

/// A file under another name, removed on drop; once linked, the ring keeps its own name.
struct Draft(PathBuf);

impl Draft {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&self.0)?;
        file.write_all(text)?;
        file.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "could not remove the draft of a keyring");
        }
    }
}

fn encode(keyring: &Keyring) -> io::Result<Zeroizing<Vec<u8>>> {
    let key = |key: &RingKey| StoredKey { id: key.id.to_string(), key: STANDARD.encode(*key.key) };
    let keys = keyring.keys.iter().map(key).collect();
    let stored = Stored { version: VERSION, current: keyring.current.to_string(), keys };
    // Room for everything from the start, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
    serde_json::to_writer_pretty(&mut *text, &stored)?;
    text.push(b'\n');
    Ok(text)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let malformed = |reason| Err(KeyringError::Malformed { path: path.to_owned(), reason });
    match path.metadata() {
        // Opening somebody else's fails without saying whose it is.
        Ok(metadata) if metadata.is_file() => check_owner(path, &metadata)?,
        // Opening a pipe would wait for whoever writes to it.
        Ok(_) => return malformed(Malformed::Kind),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyringError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(failed("look at", path, error)),
    }
    let mut file = File::open(path).map_err(|source| failed("open", path, source))?;
    // Of the open file, so that what is checked is what is read.
    let metadata = file.metadata().map_err(|source| failed("look at", path, source))?;
    check_owner(path, &metadata)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS_MODE != 0 {
        return Err(KeyringError::WrongMode { path: path.to_owned(), found: mode });
    }
    if metadata.len() > FILE_BYTES_MAX {
        return malformed(Malformed::Size { expected: FILE_BYTES_MAX, found: metadata.len() });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
    let read = Read::take(&mut file, FILE_BYTES_MAX).read_to_end(&mut text);
    read.map_err(|source| failed("read", path, source))?;
    Ok(text)
}

fn decode(stored: &Stored) -> Result<(KeyId, Vec<RingKey>), Malformed> {
    let parse = |text: &str| KeyId::parse(text).map_err(|_| Malformed::KeyId { expected: KEY_ID_DIGITS });
    let mut keys: Vec<RingKey> = Vec::with_capacity(stored.keys.len());
    for StoredKey { id, key } in &stored.keys {
        let id = parse(id)?;
        if keys.iter().any(|known| known.id == id) {
            return Err(Malformed::Repeated { id });
        }
        let bytes = STANDARD.decode(key).map(Zeroizing::new).ok().filter(|bytes| bytes.len() == KEY_BYTES);
        let Some(bytes) = bytes else { return Err(Malformed::Key { id, expected: KEY_BYTES }) };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        key.copy_from_slice(&bytes);
        keys.push(RingKey { id, key });
    }
    let current = parse(&stored.current)?;
    if keys.iter().any(|key| key.id == current) {
        Ok((current, keys))
    } else {
        Err(Malformed::NoCurrent { id: current })
    }
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), KeyringError> {
    let (found, expected) = (metadata.uid(), geteuid().as_raw());
    if found == expected { Ok(()) } else { Err(KeyringError::WrongOwner { path: path.to_owned(), found, expected }) }
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> KeyringError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            KeyringError::Denied { operation, path, source }
        }
        _ => KeyringError::Io { operation, path, source },
    }
}
