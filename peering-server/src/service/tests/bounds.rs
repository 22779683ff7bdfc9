//! Bounds of the service: what is at one is taken, what is one past it is not.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use peering_core::secret::StreamSecret;
use uuid::Uuid;

use super::bench::{Bench, Operate};
use crate::bounds::{STREAM_SECRET_BYTES_MAX, TOMBSTONE_AGE_MAX, TOMBSTONES_MAX};
use crate::clock::Clock;
use crate::service::establish::{CallError, ExchangeAsk, ExchangeClient};
use crate::store::record::{Tombstone, encode};
use crate::store::{Commit, Txn, Write, key};

/// An acceptor whose stream secrets have this many bytes.
struct Secretive(usize);

#[async_trait]
impl ExchangeClient for Secretive {
    async fn exchange(&self, _: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        Ok(StreamSecret::from_text("s".repeat(self.0)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_secret_has_1_to_256_bytes() {
    for (bytes, is_taken) in
        [(0, false), (1, true), (STREAM_SECRET_BYTES_MAX, true), (STREAM_SECRET_BYTES_MAX + 1, false)]
    {
        let token = Bench::new("dc1").service().await.token("dc2").await.unwrap();
        let dialer = Bench { exchange: Arc::new(Secretive(bytes)), ..Bench::new("dc2") };
        let outcome = dialer.service().await.use_token("dc1", &token).await;
        assert_eq!(outcome.is_ok(), is_taken, "{bytes}: {outcome:?}");
    }
}

/// Keeps a tombstone for each of these ages, under ids from a number on.
async fn bury(bench: &Bench, from: usize, ages: impl Iterator<Item = SignedDuration>) {
    let write = |(number, age)| {
        let key = format!("{}{}", key::TOMBSTONES, Uuid::from_u128(number as u128));
        let tombstone = Tombstone { deleted_at: bench.clock.now() - age };
        let value = encode(&key, &tombstone, Uuid::nil()).unwrap();
        Write::Put(key, value)
    };
    let writes: Vec<Write> = (from..).zip(ages).map(write).collect();
    for writes in writes.chunks(100) {
        let commit = bench.store.commit(Txn { writes: writes.to_vec(), ..Txn::default() }).await.unwrap();
        assert!(matches!(commit, Commit::Committed(_)));
    }
}

async fn buried(bench: &Bench) -> usize {
    let mut count = 0;
    let mut after: Option<String> = None;
    loop {
        let page = bench.store.range(key::TOMBSTONES, 1_000, after.as_deref()).await.unwrap();
        count += page.records.len();
        after = page.records.last().map(|record| record.key.clone());
        if !page.more {
            return count;
        }
    }
}

#[tokio::test]
async fn the_newest_ten_thousand_tombstones_are_kept() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let ages = |count: usize| (0..i64::try_from(count).unwrap()).map(SignedDuration::from_secs);
    bury(&bench, 0, ages(TOMBSTONES_MAX)).await;
    service.sweep_tombstones().await.unwrap();
    assert_eq!(buried(&bench).await, TOMBSTONES_MAX);
    bury(&bench, TOMBSTONES_MAX, ages(1)).await;
    service.sweep_tombstones().await.unwrap();
    assert_eq!(buried(&bench).await, TOMBSTONES_MAX);
}

#[tokio::test]
async fn a_tombstone_is_kept_for_thirty_days() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    bury(&bench, 0, [TOMBSTONE_AGE_MAX, TOMBSTONE_AGE_MAX + SignedDuration::from_secs(1)].into_iter()).await;
    service.sweep_tombstones().await.unwrap();
    assert_eq!(buried(&bench).await, 1);
}
