//! `docs/bounds.md` lists every bound of core and server, with tests that are there.

use std::collections::BTreeSet;
use std::fs;

use super::sources::{root, sources};

/// Where the bounds are.
const BOUNDS: &str = "peering-server/src/bounds.rs";
/// Where else there are some.
const ROOMS: [&str; 2] = ["peering-core/src/", "peering-server/src/"];
/// Files of core whose bounds the server names as its own, and the modules that it has them from.
const LENDERS: [(&str, &str); 9] = [
    ("exported", "::config_entry::"),
    ("foreign", "::foreign::"),
    ("imports", "::peerstream::"),
    ("status", "::peerstream::"),
    ("verify", "::token::"),
    ("consul", "::token::"),
    ("parse", "::acl::"),
    ("policy", "::acl::"),
    ("token", "::acl::"),
];

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
    let shared = names(&bounds.text);
    assert!(shared.len() > 30, "{shared:?}");
    let mut named: BTreeSet<String> = shared.iter().map(ToString::to_string).collect();
    let rooms = sources.iter().filter(|source| ROOMS.iter().any(|room| source.path.starts_with(room)));
    let tested: BTreeSet<&str> = sources.iter().flat_map(|source| test_modules(&source.text)).collect();
    let is_test = |path: &str| path.split(['/', '.']).any(|part| tested.contains(part));
    for source in rooms.filter(|source| source.path != BOUNDS && !is_test(&source.path)) {
        let room = room(&source.path);
        // Those that core lends to the server stand above, in the words of the server.
        let own = own_bounds(&source.text).filter(|name| !(shared.contains(name) && is_lent(&bounds.text, room, name)));
        named.extend(own.map(|name| format!("{room}::{name}")));
    }
    assert_eq!(listed.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), named);
}

/// Returns the modules with files of their own that are built for tests alone.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| rest.lines().next());
    after.filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod ")).map(|(_, module)| module)
}

/// Returns what a file's bounds are listed under: its name, or that of its folder.
fn room(path: &str) -> &str {
    let mut parts = path.trim_end_matches(".rs").rsplit('/');
    parts.find(|part| *part != "mod").unwrap_or(path)
}

/// Returns the longest, most and latest of a file: constants that end like that, outside of its tests.
fn own_bounds(text: &str) -> impl Iterator<Item = &str> {
    // Tests in a file of their own end nothing here.
    let lines = text.lines().zip(text.lines().skip(1).chain([""]));
    let product =
        lines.take_while(|(line, next)| *line != "#[cfg(test)]" || !next.ends_with('{')).map(|(line, _)| line);
    let constants = product.filter_map(|line| line.split_once("const ")?.1.split_once(": "));
    constants.map(|(name, _)| name).filter(|name| name.ends_with("_MAX"))
}

/// Tells whether the bounds of the server take this one from a module of core: the folder of the file that has it.
fn is_lent(bounds: &str, room: &str, name: &str) -> bool {
    let lists = bounds.lines().filter(|line| line.starts_with("pub use ") && line.contains(name));
    lists.into_iter().any(|list| LENDERS.iter().any(|(file, module)| *file == room && list.contains(module)))
}

/// Returns the names of the functions of a file.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        // Those of the suite that every store passes are called from elsewhere.
        let line = line.strip_prefix("pub(super) ").unwrap_or(line);
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
