//! A store that does not always know, and one that does something else first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::store::memory::MemoryStore;
use crate::store::{Commit, Page, Record, Revision, Store, StoreError, Txn, Watch};

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It happens and is said to have.
    None,
    /// It does not happen: a conflict that there was not.
    Conflict,
    /// It happens, and nobody can say so.
    UnknownDone,
    /// It does not happen, and nobody can say so.
    UnknownLost,
    /// It does not happen, and that is certain.
    Failure,
    /// It happens, and is said to have failed: what no store may do, and a caller should survive all the same.
    FailureDone,
    /// It does not happen, for want of space.
    Full,
}

/// A memory store whose commits meet what a test has planned; afterwards all is well.
pub(super) struct DoubtfulStore {
    inner: MemoryStore,
    plan: Mutex<VecDeque<Doubt>>,
    before_get: Mutex<Option<(String, Arc<Pause>)>>,
    after_range: Mutex<Option<(String, Arc<Pause>)>>,
}

/// Stops somebody between two steps.
#[derive(Default)]
pub(super) struct Pause {
    pub(super) reached: Notify,
    pub(super) go_on: Notify,
}

impl DoubtfulStore {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            plan: Mutex::default(),
            before_get: Mutex::default(),
            after_range: Mutex::default(),
        })
    }

    /// Plans what becomes of the next commits.
    pub(super) fn plan(&self, doubts: &[Doubt]) {
        *self.plan.lock().unwrap() = doubts.iter().copied().collect();
    }

    /// Returns how much of the plan was not met.
    pub(super) fn planned(&self) -> usize {
        self.plan.lock().unwrap().len()
    }

    /// Stops the next reading of a record under this prefix before it looks.
    pub(super) fn stop_before_get(&self, prefix: String) -> Arc<Pause> {
        stop(&self.before_get, prefix)
    }

    /// Stops the next listing of this prefix between what it saw and what it says.
    pub(super) fn stop_after_range(&self, prefix: &str) -> Arc<Pause> {
        stop(&self.after_range, prefix.to_owned())
    }
}

fn stop(slot: &Mutex<Option<(String, Arc<Pause>)>>, prefix: String) -> Arc<Pause> {
    let pause = Arc::new(Pause::default());
    *slot.lock().unwrap() = Some((prefix, Arc::clone(&pause)));
    pause
}

async fn wait_at(slot: &Mutex<Option<(String, Arc<Pause>)>>, key: &str) {
    let met = slot.lock().unwrap().take_if(|(prefix, _)| key.starts_with(prefix.as_str()));
    if let Some((_, pause)) = met {
        pause.reached.notify_one();
        pause.go_on.notified().await;
    }
}

#[async_trait]
impl Store for DoubtfulStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        wait_at(&self.before_get, key).await;
        self.inner.get(key).await
    }

    async fn range(&self, prefix: &str, limit: usize, after: Option<&str>) -> Result<Page, StoreError> {
        let page = self.inner.range(prefix, limit, after).await;
        wait_at(&self.after_range, prefix).await;
        page
    }

    async fn commit(&self, txn: Txn) -> Result<Commit, StoreError> {
        let doubt = self.plan.lock().unwrap().pop_front().unwrap_or(Doubt::None);
        match doubt {
            Doubt::None => self.inner.commit(txn).await,
            Doubt::Conflict => Ok(Commit::Conflict),
            Doubt::UnknownDone => {
                let done = self.inner.commit(txn).await?;
                Ok(if matches!(done, Commit::Committed(_)) { Commit::Unknown } else { done })
            }
            Doubt::UnknownLost => Ok(Commit::Unknown),
            Doubt::Failure => {
                let source = Arc::new(std::io::Error::other("input/output error"));
                Err(StoreError::Backend { operation: "commit", source })
            }
            Doubt::FailureDone => {
                let _: Commit = self.inner.commit(txn).await?;
                let source = Arc::new(std::io::Error::other("input/output error"));
                Err(StoreError::Backend { operation: "commit", source })
            }
            Doubt::Full => {
                let source = Arc::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
                Err(StoreError::Full { operation: "commit", source })
            }
        }
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        self.inner.watch(prefix, from).await
    }

    async fn revision(&self) -> Result<Revision, StoreError> {
        self.inner.revision().await
    }
}
