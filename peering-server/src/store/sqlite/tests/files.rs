//! Who may read the files, and what is refused.

use std::error::Error;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::super::error::OpenError as Sorted;
use super::{OpenError, Place, SqliteStore, put, value, write};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refusal(data: &Path) -> OpenError {
    SqliteStore::open(data).unwrap_err()
}

#[tokio::test]
async fn every_file_is_private() {
    let place = Place::new();
    let store = place.open();
    write(&store, put("a/b", "1")).await;
    assert_eq!(mode(&place.data), 0o700);
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&place.data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["lock", "store.sqlite", "store.sqlite-shm", "store.sqlite-wal"]);
}

#[tokio::test]
async fn a_directory_that_others_may_enter_is_refused_with_the_remedy() {
    let place = Place::new();
    fs::create_dir(&place.data).unwrap();
    for open in [0o755, 0o710, 0o701, 0o770] {
        set_mode(&place.data, open);
        let error = refusal(&place.data);
        assert!(matches!(error, OpenError::WrongMode { found, expected: 0o700, .. } if found == open), "{error:?}");
        assert!(error.to_string().ends_with(&format!("run `chmod 700 {}`", place.data.display())), "{error}");
    }
    assert_eq!(fs::read_dir(&place.data).unwrap().count(), 0, "a refusal leaves nothing behind");
    set_mode(&place.data, 0o700);
    place.open();
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused_with_the_remedy() {
    let place = Place::new();
    let store = place.open();
    write(&store, put("a/b", "1")).await;
    store.close().await;
    fs::write(place.data.join("store.sqlite-wal"), "").unwrap();
    set_mode(&place.data.join("store.sqlite-wal"), 0o600);
    for name in ["lock", "store.sqlite", "store.sqlite-wal"] {
        let path = place.data.join(name);
        set_mode(&path, 0o640);
        let error = refusal(&place.data);
        assert_eq!(
            error.to_string(),
            format!("{0} has mode 0640, so that others may use it: run `chmod 600 {0}`", path.display())
        );
        set_mode(&path, 0o600);
    }
    assert_eq!(value(&*place.open(), "a/b").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_closed() {
    let place = Place::new();
    let store = place.open();
    let error = refusal(&place.data);
    assert!(matches!(&error, OpenError::InUse { directory } if *directory == place.data), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{} is in use by another server: stop that one, or name another data directory", place.data.display())
    );
    write(&store, put("a/b", "1")).await;
    store.close().await;
    assert_eq!(value(&*place.open(), "a/b").await.as_deref(), Some("1"));
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let place = Place::new();
    fs::write(&place.data, "").unwrap();
    assert!(matches!(refusal(&place.data), OpenError::NotADirectory { path } if path == place.data));
    let below = place.data.join("below");
    assert!(matches!(refusal(&below), OpenError::NotADirectory { path } if path == below));
}

#[tokio::test]
async fn a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    place.open().close().await;
    let database = place.data.join("store.sqlite");
    Connection::open(&database).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let before = fs::read(&database).unwrap();
    let error = refusal(&place.data);
    assert!(matches!(error, OpenError::NewerVersion { found: 7, supported: 1, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{} has schema version 7, this program knows up to 1: run a newer release", database.display())
    );
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let place = Place::new();
    drop(SqliteStore::open(&place.data).unwrap());
    let other = Place::new();
    fs::create_dir(&other.data).unwrap();
    set_mode(&other.data, 0o700);
    let database = other.data.join("store.sqlite");
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    set_mode(&database, 0o600);
    let before = fs::read(&database).unwrap();
    assert!(matches!(refusal(&other.data), OpenError::Foreign { path } if path == database));
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let place = Place::new();
    place.open().close().await;
    let database = place.data.join("store.sqlite");
    fs::write(&database, "anything but a database, and long enough to have a header ".repeat(20)).unwrap();
    let error = refusal(&place.data);
    assert!(matches!(&error, OpenError::Damaged { path, .. } if *path == database), "{error:?}");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_store_without_its_revision_is_refused_as_damaged() {
    let place = Place::new();
    place.open().close().await;
    Connection::open(place.data.join("store.sqlite")).unwrap().execute("DELETE FROM store", []).unwrap();
    assert!(matches!(refusal(&place.data), OpenError::Damaged { .. }));
}

/// The tests may run as root, for whom nothing is read-only, so the sorting is tested by itself.
#[test]
fn what_cannot_be_written_is_called_read_only() {
    let path = Path::new("/somewhere");
    for kind in [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied] {
        assert!(matches!(Sorted::of_io("open", path, kind.into()), OpenError::ReadOnly { .. }));
    }
    assert!(matches!(Sorted::of_io("open", path, io::ErrorKind::StorageFull.into()), OpenError::Io { .. }));
    let refused = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY), None);
    assert!(matches!(Sorted::of_sqlite("open", path, refused), OpenError::ReadOnly { .. }));
}
