//! docs/audit.md: its commands are run as they stand there, by a shell, over a trail of the program under test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use peering_tests::process::Signal;
use peering_tests::site::{Site, private_directory};
use tempfile::TempDir;

use crate::under_test::program;

const DOCUMENT: &str = include_str!("../../docs/audit.md");

/// Returns the block of commands that has a text in it.
fn block(text: &str) -> &'static str {
    let mut blocks = DOCUMENT.split("```\n").skip(1).step_by(2);
    blocks.find(|block| block.contains(text)).unwrap_or_else(|| panic!("no block has {text:?}"))
}

/// A directory with all that the commands expect: a trail in three files, its head, and the keys of its server after a
/// rotation, so that the first of them is not the one that signed.
async fn place() -> TempDir {
    let mut site = Site::start(&program(), "dc1").await;
    let directory = private_directory();
    let path = |name: &str| directory.path().join(name);
    let log = site.data_dir().join("audit.log");
    for name in ["audit.log.2", "audit.log.1"] {
        site.generate_token("west").await;
        site.stop(Signal::TERM).await;
        // Beside it, where a start looks for what was moved away.
        fs::rename(&log, log.with_file_name(name)).unwrap();
        fs::copy(log.with_file_name(name), path(name)).unwrap();
        site.restart().await;
    }
    site.generate_token("west").await;
    site.stop(Signal::TERM).await;
    fs::copy(&log, path("audit.log")).unwrap();
    let data_dir = site.data_dir().display().to_string();
    fs::write(path("head"), program().run(&["audit", "head", "-data-dir", &data_dir]).await.success()).unwrap();
    program().run(&["keyring", "rotate", "-data-dir", &data_dir]).await.success();
    site.restart().await;
    let keys = site.ask(&["audit", "key"]).await.success();
    assert_eq!(keys.matches("BEGIN PUBLIC KEY").count(), 2, "{keys}");
    fs::write(path("audit-key.pem"), keys).unwrap();
    symlink(program().path(), path("peering")).unwrap();
    directory
}

/// Gives a block to a shell that stops at the first failure, and for which `peering` is the program under test.
fn run(block: &str, place: &Path) -> Output {
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
    let script = format!("set -eu\n{block}");
    Command::new("/bin/sh").args(["-c", &script]).current_dir(place).env_clear().env("PATH", path).output().unwrap()
}

/// Changes a digit of a file in which a word stands, behind the last such word.
fn change_behind(path: &Path, word: &str) {
    let text = fs::read_to_string(path).unwrap();
    let (before, after) = text.split_at(text.rfind(word).unwrap() + word.len());
    let first = if after.starts_with('A') { "B" } else { "A" };
    fs::write(path, format!("{before}{first}{}", &after[1..])).unwrap();
}

#[tokio::test]
async fn the_verification_by_our_own_program_works_as_it_stands() {
    let place = place().await;
    let commands = block("peering audit verify");
    let ran = run(commands, place.path());
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    change_behind(&place.path().join("audit.log.1"), "\"token\":\"");
    let ran = run(commands, place.path());
    assert_eq!(ran.status.code(), Some(5), "{ran:?}");
}

#[tokio::test]
#[ignore = "needs openssl"]
async fn the_verification_by_other_programs_works_as_it_stands() {
    let place = place().await;
    let commands = block("openssl pkeyutl");
    let ran = run(commands, place.path());
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let log = place.path().join("audit.log");
    let whole = fs::read_to_string(&log).unwrap();
    for word in ["\"signature\":\"", "\"time\":\"", "\"prev\":\"", "\"token\":\""] {
        change_behind(&log, word);
        let ran = run(commands, place.path());
        assert_ne!(ran.status.code(), Some(0), "{word} was changed: {ran:?}");
        fs::write(&log, &whole).unwrap();
    }
}
