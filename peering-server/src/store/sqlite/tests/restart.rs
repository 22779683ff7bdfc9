//! What a restart finds.

use std::fs;
use std::time::{Duration, Instant};

use super::{OpenError, Place, SqliteStore, Store, StoreError, put, value, write};
use crate::store::{Page, Record, Txn, Watched, Write};

async fn write_some(store: &SqliteStore) {
    assert_eq!(write(store, put("a/1", "one")).await, 1);
    assert_eq!(write(store, put("a/2", "two")).await, 2);
    assert_eq!(write(store, put("a/1", "uno")).await, 3);
    let delete = Txn { writes: vec![Write::Delete("a/2".to_owned())], ..Txn::default() };
    assert_eq!(write(store, delete).await, 4);
    assert_eq!(write(store, put("b/1", "other")).await, 5);
}

async fn expect_some(store: &SqliteStore) {
    assert_eq!(store.revision().await.unwrap(), 5);
    let record = Record { key: "a/1".to_owned(), value: b"uno".to_vec(), created: 1, modified: 3 };
    let page = store.range("a/", 10, None).await.unwrap();
    assert_eq!(page, Page { records: vec![record], revision: 4, more: false });
    assert_eq!(store.range("b/", 10, None).await.unwrap().revision, 5);
    assert_eq!(write(store, put("a/3", "next")).await, 6);
}

#[tokio::test]
async fn everything_is_there_after_a_close() {
    let place = Place::new();
    let store = place.open();
    write_some(&store).await;
    store.close().await;
    assert!(!place.data.join("store.sqlite-wal").exists(), "the log was written back");
    expect_some(&place.open()).await;
}

#[tokio::test]
async fn everything_is_there_after_a_drop() {
    let place = Place::new();
    let store = place.open();
    write_some(&store).await;
    drop(store);
    let deadline = Instant::now() + Duration::from_secs(30);
    let again = loop {
        match SqliteStore::open(&place.data) {
            Ok(again) => break again,
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    expect_some(&again).await;
}

/// The files of a store that is open, as a crash of its process would leave them.
#[tokio::test]
async fn everything_is_there_after_a_crash() {
    let (place, crashed) = (Place::new(), Place::new());
    let store = place.open();
    write_some(&store).await;
    crashed.open().close().await;
    for name in ["store.sqlite", "store.sqlite-wal"] {
        fs::copy(place.data.join(name), crashed.data.join(name)).unwrap();
    }
    expect_some(&crashed.open()).await;
}

/// A crash between making the file and making the tables.
#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let place = Place::new();
    place.open().close().await;
    fs::write(place.data.join("store.sqlite"), "").unwrap();
    let store = place.open();
    assert_eq!(write(&store, put("a/1", "1")).await, 1);
}

#[tokio::test]
async fn a_watch_across_a_restart_is_compacted_unless_nothing_was_missed() {
    let place = Place::new();
    let store = place.open();
    write_some(&store).await;
    store.close().await;
    let store = place.open();
    for (prefix, from) in [("a/", 4), ("b/", 5), ("", 5), ("a/", 0)] {
        let told = store.watch(prefix, from).await.unwrap().next().await;
        assert_eq!(told, Some(Watched::Compacted), "{prefix} from {from}");
    }
    for (prefix, from) in [("a/", 5), ("", 6)] {
        let mut watch = store.watch(prefix, from).await.unwrap();
        let revision = write(&store, put("a/1", "new")).await;
        let record = Record { key: "a/1".to_owned(), value: b"new".to_vec(), created: 1, modified: revision };
        let mut events = Vec::new();
        while let Some(Watched::Events(told)) = watch.next().await {
            events.extend(told);
            if events.len() as u64 == revision - 5 {
                break;
            }
        }
        assert_eq!(events.last(), Some(&crate::store::Event::Put(record)));
    }
}

#[tokio::test]
async fn a_closed_store_refuses_everything_and_ends_watchers() {
    let place = Place::new();
    let store = place.open();
    let mut watch = store.watch("", 1).await.unwrap();
    store.close().await;
    store.close().await;
    assert!(matches!(store.get("a").await, Err(StoreError::Closed)));
    assert!(matches!(store.range("", 1, None).await, Err(StoreError::Closed)));
    assert!(matches!(store.revision().await, Err(StoreError::Closed)));
    assert!(matches!(store.commit(put("a/1", "1")).await, Err(StoreError::Closed)));
    assert_eq!(watch.next().await, None);
    assert_eq!(store.watch("", 1).await.unwrap().next().await, None);
    assert_eq!(value(&*place.open(), "a/1").await, None);
}
