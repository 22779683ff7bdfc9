//! Random transactions on two stores, which must answer alike.

use super::{Outcome, StoreError};
use crate::entropy::{Entropy, SeededEntropy};
use crate::store::{Commit, Event, Precondition, Revision, Store, Txn, Watch, Watched, Write};

/// Few enough keys that transactions meet each other often; in several directories, nested ones and none.
const KEYS: [&str; 9] = ["a/1", "a/2", "a/3", "a/b/1", "a/b/2", "b/1", "b/2", "c/1", "top"];
const PREFIXES: [&str; 8] = ["", "a", "a/", "a/b/", "a/b/1", "b/", "c/", "none/"];

/// Commits the same random transactions to two empty stores and compares every answer.
///
/// # Errors
/// [`StoreError`] of whichever store fails.
///
/// # Panics
/// If they differ; the message has the seed.
pub async fn agree(model: &dyn Store, other: &dyn Store, seed: u64, transactions: usize) -> Result<(), StoreError> {
    let dice = Dice(SeededEntropy::new(seed));
    let mut watches = (model.watch("a/", 1).await?, other.watch("a/", 1).await?);
    for step in 0..transactions {
        let txn = dice.txn(model).await?;
        let expected = model.commit(txn.clone()).await?;
        let got = other.commit(txn.clone()).await?;
        assert_eq!(got, expected, "seed {seed}, step {step}: {txn:?}");
        reads_agree(model, other, &dice, &format!("seed {seed}, step {step}")).await?;
    }
    let last = model.revision().await?;
    assert_eq!(other.revision().await?, last, "seed {seed}");
    // One last change of both, to know when everything was told.
    let end = Txn { preconditions: Vec::new(), writes: vec![Write::Put("a/end".to_owned(), Vec::new())] };
    assert_eq!(model.commit(end.clone()).await?, Commit::Committed(last + 1), "seed {seed}");
    assert_eq!(other.commit(end).await?, Commit::Committed(last + 1), "seed {seed}");
    assert_eq!(told(&mut *watches.1, last + 1).await, told(&mut *watches.0, last + 1).await, "seed {seed}");
    Ok(())
}

async fn reads_agree(model: &dyn Store, other: &dyn Store, dice: &Dice, at: &str) -> Outcome {
    let key = dice.one_of(&KEYS);
    assert_eq!(other.get(key).await?, model.get(key).await?, "{at}: get {key}");
    let (prefix, limit) = (dice.one_of(&PREFIXES), dice.below(12));
    let after = if dice.below(2) == 0 { None } else { Some(dice.one_of(&KEYS)) };
    let got = other.range(prefix, limit, after).await?;
    assert_eq!(got, model.range(prefix, limit, after).await?, "{at}: range {prefix} {limit} {after:?}");
    Ok(())
}

async fn told(watch: &mut dyn Watch, last: Revision) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match watch.next().await {
            Some(Watched::Events(next)) => events.extend(next),
            other => panic!("expected events up to revision {last}, got {other:?}"),
        }
        if let Some(Event::Put(record)) = events.last()
            && record.modified == last
        {
            return events;
        }
    }
}

/// Throws what happens next.
struct Dice(SeededEntropy);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 2];
        self.0.fill(&mut bytes);
        usize::from(u16::from_be_bytes(bytes)) % bound
    }

    fn one_of<'a>(&self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Makes up a transaction whose preconditions hold about half of the time.
    async fn txn(&self, model: &dyn Store) -> Result<Txn, StoreError> {
        let mut txn = Txn::default();
        for _ in 0..self.below(3) {
            let key = self.one_of(&KEYS).to_owned();
            let precondition = match (model.get(&key).await?, self.below(4)) {
                (Some(record), 0..3) => Precondition::Unchanged(key, record.modified),
                (None, 0..3) => Precondition::Absent(key),
                (Some(_), _) => Precondition::Absent(key),
                (None, _) => Precondition::Unchanged(key, 1),
            };
            txn.preconditions.push(precondition);
        }
        for _ in 0..self.below(5) {
            let key = self.one_of(&KEYS).to_owned();
            txn.writes.push(match self.below(3) {
                0 => Write::Delete(key),
                _ => Write::Put(key, self.0.bytes16()[..self.below(17)].to_vec()),
            });
        }
        Ok(txn)
    }
}
