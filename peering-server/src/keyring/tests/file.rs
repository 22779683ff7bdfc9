//! The keyring's file.

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

struct Place {
    temporary: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("keyring");
    Place { temporary, path }
}

impl Place {
    fn create(&self) -> Result<Keyring, KeyringError> {
        Keyring::create(&self.path, Arc::new(SystemEntropy))
    }

    fn open(&self) -> Result<Keyring, KeyringError> {
        Keyring::open(&self.path, Arc::new(SystemEntropy))
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
        fs::set_permissions(&self.path, Permissions::from_mode(0o600)).unwrap();
    }

    fn reason(&self, text: &str) -> Malformed {
        self.write(text);
        match self.open() {
            Err(KeyringError::Malformed { path, reason }) if path == self.path => reason,
            other => panic!("{text} was read as {other:?}"),
        }
    }
}

#[test]
fn a_ring_that_was_created_opens_again() {
    let place = place();
    let created = place.create().unwrap();
    let opened = place.open().unwrap();
    assert_eq!(opened.current_id(), created.current_id());
    let sealed = created.seal(Label::CaKey, b"", b"secret").unwrap();
    assert_eq!(*opened.unseal(Label::CaKey, b"", &sealed).unwrap(), b"secret");
    let tag = |ring: &Keyring| ring.mac(Label::DialerRedemption, None, &[b"x"]).unwrap();
    assert_eq!(tag(&opened), tag(&created));
}

#[test]
fn the_file_is_private_and_alone() {
    let place = place();
    place.create().unwrap();
    assert_eq!(place.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.temporary.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_ring_is_never_overwritten() {
    let place = place();
    place.create().unwrap();
    let before = fs::read(&place.path).unwrap();
    assert!(matches!(place.create(), Err(KeyringError::Exists { path }) if path == place.path));
    assert_eq!(fs::read(&place.path).unwrap(), before);
    assert_eq!(fs::read_dir(place.temporary.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn of_servers_that_start_together_one_makes_the_ring() {
    let place = place();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..8).map(|_| scope.spawn(|| place.create())).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused = |outcome: &&Result<_, _>| matches!(outcome, Err(KeyringError::Exists { .. }));
    assert_eq!(outcomes.iter().filter(refused).count(), 7);
    let made: Vec<&Keyring> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(made.len(), 1);
    assert_eq!(place.open().unwrap().current_id(), made[0].current_id());
}

#[test]
fn a_missing_ring_is_named() {
    let place = place();
    let error = place.open().unwrap_err();
    assert!(matches!(&error, KeyringError::Missing { path } if *path == place.path), "{error:?}");
}

#[test]
fn a_ring_in_a_missing_directory_is_not_made() {
    let place = place();
    let nowhere = place.temporary.path().join("none/keyring");
    let error = Keyring::create(&nowhere, Arc::new(SystemEntropy)).unwrap_err();
    assert!(matches!(error, KeyringError::Io { operation: "write", .. }), "{error:?}");
    assert!(error.source().is_some());
}

#[test]
fn a_ring_that_others_may_read_is_refused_with_the_remedy() {
    let place = place();
    place.create().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(&place.path, Permissions::from_mode(mode)).unwrap();
        let error = place.open().unwrap_err();
        assert!(matches!(error, KeyringError::WrongMode { found, .. } if found == mode), "{error:?}");
        assert!(error.to_string().ends_with(&format!("run `chmod 600 {}`", place.path.display())), "{error}");
    }
    fs::set_permissions(&place.path, Permissions::from_mode(0o400)).unwrap();
    assert!(place.open().is_ok(), "stricter is fine");
}

#[test]
fn a_newer_version_is_refused_whatever_its_shape() {
    let place = place();
    place.write(r#"{"version": 2, "rings": {}}"#);
    let error = place.open().unwrap_err();
    assert!(matches!(error, KeyringError::NewerVersion { found: 2, supported: 1, .. }), "{error:?}");
}

#[test]
fn what_is_no_ring_is_refused_with_the_reason() {
    let place = place();
    let id = |text: &str| KeyId::parse(text).unwrap();
    let (one, two) = ("0123456789abcdef", "fedcba9876543210");
    let key = |id: &str, key: &str| format!(r#"{{"id":"{id}","key":"{key}"}}"#);
    let good = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let ring = |current: &str, keys: &[String]| {
        format!(r#"{{"version":1,"current":"{current}","keys":[{}]}}"#, keys.join(","))
    };
    place.write(&ring(one, &[key(two, good), key(one, good)]));
    assert_eq!(place.open().unwrap().current_id().as_str(), one);

    assert_eq!(place.reason(""), Malformed::Json { line: 1, column: 0 });
    assert_eq!(place.reason("{\"version\": 1,\n\"current\": 7}"), Malformed::Json { line: 2, column: 12 });
    assert!(matches!(place.reason(r#"{"version":1,"current":"","keys":[],"more":0}"#), Malformed::Json { .. }));
    assert_eq!(place.reason(r#"{"version":0}"#), Malformed::Version { found: 0 });
    assert_eq!(place.reason(&ring(one, &[])), Malformed::NoCurrent { id: id(one) });
    assert_eq!(place.reason(&ring(two, &[key(one, good)])), Malformed::NoCurrent { id: id(two) });
    assert_eq!(place.reason(&ring("x", &[key(one, good)])), Malformed::KeyId { expected: 16 });
    assert_eq!(place.reason(&ring(one, &[key("../etc", good)])), Malformed::KeyId { expected: 16 });
    assert_eq!(place.reason(&ring(one, &[key(one, good), key(one, good)])), Malformed::Repeated { id: id(one) });
    for bad in ["", "BwcH", "?", &good[..43]] {
        assert_eq!(place.reason(&ring(one, &[key(one, bad)])), Malformed::Key { id: id(one), expected: 32 });
    }
    let long = " ".repeat((64 << 10) + 1);
    assert_eq!(place.reason(&long), Malformed::Size { expected: 65_536, found: 65_537 });
}

#[test]
fn a_directory_is_no_ring() {
    let place = place();
    fs::create_dir(&place.path).unwrap();
    assert!(matches!(place.open(), Err(KeyringError::Malformed { reason: Malformed::Kind, .. })));
}

#[test]
fn no_error_repeats_a_key() {
    let place = place();
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    for text in [
        format!(r#"{{"version":1,"current":"0123456789abcdef","keys":["{key}"]}}"#),
        format!(r#"{{"version":"{key}"}}"#),
        format!(r#"{{"version":1,"current":"{key}","keys":[]}}"#),
        format!(r#"{{"version":1,"{key}":"","keys":[]}}"#),
        format!(r#"{{"version":1,"current":"","keys":[{{"id":"0123456789abcdef","key":"{key}{key}"}}]}}"#),
    ] {
        place.write(&text);
        let error = place.open().unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.source());
        assert!(!shown.contains("BwcHBwcH") && !shown.contains("7, 7, 7"), "{shown}");
    }
}

#[test]
fn a_rotation_adds_a_current_key_and_what_was_sealed_before_opens() {
    let place = place();
    let first = place.create().unwrap();
    let sealed = first.seal(Label::CaKey, b"", b"secret").unwrap();
    let rotated = Keyring::rotate(&place.path, Arc::new(SystemEntropy)).unwrap();
    let opened = place.open().unwrap();
    let ids = |ring: &Keyring| ring.ids().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(&opened), [first.current_id().to_string(), rotated.current_id().to_string()]);
    assert_eq!(opened.current_id(), rotated.current_id());
    assert_eq!(*opened.unseal(Label::CaKey, b"", &sealed).unwrap(), b"secret");
    let newer = opened.seal(Label::CaKey, b"", b"newer").unwrap();
    assert_eq!(newer.key_id(), rotated.current_id());
    let error = first.unseal(Label::CaKey, b"", &newer).unwrap_err();
    assert!(matches!(error, KeyringError::ForeignKey { id } if id == *rotated.current_id()), "until it is read again");
    assert_eq!(fs::metadata(&place.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.temporary.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn rotations_at_once_lose_no_key_and_one_that_is_refused_changes_nothing() {
    let place = place();
    place.create().unwrap();
    let rotate = || Keyring::rotate(&place.path, Arc::new(SystemEntropy));
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(rotate)).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        let mut made = 0;
        for outcome in outcomes {
            match outcome {
                Ok(_) => made += 1,
                Err(error) => assert!(matches!(error, KeyringError::InUse { .. }), "{error}"),
            }
        }
        made
    });
    assert!(made > 0);
    assert_eq!(place.open().unwrap().ids().count(), 1 + made);

    let before = fs::read(&place.path).unwrap();
    fs::set_permissions(&place.path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(rotate().unwrap_err(), KeyringError::WrongMode { found: 0o644, .. }));
    assert_eq!(fs::read(&place.path).unwrap(), before);
    fs::remove_file(&place.path).unwrap();
    assert!(matches!(rotate().unwrap_err(), KeyringError::Missing { .. }));
    assert!(!place.path.exists(), "a rotation makes no keyring");
}

#[test]
fn a_ring_takes_as_many_keys_as_its_file_may_hold() {
    let place = place();
    let mut ring = ring_of(600);
    while crate::keyring::file::create(&place.path, &ring).is_ok() && place.open().is_err() {
        fs::remove_file(&place.path).unwrap();
        ring.keys.drain(..10);
    }
    let full = loop {
        match Keyring::rotate(&place.path, Arc::new(SystemEntropy)) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, KeyringError::TooManyKeys { .. }), "{full}");
    assert!(place.open().unwrap().ids().count() > 400);
}

#[test]
fn a_link_to_a_ring_stays_a_link() {
    let place = place();
    place.create().unwrap();
    let link = place.temporary.path().join("link");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    Keyring::rotate(&link, Arc::new(SystemEntropy)).unwrap();
    assert!(link.is_symlink());
    assert_eq!(place.open().unwrap().ids().count(), 2);
}
