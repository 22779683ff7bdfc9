//! SQLite with nothing around it: the same rows and preconditions, in groups, on the same disk.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail};
use peering_server::store::{Precondition, Txn};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

/// Most transactions in one group, as in the product's store.
pub(crate) const GROUP: usize = 64;

/// A database that is written to by whoever has it.
pub(crate) struct RawStore {
    connection: Connection,
    revision: u64,
}

impl RawStore {
    /// Makes a database with the product's settings in a directory.
    pub(crate) fn create(directory: &Path) -> Result<Self> {
        let connection = Connection::open(directory.join("raw.sqlite"))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE record (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, modified INTEGER NOT NULL) STRICT",
        )?;
        Ok(Self { connection, revision: 0 })
    }

    /// Commits some transactions with one sync.
    pub(crate) fn commit(&mut self, group: &[Txn]) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut modified = transaction.prepare_cached("SELECT modified FROM record WHERE key = ?1")?;
            let mut put = transaction.prepare_cached(
                "INSERT INTO record (key, value, modified) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = excluded.modified",
            )?;
            let mut delete = transaction.prepare_cached("DELETE FROM record WHERE key = ?1")?;
            for txn in group {
                self.revision += 1;
                for precondition in &txn.preconditions {
                    let (Precondition::Absent(key) | Precondition::Unchanged(key, _)) = precondition;
                    let found: Option<u64> = modified.query_row([key], |row| row.get(0)).optional()?;
                    if found.is_some() != matches!(precondition, Precondition::Unchanged(..)) {
                        bail!("{precondition:?} does not hold");
                    }
                }
                for (key, value) in txn.clone().into_changes() {
                    match value {
                        Some(value) => put.execute(params![key, value, self.revision])?,
                        None => delete.execute([key])?,
                    };
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// The same behind a thread that takes all transactions that wait as one group.
#[derive(Clone)]
pub(crate) struct RawWriter {
    jobs: mpsc::Sender<(Txn, oneshot::Sender<()>)>,
}

impl RawWriter {
    /// Makes a database and starts the thread; it ends with the last sender.
    pub(crate) fn start(directory: &Path) -> Result<Self> {
        let mut store = RawStore::create(directory)?;
        let (jobs, waiting) = mpsc::channel::<(Txn, oneshot::Sender<()>)>();
        thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let rest = waiting.try_iter().take(GROUP - 1);
                let (group, answers): (Vec<_>, Vec<_>) = std::iter::once(first).chain(rest).unzip();
                // A sender that is dropped without an answer tells the asker of the failure.
                if let Err(error) = store.commit(&group) {
                    eprintln!("a raw commit failed: {error:#}");
                    continue;
                }
                for answer in answers {
                    _ = answer.send(());
                }
            }
        });
        Ok(Self { jobs })
    }

    /// Commits one transaction, together with whatever else waits.
    pub(crate) async fn commit(&self, txn: Txn) -> Result<()> {
        let (answer, outcome) = oneshot::channel();
        self.jobs.send((txn, answer)).ok().context("the raw writer has ended")?;
        outcome.await.context("a raw commit failed")
    }
}
