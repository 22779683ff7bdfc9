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

#[test]
fn a_backup_goes_to_one_file_and_to_no_stream() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    drop(SqliteStore::open(&data).unwrap());
    let stream =
        "A backup is a file that is checked after it was written, and cannot go to standard output: name a file";
    assert_eq!(peering(&["backup", "-data-dir", data.to_str().unwrap(), "-"], &[]), failed(stream));
    let ran = peering(&["backup", "-data-dir", data.to_str().unwrap(), "a", "b"], &[]);
    let told = "too many arguments: -h shows what this command takes; put one that has blanks into quotes\n";
    assert!(ran.exit == Exit::Failure && ran.stderr.starts_with(told), "{}", ran.stderr);
    assert!(!std::path::Path::new("-").exists());
}

#[test]
fn a_store_that_is_damaged_is_named_and_not_its_copy() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let store = SqliteStore::open(&data).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for commit in 1..=40 {
        let put = |at: u64| Write::Put(format!("peerings/{commit}-{at}"), vec![b'x'; 1_000]);
        let txn = Txn { writes: (0..10).map(put).collect(), ..Txn::default() };
        assert_eq!(runtime.block_on(store.commit(txn)).unwrap(), Commit::Committed(commit));
    }
    runtime.block_on(store.close());
    drop(store);
    let database = data.join("store.sqlite");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0xff);
    fs::write(&database, bytes).unwrap();
    let ran = peering(&["backup", "-data-dir", data.to_str().unwrap(), copy.to_str().unwrap()], &[]);
    let told = format!("Error making the backup: the store {} is damaged (", database.display());
    assert!(ran.exit == Exit::Failure && ran.stderr.starts_with(&told), "{}", ran.stderr);
    assert!(!copy.exists());
}
