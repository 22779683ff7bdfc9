//! Transactions that wait together are one group, and still each one by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::write::{COMMITS_WAITING_MAX, GROUP_TRANSACTIONS_MAX, Job, Writer};
use super::{Commit, Place, SqliteStore, Store, StoreError, create, put, start, value, write};
use crate::store::{Precondition, Txn};

/// Lets a test do something to the writer between two groups.
pub(super) async fn probe(store: &SqliteStore, act: impl FnOnce(&mut Writer) + Send + 'static) {
    store.send(Job::Probe(Box::new(act))).await.unwrap();
}

/// Holds the writer until what this returns is dropped.
pub(super) async fn hold(store: &SqliteStore) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (begin, begun) = oneshot::channel();
    probe(store, move |_| {
        begin.send(()).unwrap();
        // Ends with an error when the other half is dropped, which is the sign to go on.
        _ = released.recv();
    })
    .await;
    begun.await.unwrap();
    release
}

/// Holds the writer while these transactions are queued, in this order, and lets it go: they are one group.
pub(super) async fn commit_together(store: &Arc<SqliteStore>, txns: Vec<Txn>) -> Vec<Result<Commit, StoreError>> {
    let release = hold(store).await;
    let mut running: Vec<JoinHandle<_>> = Vec::new();
    for txn in txns {
        let waiting = queued(store);
        running.push(start(store, txn));
        while queued(store) == waiting {
            tokio::task::yield_now().await;
        }
    }
    drop(release);
    let mut outcomes = Vec::new();
    for task in running {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

fn queued(store: &SqliteStore) -> usize {
    let jobs = store.jobs.lock().unwrap();
    let jobs = jobs.as_ref().unwrap();
    jobs.max_capacity() - jobs.capacity()
}

async fn count_commits(store: &SqliteStore) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    probe(store, move |writer| {
        writer.commit = Box::new(move |transaction| {
            counted.fetch_add(1, Ordering::Relaxed);
            transaction.commit()
        });
    })
    .await;
    count
}

fn revisions(outcomes: Vec<Result<Commit, StoreError>>) -> Vec<Commit> {
    outcomes.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_group_shares_one_commit_and_each_transaction_has_its_revision() {
    let place = Place::new();
    let store = place.open();
    let count = count_commits(&store).await;
    let unchanged = |revision| Txn {
        preconditions: vec![Precondition::Unchanged("a/1".to_owned(), revision)],
        ..put("a/1", &revision.to_string())
    };
    let txns = vec![create("a/1", "first"), create("a/1", "late"), unchanged(1), unchanged(1), put("a/2", "x")];
    let expected =
        [Commit::Committed(1), Commit::Conflict, Commit::Committed(2), Commit::Conflict, Commit::Committed(3)];
    assert_eq!(revisions(commit_together(&store, txns).await), expected);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(value(&*store, "a/1").await.as_deref(), Some("1"));
    assert_eq!(store.range("a/", 0, None).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_group_is_bounded() {
    let place = Place::new();
    let store = place.open();
    let count = count_commits(&store).await;
    let txns = (0..COMMITS_WAITING_MAX).map(|i| put(&format!("a/{i}"), "x")).collect();
    assert_eq!(revisions(commit_together(&store, txns).await).len(), COMMITS_WAITING_MAX);
    assert_eq!(count.load(Ordering::Relaxed), COMMITS_WAITING_MAX / GROUP_TRANSACTIONS_MAX);
}

#[tokio::test]
async fn a_group_that_changes_nothing_is_not_committed() {
    let place = Place::new();
    let store = place.open();
    write(&store, put("a/1", "x")).await;
    let count = count_commits(&store).await;
    let outcomes = commit_together(&store, vec![create("a/1", "y"), Txn::default()]).await;
    assert_eq!(revisions(outcomes), [Commit::Conflict, Commit::Committed(1)]);
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

/// A trigger stands in for whatever may go wrong inside SQLite.
fn fail_on_bad_keys(place: &Place, how: &str) {
    let sql = format!(
        "CREATE TRIGGER bad BEFORE INSERT ON record WHEN new.key = 'a/bad' BEGIN SELECT RAISE({how}, 'no'); END"
    );
    Connection::open(place.data.join("store.sqlite")).unwrap().execute_batch(&sql).unwrap();
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_the_others_of_its_group_alone() {
    let place = Place::new();
    let store = place.open();
    fail_on_bad_keys(&place, "ABORT");
    let half_bad =
        Txn { writes: [put("a/0", "half"), put("a/bad", "x")].map(|txn| txn.writes).concat(), ..Txn::default() };
    let outcomes = commit_together(&store, vec![put("a/1", "x"), half_bad, put("a/2", "x")]).await;
    assert!(matches!(outcomes[0], Ok(Commit::Committed(1))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(StoreError::Backend { .. })), "{outcomes:?}");
    assert!(matches!(outcomes[2], Ok(Commit::Committed(2))), "{outcomes:?}");
    assert_eq!(value(&*store, "a/0").await, None, "nothing of the failed one stayed");
}

#[tokio::test]
async fn a_group_that_sqlite_rolled_back_fails_as_a_whole() {
    let place = Place::new();
    let store = place.open();
    fail_on_bad_keys(&place, "ROLLBACK");
    let outcomes = commit_together(&store, vec![put("a/1", "x"), put("a/bad", "x"), put("a/2", "x")]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Backend { .. }))), "{outcomes:?}");
    assert_eq!(store.range("", 10, None).await.unwrap().records, []);
    assert_eq!(write(&store, put("a/1", "x")).await, 1);
}
