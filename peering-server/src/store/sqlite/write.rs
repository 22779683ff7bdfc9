//! The thread that commits: it alone writes, and takes all transactions that wait as one group.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::files::DataDirectory;
use super::group::{self, Applied, Attempt, CommitFn, Failure, Verdict};
use crate::store::feed::Feed;
use crate::store::{Commit, Revision, StoreError, Txn};

/// Most transactions in one group: more gain little, since the sync is already shared, and would make the first wait
/// longer for its answer.
pub(super) const GROUP_TRANSACTIONS_MAX: usize = 64;
/// Most transactions that wait for the thread: a few groups, after which callers wait before they hand theirs over.
pub(super) const COMMITS_WAITING_MAX: usize = 4 * GROUP_TRANSACTIONS_MAX;

/// One transaction and who waits for its outcome.
pub(super) struct Request {
    /// What to commit, within the bounds.
    pub(super) txn: Txn,
    /// Gets the outcome, unless the caller went away.
    pub(super) answer: oneshot::Sender<Verdict>,
}

/// What the thread is asked to do.
pub(super) enum Job {
    /// To commit.
    Commit(Request),
    /// To do whatever a test wants done between two groups.
    #[cfg(test)]
    Probe(Box<dyn FnOnce(&mut Writer) + Send>),
}

/// The state of the thread.
pub(super) struct Writer {
    connection: Connection,
    revision: Revision,
    feed: Arc<Feed>,
    /// A group whose fate must be settled before anything else is written.
    unsettled: Option<Attempt>,
    /// How a transaction ends; tests make it fail.
    pub(super) commit: Box<CommitFn>,
}

impl Writer {
    /// Takes over the connection of a store at a revision.
    pub(super) fn new(connection: Connection, revision: Revision, feed: Arc<Feed>) -> Self {
        Self {
            connection,
            revision,
            feed,
            unsettled: None,
            commit: Box::new(|transaction: Transaction<'_>| transaction.commit()),
        }
    }

    /// Starts the thread. It ends when nobody can send jobs any more and all are done, and keeps the directory locked
    /// until then.
    pub(super) fn spawn(
        self,
        waiting: mpsc::Receiver<Job>,
        directory: Arc<DataDirectory>,
    ) -> io::Result<JoinHandle<()>> {
        let intake = Intake { waiting, feed: Arc::clone(&self.feed) };
        let work = move || {
            self.run(intake);
            drop(directory);
        };
        thread::Builder::new().name("store-writer".to_owned()).spawn(work)
    }

    fn run(mut self, mut intake: Intake) {
        let mut group = Vec::with_capacity(GROUP_TRANSACTIONS_MAX);
        while let Some(first) = intake.waiting.blocking_recv() {
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Commit(request) => group.push(request),
                    #[cfg(test)]
                    Job::Probe(probe) => {
                        self.serve(group.drain(..));
                        probe(&mut self);
                    }
                }
                next = if group.len() < GROUP_TRANSACTIONS_MAX { intake.waiting.try_recv().ok() } else { None };
            }
            self.serve(group.drain(..));
        }
    }

    /// Commits a group and answers everyone in it.
    fn serve(&mut self, group: impl Iterator<Item = Request>) {
        let (txns, answers): (Vec<_>, Vec<_>) = group.map(|request| (request.txn, request.answer)).unzip();
        let verdicts = match self.commit_group(txns) {
            Ok(verdicts) => verdicts,
            Err(error) => answers.iter().map(|_| Err(error.clone())).collect(),
        };
        for (answer, verdict) in answers.into_iter().zip(verdicts) {
            // Whoever does not wait any more does not want to know.
            _ = answer.send(verdict);
        }
    }

    fn commit_group(&mut self, txns: Vec<Txn>) -> Result<Vec<Verdict>, StoreError> {
        self.settle()?;
        match group::write(&mut self.connection, self.revision, txns, &mut self.commit) {
            Ok(Applied { verdicts, attempt }) => {
                self.happened(attempt);
                Ok(verdicts)
            }
            Err(Failure::Nothing(error)) => Err(error),
            Err(Failure::Unsure(Applied { verdicts, attempt }, error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a commit failed, its fate is being settled");
                self.unsettled = Some(attempt);
                match self.settle() {
                    Ok(true) => Ok(verdicts),
                    Ok(false) => Err(error),
                    Err(_) => Ok(verdicts.into_iter().map(|verdict| unsure(verdict, &error)).collect()),
                }
            }
        }
    }

    /// Settles the fate of the last group if need be; returns whether it happened.
    fn settle(&mut self) -> Result<bool, StoreError> {
        let Some(attempt) = &self.unsettled else { return Ok(true) };
        let happened = attempt.settle(&mut self.connection, &mut self.commit)?;
        if let Some(attempt) = self.unsettled.take()
            && happened
        {
            self.happened(attempt);
        }
        Ok(happened)
    }

    /// Tells watchers what is now durable.
    fn happened(&mut self, attempt: Attempt) {
        self.revision = attempt.after();
        if !attempt.changes.is_empty() {
            // One line for each COMMIT that was synced, by which the work of the disk can be counted.
            tracing::debug!(
                transactions = attempt.changes.len(),
                revision = self.revision,
                "group of transactions committed"
            );
        }
        for changes in attempt.changes {
            self.feed.publish(changes);
        }
    }
}

/// Says what is known of a transaction when nobody can say whether its group happened.
fn unsure(verdict: Verdict, error: &StoreError) -> Verdict {
    match verdict {
        Ok(Commit::Committed(_) | Commit::Unknown) => Ok(Commit::Unknown),
        // It wrote nothing, but what it ran into may not be there.
        Ok(Commit::Conflict) => Err(error.clone()),
        Err(own) => Err(own),
    }
}

/// Where jobs arrive. When the thread ends, by a panic too, nobody is left waiting.
struct Intake {
    waiting: mpsc::Receiver<Job>,
    feed: Arc<Feed>,
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.waiting.close();
        while let Ok(job) = self.waiting.try_recv() {
            match job {
                Job::Commit(request) => _ = request.answer.send(Err(StoreError::Closed)),
                #[cfg(test)]
                Job::Probe(_) => {}
            }
        }
        self.feed.close();
    }
}
