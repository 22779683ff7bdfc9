//! `docs/bounds.md` lists every bound of the server, with tests that are there.

use std::collections::BTreeSet;
use std::fs;

use super::sources::{root, sources};

/// Where the bounds are.
const BOUNDS: &str = "peering-server/src/bounds.rs";

#[test]
fn every_bound_is_listed_with_its_tests() {
    let page = fs::read_to_string(root().join("docs/bounds.md")).unwrap();
    let sources = sources();
    let bounds = sources.iter().find(|source| source.path == BOUNDS).unwrap();
    let tests: BTreeSet<&str> = sources.iter().flat_map(|source| functions(&source.text)).collect();
    let mut listed = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [bound, _, shown] = cells[..] else { panic!("expected three cells: {row}") };
        assert!(listed.insert(bound.trim_matches('`')), "twice: {row}");
        if shown.strip_prefix("none: ").is_some_and(|reason| reason.split(' ').count() > 3) {
            continue;
        }
        for test in shown.split(", ") {
            assert!(tests.contains(test.trim_matches('`')), "{bound} names {test}, which is no test");
        }
    }
    let named = names(&bounds.text);
    assert!(named.len() > 30, "{named:?}");
    assert_eq!(listed, named);
}

/// Returns the names of the functions of a file.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let function = line.strip_prefix("async fn ").or(line.strip_prefix("fn "))?;
        Some(function.split_once('(')?.0)
    })
}

/// Returns the constants that a file makes public, its own and those of others.
fn names(text: &str) -> BTreeSet<&str> {
    let own = text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let lists = text.lines().filter(|line| line.starts_with("pub use "));
    let others = lists.filter_map(|line| line.split_once('{')?.1.split_once('}'));
    own.chain(others.flat_map(|(names, _)| names.split(", "))).collect()
}
