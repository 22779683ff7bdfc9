//! What a watch promises.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Outcome, delete, put, record, write};
use crate::store::{Event, Revision, Store, StoreError, WATCH_EVENTS_MAX, Watch, Watched};

/// Reads as many events as asked for, in however many pieces they come.
async fn read(watch: &mut dyn Watch, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        match watch.next().await {
            Some(Watched::Events(next)) => {
                assert!(!next.is_empty(), "an empty piece was told");
                events.extend(next);
            }
            other => panic!("expected {count} events, got {events:?} and then {other:?}"),
        }
    }
    assert_eq!(events.len(), count, "{events:?}");
    events
}

fn put_event(key: &str, value: &str, created: Revision, modified: Revision) -> Event {
    Event::Put(record(key, value, created, modified))
}

fn delete_event(key: &str, revision: Revision) -> Event {
    Event::Delete(key.to_owned(), revision)
}

pub(super) async fn changes_come_in_order_and_whole(store: Arc<dyn Store>) -> Outcome {
    let mut watch = store.watch("a/", 1).await?;
    write(&*store, [put("a/2", "x"), put("a/1", "x")]).await?;
    write(&*store, [put("a/1", "y")]).await?;
    write(&*store, [delete("a/2"), delete("a/none"), put("a/1", "hidden"), put("a/1", "z")]).await?;
    let expected = [
        put_event("a/1", "x", 1, 1),
        put_event("a/2", "x", 1, 1),
        put_event("a/1", "y", 1, 2),
        put_event("a/1", "z", 1, 3),
        delete_event("a/2", 3),
    ];
    assert_eq!(read(&mut *watch, 5).await, expected);
    // One commit is never told in two pieces.
    write(&*store, [put("a/4", "x"), put("a/5", "x"), put("a/6", "x")]).await?;
    let Some(Watched::Events(whole)) = watch.next().await else { panic!("the watch ended") };
    assert_eq!(whole.len(), 3);
    Ok(())
}

pub(super) async fn the_past_is_told_first(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/1", "1")]).await?;
    write(&*store, [put("a/2", "2")]).await?;
    for from in [0, 1] {
        let mut watch = store.watch("a/", from).await?;
        assert_eq!(read(&mut *watch, 2).await, [put_event("a/1", "1", 1, 1), put_event("a/2", "2", 2, 2)]);
    }
    let mut watch = store.watch("a/", 1).await?;
    write(&*store, [put("a/3", "3")]).await?;
    assert_eq!(read(&mut *watch, 3).await[2], put_event("a/3", "3", 3, 3));
    Ok(())
}

pub(super) async fn what_came_before_is_not_told(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/1", "1")]).await?;
    write(&*store, [put("a/2", "2")]).await?;
    let mut watch = store.watch("a/", 2).await?;
    assert_eq!(read(&mut *watch, 1).await, [put_event("a/2", "2", 2, 2)]);
    Ok(())
}

pub(super) async fn only_the_prefix_is_watched(store: Arc<dyn Store>) -> Outcome {
    let mut deep = store.watch("a/b/", 1).await?;
    let mut all = store.watch("", 1).await?;
    write(&*store, [put("a/b", "x"), put("a/b/1", "x"), put("a/b0", "x"), put("c/1", "x")]).await?;
    write(&*store, [delete("a/b"), delete("a/b/1")]).await?;
    assert_eq!(read(&mut *deep, 2).await, [put_event("a/b/1", "x", 1, 1), delete_event("a/b/1", 2)]);
    assert_eq!(read(&mut *all, 6).await.len(), 6);
    Ok(())
}

pub(super) async fn a_watcher_waits_for_its_first_change(store: Arc<dyn Store>) -> Outcome {
    let mut watch = store.watch("a/", 1).await?;
    let waiting = tokio::spawn(async move { watch.next().await });
    tokio::task::yield_now().await;
    write(&*store, [put("b/1", "x")]).await?;
    assert!(!waiting.is_finished());
    write(&*store, [put("a/1", "x")]).await?;
    let Ok(told) = waiting.await else { panic!("the watcher panicked") };
    assert_eq!(told, Some(Watched::Events(vec![put_event("a/1", "x", 2, 2)])));
    Ok(())
}

pub(super) async fn a_watch_from_the_future_tells_nothing_earlier(store: Arc<dyn Store>) -> Outcome {
    let mut watch = store.watch("a/", 3).await?;
    for value in ["1", "2", "3"] {
        write(&*store, [put("a/b", value)]).await?;
    }
    assert_eq!(read(&mut *watch, 1).await, [put_event("a/b", "3", 1, 3)]);
    Ok(())
}

pub(super) async fn a_watcher_dropped_while_waiting_loses_nothing(store: Arc<dyn Store>) -> Outcome {
    let mut watch = store.watch("a/", 1).await?;
    {
        let next = pin!(watch.next());
        assert!(next.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    write(&*store, [put("a/1", "1")]).await?;
    assert_eq!(read(&mut *watch, 1).await, [put_event("a/1", "1", 1, 1)]);
    {
        let next = pin!(watch.next());
        if let Poll::Ready(told) = next.poll(&mut Context::from_waker(Waker::noop())) {
            panic!("nothing happened, but {told:?} was told");
        }
    }
    write(&*store, [put("a/2", "2")]).await?;
    assert_eq!(read(&mut *watch, 1).await, [put_event("a/2", "2", 2, 2)]);
    Ok(())
}

/// Writes many records, a hundred in a commit; returns the last revision.
async fn write_many(store: &dyn Store, directory: &str, count: usize) -> Result<Revision, StoreError> {
    let names: Vec<String> = (0..count).map(|i| format!("{directory}{i:06}")).collect();
    let mut last = 0;
    for part in names.chunks(100) {
        last = write(store, part.iter().map(|key| put(key, "x")).collect::<Vec<_>>()).await?;
    }
    Ok(last)
}

pub(super) async fn too_far_back_is_compacted_and_listing_again_helps(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("a/1", "1")]).await?;
    let mut slow = store.watch("a/", 1).await?;
    // Backends may keep more than the bound, so go well past it.
    write_many(&*store, "a/", 4 * WATCH_EVENTS_MAX).await?;
    assert_eq!(slow.next().await, Some(Watched::Compacted));
    assert_eq!(slow.next().await, None, "nothing follows");
    let listed = store.range("a/", 0, None).await?.revision;
    let mut watch = store.watch("a/", listed + 1).await?;
    let next = write(&*store, [put("a/1", "2")]).await?;
    assert_eq!(read(&mut *watch, 1).await, [put_event("a/1", "2", 1, next)]);
    Ok(())
}

pub(super) async fn a_watch_after_a_list_misses_nothing(store: Arc<dyn Store>) -> Outcome {
    write(&*store, [put("quiet/1", "1")]).await?;
    let listed = store.range("quiet/", 10, None).await?.revision;
    // However much happens elsewhere, the list of a quiet directory is still current.
    write_many(&*store, "busy/", 2 * WATCH_EVENTS_MAX).await?;
    let mut watch = store.watch("quiet/", listed + 1).await?;
    let next = write(&*store, [put("quiet/2", "2")]).await?;
    assert_eq!(read(&mut *watch, 1).await, [put_event("quiet/2", "2", next, next)]);
    Ok(())
}
