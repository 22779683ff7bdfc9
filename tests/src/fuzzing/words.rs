//! Words of a command line, a zero byte between two: rewritten, and read up to the verb that would run.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use jiff::Timestamp;
use peering_cli::{Exit, Output, World, probe};

use super::is_fit_to_show;

/// Most words that are looked at: clap takes time for each.
const WORDS_MAX: usize = 64;
/// Longest help page and message about one word, which repeats it with every character escaped.
const HELP_BYTES_MAX: usize = 16 << 10;
/// The flag whose value is a secret.
const SECRET_FLAG: &str = "-peering-token";

/// Verbs, flags and separators.
pub(super) const WORDS: [&str; 24] = [
    "generate-token",
    "establish",
    "list",
    "read",
    "delete",
    "inspect",
    "server",
    "quickstart",
    "version",
    "\0-name\0",
    "\0-peering-token\0",
    "\0-meta\0a=b",
    "\0-server-external-addresses=",
    "\0-format=json",
    "\0-wait\0",
    "\0-dev=false",
    "\0-h",
    "\0--\0",
    "\0---",
    "\0-=",
    "\0-5",
    "\0-http-addr\0unix:///x",
    "\u{202e}\u{1b}[2J",
    "\0--stale=F",
];

/// Checks bytes as the words after the program's name.
pub fn check(data: &[u8]) {
    let words: Vec<OsString> =
        data.split(|byte| *byte == 0).take(WORDS_MAX).map(|word| OsString::from_vec(word.to_vec())).collect();
    check_rewriting(&words);
    let read = read(&words);
    if let Some(other) = with_another_secret(&words) {
        let seen = |read: &Read| (read.exit, read.stdout.clone(), read.stderr.clone());
        assert_eq!(seen(&self::read(&other)), seen(&read), "what is printed depends on a secret");
    }
    let given: usize = words.iter().map(|word| word.len()).sum();
    is_fit_to_show(&read.stdout, HELP_BYTES_MAX + 16 * given);
    is_fit_to_show(&read.stderr, HELP_BYTES_MAX + 16 * given);
    match read.exit {
        None => assert_eq!(read.stdout.len() + read.stderr.len(), 0, "a verb that runs has printed before it ran"),
        Some(Exit::Success) => assert!(read.stderr.is_empty() && !read.stdout.is_empty()),
        Some(_) => assert!(read.stdout.is_empty() && !read.stderr.is_empty(), "a mistake is told on standard error"),
    }
}

/// Rewriting loses nothing, adds little, and does nothing the second time.
fn check_rewriting(words: &[OsString]) {
    let Some(once) = probe::rewrite(words.iter().cloned()) else { return };
    assert!(once.len() <= words.len());
    let bytes = |words: &[OsString]| words.iter().map(|word| word.len()).sum::<usize>();
    assert!(bytes(words) <= bytes(&once) && bytes(&once) <= bytes(words) + 2 * words.len());
    assert_eq!(probe::rewrite(once.iter().cloned()), Some(once.clone()), "rewriting twice is not rewriting once");
}

struct Read {
    exit: Option<Exit>,
    stdout: String,
    stderr: String,
}

fn read(words: &[OsString]) -> Read {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut world = World {
        environment: &|_| None,
        variable_names: &Vec::new,
        clock: &|| Timestamp::UNIX_EPOCH,
        stdin: &mut std::io::empty(),
        output: Output::new(&mut stdout, &mut stderr),
    };
    let exit = probe::read(words.iter().cloned(), &mut world).err();
    let [stdout, stderr] = [stdout, stderr].map(|printed| String::from_utf8(printed).unwrap());
    Read { exit, stdout, stderr }
}

/// Puts another token in place of one that stands behind its flag; `None` if there is none.
fn with_another_secret(words: &[OsString]) -> Option<Vec<OsString>> {
    let is_token = |word: &OsStr| {
        word.len() >= 16 && word.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
    };
    let at = words.windows(2).position(|pair| pair[0] == SECRET_FLAG && is_token(&pair[1]))? + 1;
    let mut words = words.to_vec();
    words[at] = "x".repeat(words[at].len()).into();
    Some(words)
}
