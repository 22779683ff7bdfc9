//! `peering keyring`: ids and nothing else of the keys, and no keyring that was not there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use peering_server::entropy::SystemEntropy;
use peering_server::keyring::Keyring;

use super::{failed, peering, succeeded};
use crate::Exit;

#[test]
fn a_key_is_added_and_listed_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (home, path) = (dir.path().to_str().unwrap(), dir.path().join("keyring"));
    let first = Keyring::create(&path, Arc::new(SystemEntropy)).unwrap().current_id().to_string();
    let list = ["keyring", "list", "-data-dir", home];
    assert_eq!(peering(&list, &[]), succeeded(&format!("Key               Use\n{first}  current\n")));
    let rotated = peering(&["keyring", "rotate", "-data-dir", home], &[]);
    let second = Keyring::open(&path, Arc::new(SystemEntropy)).unwrap().current_id().to_string();
    assert_ne!(first, second);
    let said = format!(
        "Key {second} is the current one of {home}/keyring now, of 2 keys\n\
         Start the server again to have it used, and keep a new copy of the keyring apart\n"
    );
    assert_eq!(rotated, succeeded(&said));
    let listed = peering(&["keyring", "list", "-keyring", path.to_str().unwrap(), "-data-dir=/nowhere"], &[]);
    let rows = format!("Key               Use\n{first}  opens what it sealed\n{second}  current\n");
    assert_eq!(listed, succeeded(&rows));
    let text = fs::read_to_string(&path).unwrap();
    let keys: Vec<&str> = text.split('"').filter(|word| word.len() == 44).collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| !listed.stdout.contains(key) && !rotated.stdout.contains(key)));
}

#[test]
fn what_is_no_private_keyring_is_refused_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let (home, path) = (dir.path().to_str().unwrap(), dir.path().join("keyring"));
    for verb in ["list", "rotate"] {
        let ran = peering(&["keyring", verb, "-data-dir", home], &[]);
        let missing = "restore it, for without it what the store has sealed is lost";
        assert_eq!(ran, failed(&format!("Error using the keyring: there is no keyring at {home}/keyring: {missing}")));
        assert!(!path.exists());
    }
    fs::write(&path, "{}").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let ran = peering(&["keyring", "rotate", "-data-dir", home], &[]);
    let wrong = "has mode 0640, so that others may use it: run `chmod 600";
    assert!(ran.exit == Exit::Failure && ran.stderr.contains(wrong), "{ran:?}");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let ran = peering(&["keyring", "rotate", "-data-dir", home], &[]);
    assert!(ran.exit == Exit::Failure && ran.stderr.contains("is not a keyring: "), "{ran:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
}

#[test]
fn the_keyring_is_where_the_variables_of_the_server_say_unless_a_flag_says_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        let id = Keyring::create(&path.join("keyring"), Arc::new(SystemEntropy)).unwrap().current_id().to_string();
        (path.to_str().unwrap().to_owned(), id)
    };
    let ((one, first), (two, second)) = (make("one"), make("two"));
    let keyring = format!("{two}/keyring");
    let page = |id: &str| succeeded(&format!("Key               Use\n{id}  current\n"));
    let (home, file) = (("PEERING_SERVER_DATA_DIR", one.as_str()), ("PEERING_SERVER_KEYRING", keyring.as_str()));
    assert_eq!(peering(&["keyring", "list"], &[home]), page(&first));
    assert_eq!(peering(&["keyring", "list", "-data-dir", &two], &[home]), page(&second));
    assert_eq!(peering(&["keyring", "list"], &[home, file]), page(&second));
    let named = format!("{one}/keyring");
    assert_eq!(peering(&["keyring", "list", "-keyring", &named], &[file]), page(&first));
    assert_eq!(peering(&["keyring", "list"], &[home, ("PEERING_SERVER_KEYRING", "")]), page(&first));
    let ran = peering(&["backup", &format!("{two}/copy")], &[home]);
    assert!(ran.stderr.contains(&format!("there is no store in {one}: ")), "{ran:?}");
}
