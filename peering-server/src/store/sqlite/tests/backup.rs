//! Copies: of one moment, private, whole, and of nothing but a store of ours.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::super::{Backup, BackupError, back_up};
use super::*;

fn copy(place: &Place, target: &Path) -> Result<Backup, BackupError> {
    back_up(&place.data, target, &SystemEntropy)
}

/// Puts a copy where a store opens it.
fn restore(copy: &Path) -> Place {
    let place = Place::new();
    fs::create_dir(&place.data).unwrap();
    fs::set_permissions(&place.data, Permissions::from_mode(0o700)).unwrap();
    fs::copy(copy, place.data.join("store.sqlite")).unwrap();
    place
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_commits_go_on_holds_one_moment_and_all_that_was_answered_before_it() {
    let place = Place::new();
    let store = place.open();
    let (answered, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, stop, writes) = (Arc::clone(&answered), Arc::clone(&is_over), Arc::clone(&store));
    let writer = tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            // Two keys in one commit: a copy with one of them would be of no moment.
            let number = counted.load(Ordering::Acquire) + 1;
            let put = |key: &str| Write::Put(key.to_owned(), number.to_string().into_bytes());
            let txn = Txn { writes: vec![put("peerings/left"), put("secrets/right")], ..Txn::default() };
            counted.store(write(&writes, txn).await, Ordering::Release);
        }
    });
    let elsewhere = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let target = elsewhere.path().join(round.to_string());
        while answered.load(Ordering::Acquire) < round * 5 + 1 {
            tokio::task::yield_now().await;
        }
        let before = answered.load(Ordering::Acquire);
        let made = copy(&place, &target).unwrap();
        assert!(made.revision >= before, "revision {} after {before} was answered", made.revision);
        assert_eq!((made.peerings, made.bytes), (1, target.metadata().unwrap().len()));
        let restored = restore(&target).open();
        assert_eq!(restored.revision().await.unwrap(), made.revision);
        let left = value(&*restored, "peerings/left").await.unwrap();
        assert_eq!(Some(left), value(&*restored, "secrets/right").await);
    }
    is_over.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    assert_eq!(write(&store, put("a/b", "1")).await, answered.load(Ordering::Acquire) + 1, "nobody was disturbed");
}

#[tokio::test]
async fn a_copy_is_private_and_leaves_nothing_beside_it_or_the_store() {
    let place = Place::new();
    let store = place.open();
    write(&store, put("a/b", "1")).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("copy");
    assert_eq!(copy(&place, &target).unwrap().peerings, 0);
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(elsewhere.path()), ["copy"]);
    store.close().await;
    let second = elsewhere.path().join("second");
    copy(&place, &second).unwrap();
    assert_eq!(names(&place.data), ["lock", "store.sqlite"], "a store that nobody has open looks as before");
    assert_eq!(value(&*restore(&second).open(), "a/b").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_was_deleted_is_not_in_a_copy() {
    let place = Place::new();
    let store = place.open();
    let secret = "c3VwZXItc2VjcmV0".repeat(20);
    write(&store, put("secrets/a", &secret)).await;
    write(&store, Txn { writes: vec![Write::Delete("secrets/a".to_owned())], ..Txn::default() }).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("copy");
    copy(&place, &target).unwrap();
    let bytes = fs::read(&target).unwrap();
    assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
}

#[tokio::test]
async fn what_must_not_be_overwritten_or_is_no_place_or_no_store_is_refused() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("copy");
    let refusal = |target: &Path| copy(&place, target).unwrap_err().to_string();
    let data = place.data.display().to_string();
    let nothing = format!(
        "there is no store in {data}: name the directory of a server with -data-dir (one with -dev or -store memory keeps nothing)"
    );
    assert_eq!(refusal(&target), nothing);
    fs::create_dir(&place.data).unwrap();
    fs::set_permissions(&place.data, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(refusal(&target), nothing);
    fs::write(place.data.join("store.sqlite"), "").unwrap();
    fs::set_permissions(place.data.join("store.sqlite"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(refusal(&target), nothing, "an empty file is no store yet");
    drop(place.open());

    fs::write(&target, "mine").unwrap();
    let link = elsewhere.path().join("link");
    symlink("nowhere", &link).unwrap();
    for taken in [&target, &link] {
        let expected = "already: a backup overwrites nothing, name another file";
        assert_eq!(refusal(taken), format!("there is something at {} {expected}", taken.display()));
    }
    assert_eq!(fs::read(&target).unwrap(), b"mine");
    let missing = elsewhere.path().join("missing");
    let expected = format!("there is no directory {}: make it, or name a file in another", missing.display());
    assert_eq!(refusal(&missing.join("copy")), expected);
    let beside = place.data.join("store.sqlite-journal");
    assert_eq!(
        refusal(&beside),
        format!("{data} is the directory of the store itself: name a file elsewhere, best on another disk")
    );
    fs::set_permissions(&place.data, Permissions::from_mode(0o755)).unwrap();
    assert!(refusal(&missing).contains("has mode 0755"));
    assert_eq!(names(elsewhere.path()), ["copy", "link"], "a refusal leaves nothing behind");
}

#[tokio::test]
async fn a_store_that_is_damaged_or_of_another_program_is_not_copied() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("copy");
    let place = Place::new();
    let store = place.open();
    for number in 0..200 {
        write(&store, put(&format!("a/{number}"), &"x".repeat(500))).await;
    }
    store.close().await;
    let database = place.data.join("store.sqlite");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xff);
    fs::write(&database, bytes).unwrap();
    let error = copy(&place, &target).unwrap_err();
    assert!(matches!(&error, BackupError::DamagedStore { path, .. } if *path == database), "{error:?}");
    let foreign = Place::new();
    drop(foreign.open());
    let connection = rusqlite::Connection::open(foreign.data.join("store.sqlite")).unwrap();
    connection.pragma_update(None, "application_id", 7).unwrap();
    drop(connection);
    let error = copy(&foreign, &target).unwrap_err();
    assert!(matches!(error, BackupError::Open(OpenError::Foreign { .. })), "{error:?}");
    assert_eq!(names(elsewhere.path()), [""; 0]);
}

#[test]
fn a_file_system_without_hard_links_is_named_as_the_cause() {
    for errno in [rustix::io::Errno::PERM, rustix::io::Errno::OPNOTSUPP] {
        let told = super::super::backup::of_link(Path::new("/usb/copy"), errno.into());
        assert!(matches!(told, BackupError::NoHardLinks { .. }), "{told:?}");
        assert!(told.to_string().starts_with("could not make /usb/copy: its file system"), "{told}");
    }
}
