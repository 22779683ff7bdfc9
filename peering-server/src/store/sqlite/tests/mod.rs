//! What SQLite adds to the suite: files, restarts, groups and failures.

mod backup;
mod failures;
mod files;
mod full;
mod groups;
mod restart;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{OpenError, SqliteStore};
use crate::entropy::{Entropy, SystemEntropy};
use crate::store::memory::MemoryStore;
use crate::store::{Commit, Precondition, Store, StoreError, Txn, Write, suite};

/// A place for a data directory that does not exist yet.
struct Place {
    _temporary: TempDir,
    data: PathBuf,
}

impl Place {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let data = temporary.path().join("data");
        Self { _temporary: temporary, data }
    }

    fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.data).unwrap())
    }
}

fn put(key: &str, value: &str) -> Txn {
    Txn { writes: vec![Write::Put(key.to_owned(), value.as_bytes().to_vec())], ..Txn::default() }
}

fn create(key: &str, value: &str) -> Txn {
    Txn { preconditions: vec![Precondition::Absent(key.to_owned())], ..put(key, value) }
}

/// Commits what nothing stands against.
async fn write(store: &SqliteStore, txn: Txn) -> u64 {
    match store.commit(txn).await.unwrap() {
        Commit::Committed(revision) => revision,
        other => panic!("ended as {other:?}"),
    }
}

async fn value(store: &dyn Store, key: &str) -> Option<String> {
    let record = store.get(key).await.unwrap()?;
    Some(String::from_utf8(record.value).unwrap())
}

/// Begins a commit, as a client of its own would.
fn start(store: &Arc<SqliteStore>, txn: Txn) -> JoinHandle<Result<Commit, StoreError>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.commit(txn).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_passes_the_suite() {
    let temporary = tempfile::tempdir().unwrap();
    let made = AtomicUsize::new(0);
    suite::run(async || {
        let data = temporary.path().join(made.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(SqliteStore::open(&data).unwrap()) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn sqlite_agrees_with_the_model() {
    let mut seed = [0; 8];
    SystemEntropy.fill(&mut seed);
    let seed = u64::from_be_bytes(seed);
    println!("seed {seed}");
    let place = Place::new();
    suite::agree(&MemoryStore::new(), &*place.open(), seed, 400).await.unwrap();
}
