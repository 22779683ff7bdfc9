//! The audit trail of a server that is killed again and again: nothing is lost, nothing doubled, and the chain holds.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peering_core::audit::{Line, Verifier};
use peering_tests::process::Signal;
use peering_tests::site::Site;
use peering_tests::token;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::dice::Dice;
use super::journal::Journal;
use super::life::Life;
use crate::under_test::program;

/// Clients at the same time.
const CLIENTS: usize = 4;
/// Latest kill after the start: some batches of the trail have been written then.
const KILL_MILLISECONDS_MAX: usize = 450;

/// Generates tokens until the server is gone, and returns the ids of those that were acknowledged.
async fn load(life: Life, client: usize, round: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        // Every other token supersedes the one before it.
        let Ok(answer) = life.generate(&format!("peer-{client}-{round}-{}", number / 2)).await else { break };
        let token = answer.accepts()["PeeringToken"].as_str().unwrap().to_owned();
        acknowledged.push(token::claim(&token, "TokenID"));
    }
    acknowledged
}

/// Reads the trail and checks its chain; with the last line of a stop in order, signatures apart.
fn lines(path: &Path) -> Vec<Line> {
    let text = fs::read(path).unwrap();
    let mut verifier = Verifier::new(None, None);
    verifier.begin_file("audit.log");
    let mut lines = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let whole = line.strip_suffix(b"\n").expect("a whole line");
        verifier.line(whole, true);
        lines.push(Line::parse(whole).unwrap());
    }
    let report = verifier.finish();
    assert!(report.is_whole(), "{:?}", report.faults);
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_tells_each_event_once_in_its_audit_trail() {
    let dice = Dice::new(Dice::print_seed(), 0);
    let mut site = Site::prepare(&program(), "dc1", "error");
    let mut acknowledged = HashSet::new();
    for round in 0..6 {
        site.restart().await;
        let life = Life::of(&site, &Arc::new(Journal::new()));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(load(life.clone(), client, round));
        }
        sleep(Duration::from_millis(dice.below(KILL_MILLISECONDS_MAX) as u64)).await;
        life.is_about_to_end();
        site.stop(Signal::KILL).await;
        acknowledged.extend(clients.join_all().await.into_iter().flatten());
    }
    site.restart().await;
    site.stop(Signal::TERM).await;

    let lines = lines(&site.data_dir().join("audit.log"));
    let mut rows: HashMap<&str, u64> = HashMap::new();
    for line in &lines {
        if let Some(row) = &line.entry.row {
            let before = rows.insert(row, line.seq);
            assert_eq!(before, None, "seq {} tells the same event again", line.seq);
        }
    }
    let generated = lines.iter().filter(|line| line.entry.event == "token_generated");
    let told: HashSet<String> = generated.map(|line| line.entry.token.unwrap().to_string()).collect();
    let lost: Vec<&String> = acknowledged.difference(&told).collect();
    assert!(lost.is_empty(), "acknowledged, and not in the trail: {lost:?}");
    assert!(acknowledged.len() >= 8, "{}", acknowledged.len());
    assert_eq!(lines.last().unwrap().entry.event, "checkpoint");
    let starts = lines.iter().filter(|line| line.entry.event == "started").count();
    println!("{} tokens, {} lines, {starts} starts in the trail", acknowledged.len(), lines.len());
}
