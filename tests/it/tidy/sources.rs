//! What stands in our own source files, and where.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file: more is more than one idea.
const LINES_MAX: usize = 600;
/// Names that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 8] = ["common", "helper", "helpers", "misc", "shared", "util", "utilities", "utils"];
/// Macros that print.
const PRINTING: [&str; 5] = ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("];

/// Files in which a secret leaves its type. Each has a reason; think before you add one.
const EXPOSING: [(&str, &str); 23] = [
    ("peering-cli/src/args/hidden.rs", "defines what an argument that holds a secret is"),
    ("peering-cli/src/client/acl.rs", "puts the secret of a bootstrap into the request"),
    ("peering-cli/src/client/acl/token.rs", "defines what the secret of an ACL token is"),
    ("peering-cli/src/client/connection.rs", "sends a password to the proxy that asks for it"),
    ("peering-cli/src/client/settings.rs", "puts the ACL token into a header marked sensitive"),
    ("peering-cli/src/commands/acl/bootstrap.rs", "tells no secret from an empty one"),
    ("peering-cli/src/commands/acl/page.rs", "shows the secret of an ACL token where that is what was asked"),
    ("peering-cli/src/commands/acl/token/create.rs", "takes the secret of a new ACL token from a flag"),
    ("peering-cli/src/commands/establish.rs", "puts the peering token into the request"),
    ("peering-cli/src/commands/inspect.rs", "hands a token to the inspection, which shows no secret"),
    ("peering-cli/src/commands/issued.rs", "reads an id, in whose place a token may have been pasted"),
    ("peering-core/src/secret.rs", "defines what a secret is"),
    ("peering-core/src/token/consul.rs", "a test looks for the secret where it must not be"),
    ("peering-core/src/token/wire.rs", "encodes a token"),
    ("peering-server/src/http/v1/acl/render.rs", "shows the secret of an ACL token to who may see it"),
    ("peering-server/src/peerstream/accept.rs", "answers an exchange with the stream secret"),
    ("peering-server/src/peerstream/exchange.rs", "asks for an exchange with the establishment secret"),
    ("peering-server/src/peerstream/wire.rs", "writes the stream secret into Open"),
    ("peering-server/src/service/access.rs", "tells words that are no secrets from secrets"),
    ("peering-server/src/service/acl/bootstrap.rs", "writes the first management token to its file"),
    ("peering-server/src/service/acl/tokens.rs", "seals the secret of an ACL token"),
    ("peering-server/src/service/establish.rs", "derives the redemption, and seals the stream secret"),
    ("peering-server/src/service/secrets.rs", "derives the pending secret from the question"),
];

/// A Rust file of ours.
pub(super) struct Source {
    /// Path from the top of the repository.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Returns the lines that are no comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Returns the same, up to the tests at the end.
    fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_test_module = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
        let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
        self.code().take_while(move |(number, _)| *number <= end)
    }

    fn is_product(&self) -> bool {
        ["peering-core/src/", "peering-server/src/", "peering-cli/src/"].iter().any(|room| self.path.starts_with(room))
    }
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads every Rust file of ours.
pub(super) fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}

/// Returns the files that are compiled for tests only: modules declared under `#[cfg(test)]`, and what is in them.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0].starts_with("#[cfg(") && pair[0].contains("test")) {
            let declared = pair[1].rsplit("mod ").next().and_then(|name| name.strip_suffix(';'));
            let Some(name) = declared.filter(|_| pair[1].contains("mod ")) else { continue };
            let (directory, file) = source.path.rsplit_once('/').unwrap();
            let own = match file {
                "mod.rs" | "lib.rs" | "main.rs" => directory.to_owned(),
                _ => format!("{directory}/{}", file.trim_end_matches(".rs")),
            };
            found.push(format!("{own}/{name}.rs"));
            found.push(format!("{own}/{name}/"));
        }
    }
    found
}

/// Returns a line of the report for each line of code that has one of these words.
fn lines_with<'a>(code: impl Iterator<Item = (usize, &'a str)>, path: &str, words: &[&str]) -> Vec<String> {
    let found = code.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    found.map(|(number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

#[test]
fn every_file_begins_with_what_it_owns() {
    let silent: Vec<String> =
        sources().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let lines = |source: &Source| source.text.lines().count();
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| lines(source) > LINES_MAX)
        .map(|source| format!("{} has {} lines, expected at most {LINES_MAX}", source.path, lines(source)))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let is_empty = |path: &str| path.split(['/', '.']).any(|part| EMPTY_NAMES.contains(&part));
    let empty: Vec<String> = sources().into_iter().map(|source| source.path).filter(|path| is_empty(path)).collect();
    assert!(empty.is_empty(), "{empty:#?}");
}

#[test]
fn every_ignored_test_says_what_it_needs() {
    let (mark, reason) = (["#[", "ignore"].concat(), ["#[", "ignore = \"needs "].concat());
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.code().filter(|(_, line)| line.contains(&mark) && !line.contains(&reason));
        wrong.extend(lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_to_do() {
    // Spelt in two parts, or this file would be the first to be found. Comments count.
    let words = [["TO", "DO"], ["FIX", "ME"], ["to", "do!("], ["unimpl", "emented!("]].map(|parts| parts.concat());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for source in sources() {
        found.extend(lines_with((1..).zip(source.text.lines()), &source.path, &words));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_the_output_of_the_command_line_prints() {
    let sources = sources();
    let tests = test_modules(&sources);
    assert!(tests.len() > 10, "modules of tests are recognised");
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_product()) {
        let is_test = tests.iter().any(|module| source.path.starts_with(module));
        if !is_test && source.path != "peering-cli/src/output.rs" {
            found.extend(lines_with(source.product_code(), &source.path, &PRINTING));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn secrets_leave_their_types_in_few_files() {
    let exposes =
        |source: &&Source| source.code().any(|(_, line)| line.contains(".expose(") || line.contains("fn expose("));
    let sources = sources();
    let tests = test_modules(&sources);
    let found: BTreeSet<&str> = sources
        .iter()
        .filter(|source| source.is_product() && !tests.iter().any(|module| source.path.starts_with(module)))
        .filter(exposes)
        .map(|source| source.path.as_str())
        .collect();
    let expected: BTreeSet<&str> = EXPOSING.iter().map(|(path, _)| *path).collect();
    let new: Vec<_> = found.difference(&expected).collect();
    let gone: Vec<_> = expected.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed: {new:?}; listed for nothing: {gone:?}");
}

#[test]
fn http_status_codes_stand_in_one_file() {
    let mut found = Vec::new();
    let mut table = 0;
    for source in sources().iter().filter(|source| source.path.starts_with("peering-server/src/http/")) {
        let lines = lines_with(source.product_code(), &source.path, &["StatusCode", ".status_mut("]);
        match source.path.as_str() {
            "peering-server/src/http/error.rs" => table = lines.len(),
            _ => found.extend(lines),
        }
    }
    assert!(table > 5, "the table is where it was");
    assert!(found.is_empty(), "{found:#?}");
}
