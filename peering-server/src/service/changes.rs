//! Wakes those who wait for a change: one watch of the store for all of them, and one bell for each key or directory
//! that somebody waits for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::ServiceError;
use crate::bounds::WAITING_READS_MAX;
use crate::causes::chain;
use crate::store::{Event, Store, StoreError, Watched};

/// Pause before the store is watched again after it failed.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Who waits for what. Nothing rings before [`Changes::follow`] runs.
#[derive(Debug, Default)]
pub struct Changes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By key, or by directory with its slash. What nobody waits for is not there.
    bells: HashMap<Arc<str>, Bell>,
    waiting: usize,
    over: bool,
}

#[derive(Debug)]
struct Bell {
    rings: watch::Sender<()>,
    waiting: usize,
}

/// A place among those who wait for one key or directory; given back when it is dropped.
#[derive(Debug)]
pub struct Waiting {
    changes: Arc<Changes>,
    watched: Arc<str>,
    rings: watch::Receiver<()>,
}

impl Changes {
    /// Takes a place among those who wait for a change of a key, or of anything in a directory such as `peerings/`.
    ///
    /// Read after this and not before: a change in between rings.
    ///
    /// # Errors
    /// [`ServiceError::TooManyWaiting`] past [`WAITING_READS_MAX`].
    pub fn wait_for(self: &Arc<Self>, watched: &str) -> Result<Waiting, ServiceError> {
        let mut state = self.state();
        if state.waiting >= WAITING_READS_MAX {
            return Err(ServiceError::TooManyWaiting { max: WAITING_READS_MAX });
        }
        state.waiting += 1;
        if state.over {
            // A bell without a ringer: whoever waits for it hears at once that nothing will come.
            let rings = watch::channel(()).1;
            return Ok(Waiting { changes: Arc::clone(self), watched: watched.into(), rings });
        }
        let entry = state.bells.entry(watched.into());
        let watched = Arc::clone(entry.key());
        let bell = entry.or_insert_with(|| Bell { rings: watch::Sender::new(()), waiting: 0 });
        bell.waiting += 1;
        let rings = bell.rings.subscribe();
        drop(state);
        Ok(Waiting { changes: Arc::clone(self), watched, rings })
    }

    /// Rings for every change of the store until it closes or `stop` says so. Then everybody hears that it is over.
    pub async fn follow(&self, store: &dyn Store, stop: CancellationToken) {
        let end = stop.clone();
        let watching = async {
            while let Err(cause) = self.follow_once(store).await {
                error!(cause = chain(&cause), "changes cannot be watched, trying again");
                tokio::time::sleep(WATCH_PAUSE).await;
            }
        };
        end.run_until_cancelled(watching).await;
        let mut state = self.state();
        state.over = true;
        state.bells.clear();
    }

    /// Rings until the store closes.
    async fn follow_once(&self, store: &dyn Store) -> Result<(), StoreError> {
        loop {
            let mut changes = store.watch("", store.revision().await? + 1).await?;
            // What came before this watch was told to nobody.
            self.ring_all();
            loop {
                match changes.next().await {
                    Some(Watched::Events(events)) => events.iter().for_each(|event| self.ring(event)),
                    Some(Watched::Compacted) => break,
                    None => return Ok(()),
                }
            }
        }
    }

    /// Rings for the key of an event and for each directory that it is in.
    fn ring(&self, event: &Event) {
        let key = event.key();
        let state = self.state();
        let directories = key.match_indices('/').map(|(slash, _)| &key[..=slash]);
        for bell in directories.chain([key]).filter_map(|watched| state.bells.get(watched)) {
            bell.rings.send_replace(());
        }
    }

    fn ring_all(&self) {
        for bell in self.state().bells.values() {
            bell.rings.send_replace(());
        }
    }

    /// Returns how many wait, and for how many different things.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.waiting, state.bells.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is changed without a way to panic half-way, so a poisoned lock holds a good one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Waits until there may be a change that was not heard of yet. `false` says that none will come any more, because
    /// the server stops.
    pub async fn changed(&mut self) -> bool {
        self.rings.changed().await.is_ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.changes.state();
        state.waiting -= 1;
        if let Entry::Occupied(mut bell) = state.bells.entry(Arc::clone(&self.watched)) {
            bell.get_mut().waiting -= 1;
            if bell.get().waiting == 0 {
                bell.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{Txn, Write};

    /// Longer than any ring takes, on a clock that is moved when nothing else is to be done.
    const SILENCE: Duration = Duration::from_secs(3_600);

    struct Followed {
        store: Arc<MemoryStore>,
        changes: Arc<Changes>,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    impl Followed {
        async fn new() -> Self {
            let (store, changes, stop) =
                (Arc::new(MemoryStore::default()), Arc::new(Changes::default()), CancellationToken::new());
            let mut begun = changes.wait_for("").unwrap();
            let (followed, over, bells) = (Arc::clone(&store), stop.clone(), Arc::clone(&changes));
            let task = tokio::spawn(async move { bells.follow(followed.as_ref(), over).await });
            assert!(begun.changed().await);
            Self { store, changes, stop, task }
        }

        async fn write(&self, write: Write) {
            let _ = self.store.commit(Txn { writes: vec![write], ..Txn::default() }).await.unwrap();
        }

        async fn put(&self, key: &str) {
            self.write(Write::Put(key.to_owned(), Vec::new())).await;
        }
    }

    async fn is_silent(waiting: &mut Waiting) -> bool {
        timeout(SILENCE, waiting.changed()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_and_each_directory_above_it_hear_of_a_write_and_nobody_else_does() {
        let followed = Followed::new().await;
        let near = ["a/b/c", "a/b/", "a/"].map(|watched| followed.changes.wait_for(watched).unwrap());
        let far = ["a/b", "a/b/cd", "b/", "", "a"].map(|watched| followed.changes.wait_for(watched).unwrap());
        followed.put("a/b/c").await;
        for mut waiting in near {
            assert!(waiting.changed().await);
            assert!(is_silent(&mut waiting).await, "one ring for one change");
        }
        for mut waiting in far {
            assert!(is_silent(&mut waiting).await, "{waiting:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_rings_too() {
        let followed = Followed::new().await;
        followed.put("a/b").await;
        let mut waiting = followed.changes.wait_for("a/b").unwrap();
        if !is_silent(&mut waiting).await {
            assert!(is_silent(&mut waiting).await, "the write was heard late, once");
        }
        followed.write(Write::Delete("a/b".to_owned())).await;
        assert!(waiting.changed().await);
    }

    #[tokio::test(start_paused = true)]
    async fn five_thousand_who_wait_for_one_thing_share_one_bell_and_leave_nothing_behind() {
        let followed = Followed::new().await;
        let crowd: Vec<Waiting> = (0..5_000).map(|_| followed.changes.wait_for("a/").unwrap()).collect();
        assert_eq!(followed.changes.counts(), (5_000, 1));
        followed.put("a/b").await;
        for mut waiting in crowd {
            assert!(waiting.changed().await);
        }
        assert_eq!(followed.changes.counts(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_wait_than_the_bound_says() {
        let changes = Arc::new(Changes::default());
        let mut crowd: Vec<Waiting> =
            (0..WAITING_READS_MAX).map(|at| changes.wait_for(&format!("a/{}", at % 7)).unwrap()).collect();
        assert!(matches!(changes.wait_for("a/0"), Err(ServiceError::TooManyWaiting { .. })));
        crowd.pop();
        assert!(changes.wait_for("a/0").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_every_wait_those_that_begin_later_too() {
        let Followed { store: _store, changes, stop, task } = Followed::new().await;
        let mut waiting = changes.wait_for("a/").unwrap();
        stop.cancel();
        assert!(!waiting.changed().await);
        task.await.unwrap();
        assert!(!changes.wait_for("a/").unwrap().changed().await);
        drop(waiting);
        assert_eq!(changes.counts(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_missed_events_is_told_to_look_again() {
        let followed = Followed::new().await;
        let mut waiting = followed.changes.wait_for("quiet/").unwrap();
        // More than the store keeps, written in one go before anybody reads.
        for _ in 0..=crate::store::WATCH_EVENTS_MAX {
            let txn = Txn { writes: vec![Write::Put("busy/a".to_owned(), Vec::new())], ..Txn::default() };
            let _ = followed.store.commit(txn).await.unwrap();
        }
        assert!(waiting.changed().await);
    }
}
