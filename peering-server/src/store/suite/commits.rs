//! What a commit promises.

use std::sync::Arc;

use super::{Outcome, absent, commit, delete, put, record, unchanged, write};
use crate::store::{Commit, Store, StoreError, TXN_OPERATIONS_MAX, VALUE_BYTES_MAX, Write};

pub(super) async fn an_empty_store_is_at_revision_zero(store: Arc<dyn Store>) -> Outcome {
    assert_eq!(store.revision().await?, 0);
    assert_eq!(store.get("a/b").await?, None);
    Ok(())
}

pub(super) async fn absent_lets_exactly_the_first_create(store: Arc<dyn Store>) -> Outcome {
    assert_eq!(commit(&*store, [absent("a/b")], [put("a/b", "first")]).await?, Commit::Committed(1));
    assert_eq!(commit(&*store, [absent("a/b")], [put("a/b", "second")]).await?, Commit::Conflict);
    assert_eq!(store.get("a/b").await?, Some(record("a/b", "first", 1, 1)));
    write(&*store, [delete("a/b")]).await?;
    assert_eq!(commit(&*store, [absent("a/b")], [put("a/b", "third")]).await?, Commit::Committed(3));
    Ok(())
}

pub(super) async fn unchanged_lets_only_the_last_reader_write(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b", "1")]).await?;
    write(&*store, [put("a/other", "2")]).await?;
    assert_eq!(commit(&*store, [unchanged("a/b", 1)], [put("a/b", "3")]).await?, Commit::Committed(3));
    for stale in [0, 1, 2, 4] {
        assert_eq!(commit(&*store, [unchanged("a/b", stale)], [put("a/b", "x")]).await?, Commit::Conflict);
    }
    for revision in [0, 3] {
        assert_eq!(commit(&*store, [unchanged("a/none", revision)], [put("a/b", "x")]).await?, Commit::Conflict);
    }
    // Deleted and made again is not unchanged, though key and value are the same.
    write(&*store, [delete("a/b")]).await?;
    write(&*store, [put("a/b", "3")]).await?;
    assert_eq!(commit(&*store, [unchanged("a/b", 3)], [put("a/b", "x")]).await?, Commit::Conflict);
    Ok(())
}

pub(super) async fn a_conflict_leaves_nothing(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/kept", "1"), put("b/kept", "1")]).await?;
    let writes = [put("a/new", "2"), put("a/kept", "2"), delete("b/kept")];
    assert_eq!(commit(&*store, [absent("a/kept")], writes).await?, Commit::Conflict);
    assert_eq!(store.revision().await?, 1);
    let everything = store.range("", 10, None).await?;
    assert_eq!(everything.records, [record("a/kept", "1", 1, 1), record("b/kept", "1", 1, 1)]);
    assert_eq!((everything.revision, store.range("a/", 10, None).await?.revision), (1, 1));
    Ok(())
}

pub(super) async fn several_preconditions_must_all_hold(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/1", "1")]).await?;
    write(&*store, [put("a/2", "2")]).await?;
    let two_hold = [unchanged("a/1", 1), unchanged("a/2", 2), absent("a/2")];
    assert_eq!(commit(&*store, two_hold, [put("a/3", "3")]).await?, Commit::Conflict);
    let all_hold = [unchanged("a/1", 1), unchanged("a/2", 2), absent("a/3")];
    assert_eq!(commit(&*store, all_hold, [put("a/3", "3")]).await?, Commit::Committed(3));
    Ok(())
}

pub(super) async fn several_writes_are_one_revision(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/gone", "0")]).await?;
    assert_eq!(write(&*store, [put("b/2", "y"), put("a/1", "x"), delete("a/gone")]).await?, 2);
    let everything = store.range("", 10, None).await?;
    assert_eq!(everything.records, [record("a/1", "x", 2, 2), record("b/2", "y", 2, 2)]);
    Ok(())
}

pub(super) async fn each_commit_counts_one(store: Arc<dyn Store>) -> Outcome {
    for expected in 1..=5 {
        assert_eq!(write(&*store, [put("a/b", "same"), put("a/c", "same")]).await?, expected);
        assert_eq!(store.revision().await?, expected);
    }
    assert_eq!(commit(&*store, [absent("a/b")], [put("a/b", "x")]).await?, Commit::Conflict);
    assert_eq!(write(&*store, [delete("a/b")]).await?, 6);
    Ok(())
}

pub(super) async fn a_record_knows_who_created_and_who_last_wrote_it(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b", "1")]).await?;
    write(&*store, [put("a/other", "2")]).await?;
    write(&*store, [put("a/b", "3")]).await?;
    assert_eq!(store.get("a/b").await?, Some(record("a/b", "3", 1, 3)));
    Ok(())
}

pub(super) async fn delete_and_create_starts_anew(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b", "1")]).await?;
    write(&*store, [delete("a/b")]).await?;
    assert_eq!(store.get("a/b").await?, None);
    write(&*store, [put("a/b", "3")]).await?;
    assert_eq!(store.get("a/b").await?, Some(record("a/b", "3", 3, 3)));
    Ok(())
}

pub(super) async fn deleting_what_is_not_there_leaves_no_trace(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b", "1")]).await?;
    assert_eq!(write(&*store, [delete("a/none"), delete("c/none")]).await?, 1);
    assert_eq!(store.revision().await?, 1);
    assert_eq!(write(&*store, [delete("a/none"), put("b/c", "2")]).await?, 2);
    assert_eq!(store.range("a/", 10, None).await?.revision, 1);
    assert_eq!(store.range("c/", 10, None).await?.revision, 0);
    Ok(())
}

pub(super) async fn a_later_write_to_the_same_key_wins(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b", "1"), put("a/b", "2")]).await?;
    assert_eq!(store.get("a/b").await?, Some(record("a/b", "2", 1, 1)));
    // The deletion was not asked for, so the record lives on.
    write(&*store, [delete("a/b"), put("a/b", "3")]).await?;
    assert_eq!(store.get("a/b").await?, Some(record("a/b", "3", 1, 2)));
    write(&*store, [put("a/b", "4"), delete("a/b")]).await?;
    assert_eq!(store.get("a/b").await?, None);
    assert_eq!(write(&*store, [put("a/c", "5"), delete("a/c")]).await?, 3);
    Ok(())
}

pub(super) async fn an_empty_transaction_says_where_the_store_is(store: Arc<dyn Store>) -> Outcome {
    assert_eq!(write(&*store, []).await?, 0);
    write(&*store, [put("a/b", "1")]).await?;
    assert_eq!(write(&*store, []).await?, 1);
    assert_eq!(store.revision().await?, 1);
    Ok(())
}

pub(super) async fn preconditions_without_writes_are_only_checked(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/b", "1")]).await?;
    assert_eq!(commit(&*store, [unchanged("a/b", 1)], []).await?, Commit::Committed(1));
    assert_eq!(commit(&*store, [absent("a/b")], []).await?, Commit::Conflict);
    assert_eq!(store.revision().await?, 1);
    Ok(())
}

pub(super) async fn the_most_operations_are_accepted_and_one_more_refused(store: Arc<dyn Store>) -> Outcome {
    let writes = |count: usize| -> Vec<Write> { (0..count).map(|i| put(&format!("a/{i:03}"), "v")).collect() };
    let most = commit(&*store, [absent("a/000")], writes(TXN_OPERATIONS_MAX - 1)).await?;
    assert_eq!(most, Commit::Committed(1));
    let refused = commit(&*store, [unchanged("a/000", 1)], writes(TXN_OPERATIONS_MAX)).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { operations: 129, bytes: 1 })), "{refused:?}");
    assert_eq!(store.range("a/", 200, None).await?.records.len(), TXN_OPERATIONS_MAX - 1);
    Ok(())
}

pub(super) async fn the_largest_value_is_accepted_and_one_byte_more_refused(store: Arc<dyn Store>) -> Outcome {
    let largest = vec![7; VALUE_BYTES_MAX];
    write(&*store, [put("a/b", &largest)]).await?;
    assert_eq!(store.get("a/b").await?, Some(record("a/b", &largest, 1, 1)));
    let refused = commit(&*store, [], [put("a/c", "v"), put("a/b", vec![8; VALUE_BYTES_MAX + 1])]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { operations: 2, bytes: 1_048_577 })));
    assert_eq!(store.revision().await?, 1);
    Ok(())
}

pub(super) async fn values_are_any_bytes_and_keys_any_text(store: Arc<dyn Store>) -> Outcome {
    let every_byte: Vec<u8> = (0..=255).collect();
    for key in ["", "a", "a/", "a/ \u{10ffff}é\n", "a/\0b", "a/%_'\"*"] {
        let revision = write(&*store, [put(key, &every_byte)]).await?;
        assert_eq!(store.get(key).await?, Some(record(key, &every_byte, revision, revision)), "{key:?}");
    }
    write(&*store, [put("a/empty", "")]).await?;
    assert_eq!(store.get("a/empty").await?.map(|record| record.value), Some(Vec::new()));
    assert_eq!(store.range("", 10, None).await?.records.len(), 7);
    Ok(())
}

pub(super) async fn of_32_racers_one_creates(store: Arc<dyn Store>) -> Outcome {
    let race = |racer: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let name = racer.to_string();
            (name.clone(), commit(&*store, [absent("a/prize")], [put("a/prize", name)]).await)
        })
    };
    let racers: Vec<_> = (0..32).map(race).collect();
    let mut winners = Vec::new();
    for racer in racers {
        let Ok((name, outcome)) = racer.await else { panic!("a racer panicked") };
        match outcome? {
            Commit::Committed(1) => winners.push(name),
            Commit::Conflict => {}
            other => panic!("a racer ended as {other:?}"),
        }
    }
    let [winner] = winners.as_slice() else { panic!("expected one winner, got {winners:?}") };
    assert_eq!(store.get("a/prize").await?, Some(record("a/prize", winner, 1, 1)));
    assert_eq!(store.revision().await?, 1);
    Ok(())
}

pub(super) async fn of_32_counters_none_is_lost(store: Arc<dyn Store>) -> Outcome {
    async fn count_one(store: Arc<dyn Store>) -> Outcome {
        loop {
            let (precondition, count) = match store.get("a/count").await? {
                Some(record) => (unchanged("a/count", record.modified), record.value.len()),
                None => (absent("a/count"), 0),
            };
            match commit(&*store, [precondition], [put("a/count", vec![0; count + 1])]).await? {
                Commit::Committed(_) => return Ok(()),
                Commit::Conflict => tokio::task::yield_now().await,
                Commit::Unknown => panic!("nothing failed, yet the outcome is unknown"),
            }
        }
    }
    let counters: Vec<_> = (0..32).map(|_| tokio::spawn(count_one(Arc::clone(&store)))).collect();
    for counter in counters {
        let Ok(outcome) = counter.await else { panic!("a counter panicked") };
        outcome?;
    }
    assert_eq!(store.get("a/count").await?, Some(record("a/count", vec![0; 32], 1, 32)));
    Ok(())
}
