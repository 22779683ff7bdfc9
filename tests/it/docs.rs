//! Documents tell the truth: the README's commands work, and the index of decisions is complete.

use std::fs;
use std::path::{Path, PathBuf};

use peering_tests::console::{Console, examples};

use crate::under_test::program;

/// What an operator does; its commands are run too.
const OPERATIONS: &str = "docs/operations.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[tokio::test]
async fn every_command_of_the_readme_works_and_prints_what_stands_below_it() {
    let examples = examples(&text("README.md")).unwrap();
    for verb in [
        "server",
        "generate-token",
        "establish",
        "list",
        "read",
        "exported-services",
        "issued",
        "delete",
        "completion",
        "man",
    ] {
        let is_shown = examples.iter().any(|example| example.command.starts_with(&format!("peering {verb} ")));
        assert!(is_shown, "the README does not show peering {verb}");
    }
    let mut console = Console::open(&program());
    for example in &examples {
        console.run(example).await.unwrap_or_else(|problem| panic!("README.md, {problem}"));
    }
    console.close().await.unwrap_or_else(|problem| panic!("README.md, {problem}"));
}

#[tokio::test]
async fn every_command_of_the_operations_page_works_in_its_order() {
    let examples = examples(&text(OPERATIONS)).unwrap();
    for start in [
        "peering backup ",
        "peering keyring rotate ",
        "peering keyring list ",
        "peering read ",
        "peering issued revoke ",
        "install ",
        "kill ",
    ] {
        assert!(examples.iter().any(|example| example.command.starts_with(start)), "the page does not show {start}");
    }
    let mut console = Console::open(&program());
    for example in &examples {
        console.run(example).await.unwrap_or_else(|problem| panic!("{OPERATIONS}, {problem}"));
    }
    console.close().await.unwrap_or_else(|problem| panic!("{OPERATIONS}, {problem}"));
}

#[tokio::test]
async fn a_readme_that_does_not_tell_the_truth_is_caught() {
    for (document, problem) in [
        ("$ peering version\npeering v0.0.0\n", "instead of"),
        ("$ peering list -http-addr 127.0.0.1:1\n", "fails"),
        ("$ peering server -acl off -check &\n$ peering bogus\n", "fails"),
        ("$ consul peering list\n", "is not a command that is run here"),
        ("$ PEERING_HTTP_ADDR=x peering list\n", "is not a command that is run here"),
        ("$ export NOTHING\n", "exports no value"),
    ] {
        let mut console = Console::open(&program());
        let mut outcome = Ok(());
        for example in examples(&format!("```console\n{document}```\n")).unwrap() {
            outcome = outcome.and(console.run(&example).await);
        }
        let error = outcome.unwrap_err();
        assert!(error.starts_with("line ") && error.contains(problem), "{document} {error}");
    }
}

#[test]
fn no_other_document_has_commands() {
    let mut documents = vec![root().join("docs")];
    let mut read = 0;
    while let Some(path) = documents.pop() {
        if path.is_dir() {
            documents.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "md") && path != root().join(OPERATIONS) {
            read += 1;
            let found = examples(&fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(found, [], "{} has commands that nobody runs", path.display());
        }
    }
    assert!(read > 1, "there are documents");
}

#[test]
fn decisions_are_numbered_without_gaps_and_each_is_in_the_index() {
    let architecture = text("docs/ARCHITECTURE.md");
    let entries = fs::read_dir(root().join("docs/decisions")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty());
    for (number, name) in (1..).zip(&names) {
        let is_numbered = name.starts_with(&format!("{number:04}-")) && name.ends_with(".md");
        assert!(is_numbered, "{name} should be decision {number:04}");
        let link = format!("- [{number:04}](decisions/{name}) ");
        assert!(architecture.contains(&link), "docs/ARCHITECTURE.md has no line beginning {link:?}");
    }
    let listed = architecture.matches("](decisions/").count();
    assert_eq!(listed, names.len(), "docs/ARCHITECTURE.md lists decisions that are not there");
}
