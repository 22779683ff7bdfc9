//! What the workspace is built from. Asked of cargo itself, for the machine that runs the tests, since only that
//! machine's crates are sure to be there.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::licence;

/// Crates that mean I/O, a clock or async, and their kin: core decides, and the caller acts.
const NOT_IN_CORE: [&str; 18] = [
    "async-trait",
    "axum",
    "etcd-client",
    "futures-core",
    "h2",
    "http",
    "hyper",
    "libsqlite3-sys",
    "mio",
    "reqwest",
    "rusqlite",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tonic",
    "tower",
    "tracing",
];

/// Runs cargo on this workspace and returns what it prints.
fn cargo(words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    let output = command.args(words).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).output().unwrap();
    assert!(output.status.success(), "cargo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the platform of the running cargo.
fn host() -> String {
    let version = cargo(&["-vV"]);
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Lists the crates that are really built, one a line, in this form.
fn tree(packages: &[&str], edges: &str, format: &str) -> Vec<String> {
    let host = host();
    #[rustfmt::skip]
    let words = [
        "tree", "--all-features", "--edges", edges, "--prefix", "none", "--no-dedupe", "--format", format,
        "--target", &host, "--locked", "--offline",
    ];
    let printed = cargo(&[words.as_slice(), packages].concat());
    let mut lines: Vec<String> = printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Returns the name that a line of the tree begins with.
fn name(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    let crates = tree(&["--workspace"], "normal,build,dev", "{p}|{l}");
    assert!(crates.len() > 100, "the whole tree is looked at");
    let licence = |line: &str| line.rsplit('|').next().unwrap().to_owned();
    let refused: Vec<&String> = crates.iter().filter(|line| !licence::is_allowed(&licence(line))).collect();
    assert!(refused.is_empty(), "neither allowed nor offered under an allowed licence: {refused:#?}");
}

#[test]
fn every_crate_comes_from_crates_io_or_this_workspace() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap();
    let sources: Vec<&str> = lock.lines().filter(|line| line.starts_with("source = ")).collect();
    assert!(sources.len() > 100, "the whole lock file is looked at");
    let expected = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let others: Vec<&&str> = sources.iter().filter(|source| **source != expected).collect();
    assert!(others.is_empty(), "{others:?}");
    // A package without a source is one of ours.
    let packages = lock.matches("[[package]]").count();
    let members = tree(&["--workspace", "--depth", "0"], "normal", "{p}");
    assert_eq!(packages - sources.len(), members.len(), "{members:?}");
}

#[test]
fn what_is_fuzzed_is_built_from_the_same_crates() {
    let lock = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (ours, fuzzed) = (lock("../Cargo.lock"), lock("../fuzz/Cargo.lock"));
    let ours: HashSet<&str> = ours.trim_end().split("\n\n").collect();
    // What instruments the program.
    let own = ["arbitrary", "libfuzzer-sys"].map(|name| format!("[[package]]\nname = {name:?}\n"));
    let packages: Vec<&str> =
        fuzzed.trim_end().split("\n\n").filter(|block| block.starts_with("[[package]]")).collect();
    let others: Vec<&&str> = packages
        .iter()
        .filter(|package| package.contains("\nsource = ") && !ours.contains(*package))
        .filter(|package| !own.iter().any(|head| package.starts_with(head)))
        .collect();
    assert!(others.is_empty(), "copy Cargo.lock to fuzz/ and let cargo metadata add to it: {others:#?}");
    let members: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    for member in ["peering-core", "peering-server", "peering-cli", "peering-tests"] {
        let member = members["packages"].as_array().unwrap().iter().find(|package| package["name"] == member).unwrap();
        let head = format!("[[package]]\nname = {}\n", member["name"]);
        let locked = packages.iter().find(|package| package.starts_with(&head)).unwrap();
        for needed in member["dependencies"].as_array().unwrap().iter().filter(|needed| needed["kind"] != "dev") {
            let line = format!("\n \"{}", needed["name"].as_str().unwrap());
            let is_locked = [format!("{line}\","), format!("{line} ")].iter().any(|line| locked.contains(line));
            assert!(is_locked, "fuzz/Cargo.lock is old: {} needs {}", member["name"], needed["name"]);
        }
    }
}

#[test]
fn one_cryptographic_library_is_built_and_it_is_not_ring() {
    let crates = tree(&["--workspace"], "normal,build,dev", "{p}");
    let is_there = |wanted: &str| crates.iter().any(|line| name(line) == wanted);
    assert!(is_there("aws-lc-rs"), "the library that we chose is seen");
    for other in ["ring", "openssl", "openssl-sys", "native-tls"] {
        assert!(!is_there(other), "{other} is built: some crate's default features ask for it");
    }
}

#[test]
fn core_depends_on_no_async_network_or_storage_crate() {
    let crates = tree(&["--package", "peering-core"], "normal", "{p}");
    assert!(crates.iter().any(|line| name(line) == "serde"), "core's own dependencies are seen");
    let found: Vec<&String> = crates.iter().filter(|line| NOT_IN_CORE.contains(&name(line))).collect();
    assert!(found.is_empty(), "{found:?}");
}
