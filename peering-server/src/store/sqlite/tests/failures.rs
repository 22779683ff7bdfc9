//! Commits whose COMMIT fails, and a thread that panics.

use rusqlite::{Transaction, ffi};

use super::groups::{commit_together, probe};
use super::{Commit, Place, SqliteStore, Store, StoreError, create, put, start, value, write};
use crate::store::{Event, Txn, Watched};

/// What a COMMIT does instead of what it should.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It is refused before anything is written.
    Busy,
    /// It fails and nothing is seen of it.
    Lost,
    /// It fails and is seen nevertheless.
    Seen,
}

impl Fault {
    fn strike(self, transaction: Transaction<'_>) -> rusqlite::Result<()> {
        let code = match self {
            Self::Busy => ffi::SQLITE_BUSY,
            Self::Lost => ffi::SQLITE_IOERR_FSYNC,
            Self::Seen => {
                transaction.commit()?;
                ffi::SQLITE_IOERR_FSYNC
            }
        };
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

/// Makes the next commits end like this, one each; those after them go well.
async fn faults(store: &SqliteStore, faults: impl IntoIterator<Item = Fault>) {
    let mut faults = faults.into_iter().collect::<Vec<_>>().into_iter();
    probe(store, move |writer| {
        writer.commit = Box::new(move |transaction| match faults.next() {
            Some(fault) => fault.strike(transaction),
            None => transaction.commit(),
        });
    })
    .await;
}

#[tokio::test]
async fn a_commit_refused_before_writing_is_an_error_and_leaves_nothing() {
    let place = Place::new();
    let store = place.open();
    faults(&store, [Fault::Busy]).await;
    let refused = store.commit(put("a/1", "x")).await;
    assert!(matches!(refused, Err(StoreError::Backend { operation: "commit", .. })), "{refused:?}");
    assert_eq!((store.revision().await.unwrap(), value(&*store, "a/1").await), (0, None));
    assert_eq!(store.commit(create("a/1", "x")).await.unwrap(), Commit::Committed(1));
}

#[tokio::test]
async fn a_lost_commit_that_can_be_settled_is_certainly_not_written() {
    let place = Place::new();
    let store = place.open();
    faults(&store, [Fault::Lost]).await;
    let lost = store.commit(put("a/1", "x")).await;
    assert!(matches!(lost, Err(StoreError::Backend { operation: "commit", .. })), "{lost:?}");
    assert_eq!(store.commit(create("a/1", "y")).await.unwrap(), Commit::Committed(1));
}

#[tokio::test]
async fn a_commit_that_failed_but_is_there_counts_once_settled() {
    let place = Place::new();
    let store = place.open();
    let mut watch = store.watch("a/", 1).await.unwrap();
    faults(&store, [Fault::Seen]).await;
    assert_eq!(write(&store, put("a/1", "x")).await, 1);
    assert!(matches!(watch.next().await, Some(Watched::Events(events)) if events.len() == 1));
    assert_eq!(store.commit(create("a/1", "y")).await.unwrap(), Commit::Conflict);
}

#[tokio::test]
async fn while_nothing_can_be_settled_the_outcome_is_unknown() {
    for (first, happened) in [(Fault::Lost, false), (Fault::Seen, true)] {
        let place = Place::new();
        let store = place.open();
        assert_eq!(write(&store, put("a/0", "x")).await, 1);
        let mut watch = store.watch("a/", 2).await.unwrap();
        // The commit, the attempt to settle it, and the one before the next transaction.
        faults(&store, [first, Fault::Lost, Fault::Lost]).await;
        let outcomes = commit_together(&store, vec![put("a/1", "x"), create("a/0", "y"), Txn::default()]).await;
        assert!(matches!(outcomes[0], Ok(Commit::Unknown)), "{outcomes:?}");
        assert!(matches!(outcomes[1], Err(StoreError::Backend { .. })), "{outcomes:?}");
        assert!(matches!(outcomes[2], Ok(Commit::Unknown)), "{outcomes:?}");
        let refused = store.commit(put("a/2", "x")).await;
        assert!(matches!(refused, Err(StoreError::Backend { .. })), "{refused:?}");

        let expected = if happened { Commit::Conflict } else { Commit::Committed(2) };
        assert_eq!(store.commit(create("a/1", "late")).await.unwrap(), expected, "{first:?}");
        // Told once, whoever wrote it.
        assert_eq!(write(&store, put("a/end", "")).await, 3);
        let mut told = Vec::new();
        while told.len() < 2 {
            let Some(Watched::Events(events)) = watch.next().await else { panic!("the watch ended") };
            told.extend(events);
        }
        assert_eq!(told.iter().map(Event::key).collect::<Vec<_>>(), ["a/1", "a/end"]);
    }
}

#[tokio::test]
async fn a_panic_of_the_thread_leaves_nobody_waiting() {
    let place = Place::new();
    let store = place.open();
    write(&store, put("a/1", "x")).await;
    let mut watch = store.watch("a/", 2).await.unwrap();
    probe(&store, |writer| writer.commit = Box::new(|_| panic!("a test panics on purpose"))).await;
    let outcomes = commit_together(&store, vec![put("a/2", "x"), put("a/3", "x")]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Commit::Unknown))), "{outcomes:?}");
    assert_eq!(watch.next().await, None);
    assert!(matches!(start(&store, put("a/4", "x")).await.unwrap(), Err(StoreError::Closed)));
    assert_eq!(value(&*store, "a/1").await.as_deref(), Some("x"), "what was committed can still be read");
    store.close().await;
    assert_eq!(value(&*place.open(), "a/2").await, None);
}

#[tokio::test]
async fn transactions_behind_a_panic_are_closed_for_certain() {
    let place = Place::new();
    let store = place.open();
    let (release, released) = std::sync::mpsc::channel::<()>();
    probe(&store, move |_| {
        _ = released.recv();
        panic!("a test panics on purpose");
    })
    .await;
    let (first, second) = (start(&store, put("a/1", "x")), start(&store, put("a/2", "x")));
    tokio::task::yield_now().await;
    drop(release);
    assert!(matches!(first.await.unwrap(), Err(StoreError::Closed)));
    assert!(matches!(second.await.unwrap(), Err(StoreError::Closed)));
}
