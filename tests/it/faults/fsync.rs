//! Every group of transactions is synced to the disk before anybody is told: seen from outside, in the system's calls.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use peering_tests::eventually::eventually;
use peering_tests::http::Http;
use peering_tests::process::Signal;
use peering_tests::site::{Site, private_directory};
use serde_json::json;
use tokio::task::JoinSet;

use crate::under_test::program;

/// Clients that ask for tokens at the same time, so that there are groups to be seen.
const CLIENTS: usize = 16;
/// Tokens that each asks for.
const TOKENS: usize = 8;
/// What the server logs once a group is committed.
const COMMITTED: &str = "group of transactions committed";
/// Longest wait until the last call was written down.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
/// Where an SQLite database says how it may be written and read: 2 and 2 for a write-ahead log.
const VERSIONS_AT: usize = 18;

/// What one thread did.
#[derive(Debug, Default)]
struct Thread {
    /// Syncs of the write-ahead log that succeeded since the last group.
    syncs: usize,
    /// The file of a sync that has begun.
    syncing: Option<String>,
    groups: usize,
    largest_group: usize,
}

/// Reads a log of calls: the number of groups, of syncs of the write-ahead log, and the size of the largest group.
///
/// Each group is logged by the thread that committed it, so that the order of its calls tells what came first.
fn read_calls(calls: &str) -> (usize, usize, usize) {
    let mut threads = HashMap::<&str, Thread>::new();
    let mut synced = 0;
    for line in calls.lines() {
        let (id, call) = line.split_once(' ').unwrap();
        let (thread, call) = (threads.entry(id).or_default(), call.trim_start());
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            thread.syncing = Some(call.to_owned());
        }
        let is_done = thread.syncing.is_some() && call.ends_with(" = 0");
        if let Some(file) = thread.syncing.take_if(|_| is_done)
            && file.contains("/store.sqlite-wal>")
        {
            synced += 1;
            thread.syncs += 1;
        }
        if call.starts_with("write(2<") && call.contains(COMMITTED) {
            assert!(thread.syncs > 0, "a group was committed without a sync since the one before: {call}");
            thread.syncs = 0;
            thread.groups += 1;
            let (_, size) = call.split_once("transactions=").unwrap();
            let size = size.split(' ').next().unwrap().parse().unwrap();
            thread.largest_group = thread.largest_group.max(size);
        }
    }
    let groups = threads.values().map(|thread| thread.groups).sum();
    let largest = threads.values().map(|thread| thread.largest_group).max().unwrap_or_default();
    (groups, synced, largest)
}

#[tokio::test]
#[ignore = "needs strace"]
async fn every_group_of_commits_is_synced_before_it_is_told() {
    // 1. A server runs, and its calls are written down. The tracer is its child, so that signals reach the server.
    let directory = private_directory();
    let calls = directory.path().join("calls");
    let calls_text = calls.display().to_string();
    #[rustfmt::skip]
    let strace = [
        "/usr/bin/strace", "-D", "-f", "-y", "-s", "1000", "-e", "trace=fsync,fdatasync,write", "-o", &calls_text,
    ];
    let mut site = Site::start_logging(&program().under(strace), "dc1", "debug").await;

    // 2. Many ask at once.
    let http = Http::new(site.http().parse().unwrap());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let http = http.clone();
        clients.spawn(async move {
            for _ in 0..TOKENS {
                let body = json!({ "PeerName": format!("peer-{client}") }).to_string();
                assert_eq!(http.post("/v1/peering/token", body).await.status, 200);
            }
        });
    }
    clients.join_all().await;
    let header = fs::read(site.data_dir().join("store.sqlite")).unwrap();
    let log = site.stop(Signal::TERM).await.stderr;

    // 3. The connection that writes has the settings by which commits are durable, and the file says the same.
    let opened = log.lines().find(|line| line.contains("store opened")).unwrap();
    assert!(opened.contains(r#"journal_mode="wal" synchronous=2"#), "{opened}");
    assert_eq!(header[VERSIONS_AT..VERSIONS_AT + 2], [2, 2], "a write-ahead log");

    // 4. No group was told before its sync.
    let calls = eventually(WRITTEN_WITHIN, async || {
        let written = fs::read_to_string(&calls).unwrap();
        if written.contains("+++ exited with 0 +++") { Ok(written) } else { Err("strace still writes".to_owned()) }
    })
    .await;
    let (groups, syncs, largest) = read_calls(&calls);
    println!("{} commits in {groups} groups of at most {largest}, {syncs} syncs of the log", CLIENTS * TOKENS);
    assert_eq!(groups, log.matches(COMMITTED).count(), "every group was seen");
    assert!(groups <= syncs && groups >= TOKENS, "each client waits for one commit after the other");
    assert!(largest > 1, "there was no group");
}

#[test]
#[should_panic(expected = "without a sync")]
fn a_group_that_is_told_before_its_sync_is_found() {
    read_calls(
        "7 fdatasync(9</data/store.sqlite-wal>) = 0\n\
         7 write(2<pipe:[1]>, \"group of transactions committed transactions=1 revision=1\", 9) = 9\n\
         8 fdatasync(9</data/store.sqlite-wal>) = 0\n\
         7 fdatasync(9</data/store.sqlite>) = 0\n\
         7 write(2<pipe:[1]>, \"group of transactions committed transactions=1 revision=2\", 9) = 9\n",
    );
}
