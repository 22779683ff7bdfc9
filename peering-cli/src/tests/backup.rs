//! `peering backup`: what it says, and what it does not touch.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use peering_server::store::sqlite::SqliteStore;
use peering_server::store::{Commit, Store, Txn, Write};

use super::{Ran, failed, peering};
use crate::Exit;

#[test]
fn a_store_is_copied_once_and_what_is_no_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let store = SqliteStore::open(&data).unwrap();
    let put = |key: &str| Txn { writes: vec![Write::Put(key.to_owned(), b"{}".to_vec())], ..Txn::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let committed = runtime.block_on(store.commit(put("peerings/a"))).unwrap();
    assert_eq!(committed, Commit::Committed(1));
    let (data, copy) = (data.to_str().unwrap(), copy.to_str().unwrap());
    let words = ["backup", "-data-dir", data, copy];
    let ran = peering(&words, &[]);
    let bytes = fs::metadata(copy).unwrap().len();
    let expected = format!(
        "Backed up the store in {data} to {copy}: revision 1, 1 peering, {bytes} bytes\n\
         The keyring, which the server has elsewhere (-keyring), is not in it: keep a copy of the keyring apart, a \
         backup is of no use without it\n"
    );
    assert_eq!(ran, Ran { exit: Exit::Success, stdout: expected, stderr: String::new() });
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);

    let again = "already: a backup overwrites nothing, name another file";
    assert_eq!(peering(&words, &[]), failed(&format!("Error making the backup: there is something at {copy} {again}")));
    fs::write(format!("{data}/keyring"), "").unwrap();
    let second = peering(&["backup", &format!("{copy}-2"), "-data-dir", data], &[]);
    let about = second.stdout.lines().nth(1).unwrap();
    let keep = "keep a copy of the keyring apart, a backup is of no use without it";
    assert_eq!(about, format!("{data}/keyring is not in it: {keep}"));
}

#[test]
fn without_a_file_or_a_store_there_is_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (copy, home) = (dir.path().join("copy"), dir.path().to_str().unwrap());
    let missing = "Missing the file for the backup, such as /var/backups/peering-2026-01-31.sqlite";
    assert_eq!(peering(&["backup", "-data-dir", home], &[]), failed(missing));
    let nowhere = format!("{home}/nowhere");
    let ran = peering(&["backup", copy.to_str().unwrap(), "-data-dir", &nowhere], &[]);
    let told = "name the directory of a server with -data-dir (one with -dev or -store memory keeps nothing)";
    assert_eq!(ran, failed(&format!("Error making the backup: there is no store in {nowhere}: {told}")));
    assert!(!copy.exists() && !dir.path().join("nowhere").exists());
}
