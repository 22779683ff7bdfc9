//! The one suite that every backend passes: what a [`Store`] promises, behaviour by behaviour.
//!
//! A backend written elsewhere runs it with the feature `testing`; one that keeps its data adds tests of its own for
//! what happens across a restart.

mod commits;
mod model;
mod ranges;
mod watches;

use std::sync::Arc;

use super::{Commit, Page, Precondition, Record, Revision, Store, StoreError, Txn, Write};

pub use model::agree;

/// How a behaviour ends: in a failed assertion, or in an error of the store that nobody asked for.
type Outcome = Result<(), StoreError>;

/// Runs every behaviour, each on a new store.
///
/// # Panics
/// If the store does not behave; the message names the behaviour or the assertion.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::sync::Arc;
///
/// use peering_server::store::{Store, memory::MemoryStore, suite};
///
/// suite::run(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>).await;
/// # }
/// ```
pub async fn run<F>(make: F)
where
    F: AsyncFn() -> Arc<dyn Store>,
{
    macro_rules! behaviours {
        ($($room:ident: $($name:ident)+;)+) => {$($(
            if let Err(error) = $room::$name(make().await).await {
                panic!(concat!(stringify!($room), "::", stringify!($name), ": {:?}"), error);
            }
        )+)+};
    }
    behaviours! {
        commits:
            an_empty_store_is_at_revision_zero
            absent_lets_exactly_the_first_create
            unchanged_lets_only_the_last_reader_write
            a_conflict_leaves_nothing
            several_preconditions_must_all_hold
            several_writes_are_one_revision
            each_commit_counts_one
            a_record_knows_who_created_and_who_last_wrote_it
            delete_and_create_starts_anew
            deleting_what_is_not_there_leaves_no_trace
            a_later_write_to_the_same_key_wins
            an_empty_transaction_says_where_the_store_is
            preconditions_without_writes_are_only_checked
            the_most_operations_are_accepted_and_one_more_refused
            the_largest_value_is_accepted_and_one_byte_more_refused
            values_are_any_bytes_and_keys_any_text
            of_32_racers_one_creates
            of_32_counters_none_is_lost;
        ranges:
            records_come_in_the_byte_order_of_their_keys
            only_the_prefix_is_read
            pages_join_without_gap_or_overlap
            a_limit_of_zero_asks_for_the_revision_alone
            the_revision_of_a_directory_is_that_of_its_last_change
            the_revision_of_other_prefixes_is_never_too_low;
        watches:
            changes_come_in_order_and_whole
            the_past_is_told_first
            what_came_before_is_not_told
            only_the_prefix_is_watched
            a_watcher_waits_for_its_first_change
            a_watch_from_the_future_tells_nothing_earlier
            a_watcher_dropped_while_waiting_loses_nothing
            too_far_back_is_compacted_and_listing_again_helps
            a_watch_after_a_list_misses_nothing;
    }
}

fn put(key: &str, value: impl AsRef<[u8]>) -> Write {
    Write::Put(key.to_owned(), value.as_ref().to_vec())
}

fn delete(key: &str) -> Write {
    Write::Delete(key.to_owned())
}

fn absent(key: &str) -> Precondition {
    Precondition::Absent(key.to_owned())
}

fn unchanged(key: &str, revision: Revision) -> Precondition {
    Precondition::Unchanged(key.to_owned(), revision)
}

fn record(key: &str, value: impl AsRef<[u8]>, created: Revision, modified: Revision) -> Record {
    Record { key: key.to_owned(), value: value.as_ref().to_vec(), created, modified }
}

fn keys(page: &Page) -> Vec<&str> {
    page.records.iter().map(|record| record.key.as_str()).collect()
}

async fn commit(
    store: &dyn Store,
    preconditions: impl Into<Vec<Precondition>>,
    writes: impl Into<Vec<Write>>,
) -> Result<Commit, StoreError> {
    store.commit(Txn { preconditions: preconditions.into(), writes: writes.into() }).await
}

/// Commits writes that nothing can stop.
async fn write(store: &dyn Store, writes: impl Into<Vec<Write>>) -> Result<Revision, StoreError> {
    match commit(store, [], writes).await? {
        Commit::Committed(revision) => Ok(revision),
        other => panic!("a transaction without preconditions ended as {other:?}"),
    }
}
