//! A full disk: a clear error, nothing half written, and all as before once there is space.

use std::error::Error;

use super::groups::{commit_together, probe};
use super::{Commit, Place, SqliteStore, Store, StoreError, put, value, write};
use crate::causes::chain;

/// A value that needs new pages.
fn large() -> String {
    "x".repeat(200_000)
}

/// Lets the database grow no further, as a full disk does.
async fn fill(store: &SqliteStore) {
    probe(store, |writer| {
        let pages: i64 = writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let set = format!("PRAGMA max_page_count = {pages}");
        writer.connection.query_row(&set, [], |row| row.get::<_, i64>(0)).unwrap();
    })
    .await;
}

async fn make_space(store: &SqliteStore) {
    probe(store, |writer| {
        writer.connection.query_row("PRAGMA max_page_count = 1000000", [], |row| row.get::<_, i64>(0)).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_its_own_and_passes() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(write(&store, put("a/1", "x")).await, 1);
    fill(&store).await;
    let refused = store.commit(put("a/2", &large())).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    let causes = chain(&refused);
    assert!(causes.starts_with("the store failed to write a transaction: its disk is full: "), "{causes}");
    assert!(refused.source().is_some());
    assert_eq!(store.revision().await.unwrap(), 1);
    assert_eq!(value(&*store, "a/1").await.as_deref(), Some("x"), "what is stored can be read");
    assert_eq!(value(&*store, "a/2").await, None);
    make_space(&store).await;
    assert_eq!(write(&store, put("a/2", &large())).await, 2);
    store.close().await;
    assert_eq!(value(&*place.open(), "a/2").await, Some(large()));
}

#[tokio::test]
async fn nobody_in_a_group_that_does_not_fit_is_told_that_it_was_written() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(write(&store, put("a/1", "x")).await, 1);
    fill(&store).await;
    let outcomes = commit_together(&store, vec![put("a/1", "y"), put("a/2", &large()), put("a/1", "z")]).await;
    let found = value(&*store, "a/1").await;
    for (outcome, written) in outcomes.iter().zip(["y", "", "z"]) {
        match outcome {
            Ok(Commit::Committed(_)) => assert!(["y", "z"].contains(&written), "{outcomes:?}"),
            other => assert!(matches!(other, Err(StoreError::Full { .. })), "{other:?}"),
        }
    }
    let last = outcomes.iter().zip(["y", "", "z"]).rev().find(|(outcome, _)| outcome.is_ok());
    assert_eq!(found.as_deref(), Some(last.map_or("x", |(_, written)| written)), "{outcomes:?}");
    assert_eq!(value(&*store, "a/2").await, None);
    make_space(&store).await;
    let revision = store.revision().await.unwrap();
    assert_eq!(write(&store, put("a/3", "x")).await, revision + 1);
}
