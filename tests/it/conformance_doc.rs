//! `docs/conformance.md` lists every test that is a case of the conformance list, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the names of such tests begin with.
const PREFIX: &str = "api_case_";
/// The head of the table.
const HEADER: &str = "| case | what it shows | test |";

#[test]
fn the_list_of_cases_and_the_tests_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let (listed, tested) = (listed(&text), tested(root));
    let missing: Vec<&str> = tested.keys().filter(|name| !listed.contains_key(*name)).map(String::as_str).collect();
    assert!(missing.is_empty(), "docs/conformance.md lacks {missing:#?}");
    let stale: Vec<&str> = listed.keys().filter(|name| !tested.contains_key(*name)).map(String::as_str).collect();
    assert!(stale.is_empty(), "docs/conformance.md lists tests that are not there: {stale:#?}");
}

#[test]
fn every_test_of_the_list_runs_with_all_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (name, attributes) in tested(root) {
        assert!(attributes.contains("test"), "{name} is not a test: {attributes:?}");
        assert!(!attributes.contains("ignore"), "{name} does not run: {attributes:?}");
    }
}

/// Reads the rows of the table, and checks each and their order.
fn listed(text: &str) -> BTreeMap<String, String> {
    let mut listed = BTreeMap::new();
    let mut before = (0, String::new());
    for line in text.lines().filter(|line| line.starts_with("| ") && *line != HEADER) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [case, meaning, test] = cells[..] else { panic!("expected three cells: {line}") };
        let case: u32 = case.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let test = test.strip_prefix('`').and_then(|test| test.strip_suffix('`')).unwrap_or_else(|| panic!("{line}"));
        assert!(test.starts_with(&format!("{PREFIX}{case:02}_")), "the numbers differ: {line}");
        assert!(meaning.split(' ').count() >= 5, "expected a sentence: {line}");
        let here = (case, test.to_owned());
        assert!(before < here, "out of order: {line}");
        before = here;
        assert_eq!(listed.insert(test.to_owned(), meaning.to_owned()), None, "listed twice: {line}");
    }
    assert!(!listed.is_empty());
    listed
}

/// Finds the tests in the sources of all crates, with what stands directly above each.
fn tested(root: &Path) -> BTreeMap<String, String> {
    let mut tested = BTreeMap::new();
    for folder in ["tests", "peering-core", "peering-server", "peering-cli"] {
        for file in sources(&root.join(folder)) {
            let source = fs::read_to_string(&file).unwrap();
            let mut attributes = String::new();
            for line in source.lines().map(str::trim) {
                let function = line.strip_prefix("async fn ").or(line.strip_prefix("fn "));
                if let Some(name) = function.and_then(|rest| rest.split_once('(')).map(|(name, _)| name)
                    && name.starts_with(PREFIX)
                {
                    let twice = tested.insert(name.to_owned(), attributes.clone());
                    assert_eq!(twice, None, "{name} is there twice, the second time in {}", file.display());
                }
                if line.starts_with("#[") {
                    attributes.push_str(line);
                } else {
                    attributes.clear();
                }
            }
        }
    }
    tested
}

/// Finds every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
