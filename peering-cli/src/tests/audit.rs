//! `peering audit`: what a trail tells, and what becomes of it when somebody changes it.

use std::fs;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use peering_core::audit::{Entry, Head, LineHash, Outcome, checkpoint_message, event};
use peering_core::id::TokenId;
use tempfile::TempDir;

use super::mock::Mock;
use super::{Ran, failed, peering, peering_with, succeeded};
use crate::Exit;

const TOKEN: &str = "11111111-2222-4333-8444-555555555555";
const NEWER: &str = "66666666-2222-4333-8444-555555555555";
const PEERING: &str = "77777777-2222-4333-8444-555555555555";
const ACTOR: &str = "88888888-2222-4333-8444-555555555555";

fn key_of(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(key: &Ed25519KeyPair) -> String {
    STANDARD.encode(key.public_key().as_der().unwrap().as_ref())
}

fn at(seconds: i64) -> Timestamp {
    "2030-06-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn of_token(seconds: i64, event: &'static str) -> Entry {
    Entry {
        token: Some(TOKEN.parse().unwrap()),
        peering: Some(PEERING.parse().unwrap()),
        peer: Some("west".to_owned()),
        source: Some([192, 0, 2, 7].into()),
        ..Entry::new(at(seconds), event)
    }
}

/// A checkpoint that follows a line.
fn signed(head: Head, time: Timestamp, id: &str, key: &Ed25519KeyPair) -> Entry {
    let message = checkpoint_message(head.seq + 1, head.hash, time);
    let signature = Some(STANDARD.encode(key.sign(message.as_bytes())));
    Entry { key: Some(id.to_owned()), signature, ..Entry::new(time, event::CHECKPOINT) }
}

/// A key as `audit key` prints it.
fn pem_of(id: &str, key: &Ed25519KeyPair) -> String {
    format!("Key {id}:\n-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", public(key))
}

/// A trail in a directory: eight lines, of which the seventh is a checkpoint.
struct Trail {
    directory: TempDir,
    head: Head,
}

impl Trail {
    fn new() -> Self {
        let key = key_of(1);
        let (mut head, mut out) = (Head::BEGINNING, Vec::new());
        let mut add = |entry: Entry| head.append(&entry, &mut out).unwrap();
        add(Entry { node: Some("s1".to_owned()), ..Entry::new(at(0), event::TRAIL_BEGUN) });
        add(Entry { actor: Some(ACTOR.parse().unwrap()), expires: Some(at(3_600)), ..of_token(1, "token_generated") });
        add(of_token(2, "token_redeemed"));
        add(Entry { source: None, user: Some(0), ..of_token(3, "stream_secret_promoted") });
        let newer: TokenId = NEWER.parse().unwrap();
        add(Entry { superseded_by: Some(newer), source: None, ..of_token(4, "token_superseded") });
        let (count, first, last) = (Some(3), Some(at(5)), Some(at(9)));
        let cause = Some("spent".into());
        add(Entry { outcome: Outcome::Refused, cause, count, first, last, ..of_token(60, event::REFUSED) });
        head.append(&signed(head, at(60), "0123456789abcdef", &key), &mut out).unwrap();
        head.append(&Entry { source: None, ..of_token(61, "peering_deleted") }, &mut out).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("audit.log"), out).unwrap();
        fs::write(directory.path().join("key.pem"), pem_of("0123456789abcdef", &key)).unwrap();
        Self { directory, head }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Runs a verb; names of files begin with `@`, and the directory is taken out of what it prints.
    fn run(&self, words: &[&str]) -> Ran {
        let words: Vec<String> = words
            .iter()
            .map(|word| word.strip_prefix('@').map_or((*word).to_owned(), |name| self.path(name)))
            .collect();
        let words: Vec<&str> = [&["audit"], words.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat();
        self.without_directory(peering(&words, &[]))
    }

    fn without_directory(&self, ran: Ran) -> Ran {
        let plain = |text: String| text.replace(&format!("{}/", self.directory.path().display()), "");
        Ran { stdout: plain(ran.stdout), stderr: plain(ran.stderr), ..ran }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        let path = self.path("audit.log");
        let mut lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
}

const WHOLE: &str = "\
Files:        audit.log
Lines:        8, seq 1 to 8
Time:         2030-06-01T12:00:00Z to 2030-06-01T12:01:01Z
Chain:        whole
Vouched for:  seq 1 to 7, until 2030-06-01T12:01:00Z, by 1 checkpoint
Not signed:   1 line after that is chained, and not yet signed
Head:         not given: if lines were cut off at the end, nobody can tell
";

#[test]
fn a_whole_trail_is_vouched_for_as_far_as_it_is_signed() {
    let trail = Trail::new();
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "@audit.log"]), succeeded(WHOLE));
    assert_eq!(trail.run(&["verify", "-key", &public(&key_of(1)), "@audit.log"]), succeeded(WHOLE));
    // The key that signs today is not the only one that ever did.
    let keys = [public(&key_of(2)), public(&key_of(1))];
    assert_eq!(trail.run(&["verify", "-key", &keys[0], "-key", &keys[1], "@audit.log"]), succeeded(WHOLE));
    let head = trail.head.to_string();
    let reached =
        WHOLE.replace("not given: if lines were cut off at the end, nobody can tell", "reached, nothing is cut off");
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "-head", &head, "@audit.log"]), succeeded(&reached));
    let text = fs::read(trail.path("audit.log")).unwrap();
    let ran = peering_with(&["audit", "verify", "-key", &trail.path("key.pem"), "-"], &[], &mut text.as_slice());
    assert_eq!(ran, succeeded(&WHOLE.replace("audit.log", "-")));
}

#[test]
fn files_may_be_named_in_any_order() {
    let trail = Trail::new();
    let text = fs::read_to_string(trail.path("audit.log")).unwrap();
    let third = text.match_indices('\n').nth(2).unwrap().0 + 1;
    fs::write(trail.path("audit.log.1"), &text[..third]).unwrap();
    fs::write(trail.path("audit.log"), &text[third..]).unwrap();
    let both = WHOLE.replace("audit.log", "audit.log.1, audit.log");
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "@audit.log", "@audit.log.1"]), succeeded(&both));
    let alone = WHOLE
        .replace("8, seq 1 to 8", "5, seq 4 to 8")
        .replace("12:00:00Z to", "12:00:03Z to")
        .replace("whole", "whole from seq 4 on; seq 1 to 3 are not here: give -from 4 if they are kept elsewhere")
        .replace("seq 1 to 7", "seq 4 to 7");
    let doubtful = "Nothing is wrong with this audit trail as far as it goes, and it begins at seq 4: if earlier lines are kept \
        elsewhere, say so with -from 4\n";
    let ran = Ran { exit: Exit::Unvouched, stdout: alone.clone(), stderr: doubtful.to_owned() };
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "@audit.log"]), ran);
    // Whoever says where the files that are kept begin has the beginning looked at too.
    let kept = alone.replace(
        "seq 1 to 3 are not here: give -from 4 if they are kept elsewhere",
        "none that should be here is missing",
    );
    for from in ["4", "5", "18446744073709551615"] {
        assert_eq!(trail.run(&["verify", "-key", "@key.pem", "-from", from, "@audit.log"]), succeeded(&kept), "{from}");
    }
    let late = |from: &str| {
        let missing = if from == "3" { "seq 3 is".to_owned() } else { format!("seq {from} to 3 are") };
        let alone = alone.replace(
            "whole from seq 4 on; seq 1 to 3 are not here: give -from 4 if they are kept elsewhere",
            "broken, see below",
        );
        let vouched = "nothing as a whole; the last good one of 1 checkpoint is seq 7, of 2030-06-01T12:01:00Z";
        let alone = alone.replace("seq 4 to 7, until 2030-06-01T12:01:00Z, by 1 checkpoint", vouched);
        changed(&format!("{alone}\nWhat is wrong:\n  * {missing} missing before audit.log line 1 (seq 4)\n"))
    };
    for from in ["1", "2", "3"] {
        assert_eq!(trail.run(&["verify", "-key", "@key.pem", "-from", from, "@audit.log"]), late(from), "{from}");
    }
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "-from=1", "@audit.log", "@audit.log.1"]), succeeded(&both));
    fs::write(trail.path("audit.log"), "").unwrap();
    let empty = trail.run(&["verify", "-key", "@key.pem", "-from", "4", "@audit.log"]);
    let wrong = "What is wrong:\n  * there is no line, and the trail was to begin at seq 4\n";
    assert!(empty.exit == Exit::Changed && empty.stdout.ends_with(wrong), "{empty:?}");
}

/// A run that found nothing wrong and nobody to vouch.
fn unvouched(stdout: &str) -> Ran {
    let stderr = "Nothing is wrong with this audit trail as far as it goes, and nobody vouches for it\n";
    Ran { exit: Exit::Unvouched, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// A run that found something wrong.
fn changed(stdout: &str) -> Ran {
    let stderr = "This audit trail is not as it was written\n".to_owned();
    Ran { exit: Exit::Changed, stdout: stdout.to_owned(), stderr }
}

#[test]
fn a_trail_that_nobody_vouches_for_says_so_and_has_a_code_of_its_own() {
    let trail = Trail::new();
    let page = |reason: &str| {
        let lines = WHOLE.lines().filter(|line| !line.starts_with("Not signed"));
        let lines = lines.map(|line| if line.starts_with("Vouched") { reason } else { line });
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let none = page("Vouched for:  nothing: no key was given, see `peering audit key`");
    assert_eq!(trail.run(&["verify", "@audit.log"]), unvouched(&none));
    assert_eq!((Exit::Unvouched.code(), Exit::Changed.code()), (4, 5));
    trail.change(|lines| lines.truncate(6));
    let none = page("Vouched for:  nothing: there is no checkpoint")
        .replace("8, seq 1 to 8", "6, seq 1 to 6")
        .replace("12:01:01Z", "12:01:00Z");
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "@audit.log"]), unvouched(&none));
    fs::write(trail.path("audit.log"), "").unwrap();
    let empty = "Files:        audit.log\nLines:        none\nChain:        whole\n\
        Vouched for:  nothing: there is no checkpoint\nHead:         not given: if lines were cut off at the end, nobody can tell\n";
    assert_eq!(trail.run(&["verify", "-key", "@key.pem", "@audit.log"]), unvouched(empty));
}

#[test]
fn checkpoints_that_were_taken_away_make_the_rest_suspect() {
    let trail = Trail::new();
    // Somebody removed a checkpoint and all after it, and went on with lines of an own.
    let last = fs::read_to_string(trail.path("audit.log")).unwrap().lines().last().unwrap().to_owned();
    let (mut head, mut out) = (trail.head, Vec::new());
    head.append(&Entry::new(at(400), "token_generated"), &mut out).unwrap();
    trail.change(|lines| lines.push(String::from_utf8(out).unwrap().trim_end().to_owned()));
    assert!(!last.is_empty());
    let ran = trail.run(&["verify", "-key", "@key.pem", "@audit.log"]);
    assert_eq!(ran.exit, Exit::Unvouched);
    let told = "Not signed:   2 lines after that are chained, and not yet signed\n              since 2030-06-01T12:01:01Z: \
        a server signs every minute, so that checkpoints may have been removed\n";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    assert!(ran.stderr.ends_with("its last lines wait too long for a signature\n"), "{}", ran.stderr);
}

#[test]
fn a_trail_that_begins_after_the_head_is_in_doubt() {
    let trail = Trail::new();
    let first = fs::read_to_string(trail.path("audit.log")).unwrap().lines().next().unwrap().to_owned();
    let early = Head { seq: 1, hash: LineHash::of(first.as_bytes()) }.to_string();
    let verify = || trail.run(&["verify", "-key", "@key.pem", "-head", &early, "@audit.log"]);
    assert_eq!(verify().exit, Exit::Success);
    trail.change(|lines| drop(lines.drain(..3)));
    let ran = verify();
    assert_eq!(ran.exit, Exit::Unvouched);
    assert!(
        ran.stderr.contains("it begins after the head that was given: give the files before it too"),
        "{}",
        ran.stderr
    );
}

#[test]
fn whatever_was_changed_is_named_by_file_and_line() {
    let broken = |wrong: &str| {
        let page = WHOLE.replace("Chain:        whole", "Chain:        broken, see below").replace(
            "seq 1 to 7, until 2030-06-01T12:01:00Z, by 1 checkpoint",
            "nothing as a whole; the last good one of 1 checkpoint is seq 7, of 2030-06-01T12:01:00Z",
        );
        changed(&format!("{page}\nWhat is wrong:\n  * {wrong}\n"))
    };
    let verify = |trail: &Trail| trail.run(&["verify", "-key", "@key.pem", "@audit.log"]);

    let trail = Trail::new();
    trail.change(|lines| lines[2] = lines[2].replace("192.0.2.7", "192.0.2.8"));
    let wrong = "audit.log line 3 (seq 3) was changed: the line after it names another hash";
    assert_eq!(verify(&trail), broken(wrong));

    let trail = Trail::new();
    trail.change(|lines| drop(lines.remove(2)));
    let mut expected = broken("seq 3 is missing before audit.log line 3 (seq 4)");
    expected.stdout = expected.stdout.replace("8, seq 1 to 8", "7, seq 1 to 8");
    assert_eq!(verify(&trail), expected);

    // A key that was given alone has no id, so that it may be the one that is meant.
    let trail = Trail::new();
    let ran = trail.run(&["verify", "-key", &public(&key_of(2)), "@audit.log"]);
    let wrong = "  * audit.log line 7 (seq 7) is a checkpoint that none of the given keys signed: something before it was \
        changed, or a key is missing (its id is 0123456789abcdef)\n";
    assert!(ran.exit == Exit::Changed && ran.stdout.ends_with(wrong), "{ran:?}");

    let trail = Trail::new();
    trail.change(|lines| {
        lines[6] = lines[6].replace("\"time\":\"2030-06-01T12:01:00Z", "\"time\":\"2030-06-01T12:00:59Z")
    });
    let ran = verify(&trail);
    let wrong = "  * audit.log line 7 (seq 7) is a checkpoint whose signature is not that of the key 0123456789abcdef: something \
        before it was changed\n";
    assert!(ran.exit == Exit::Changed && ran.stdout.contains(wrong), "{ran:?}");

    let trail = Trail::new();
    let text = fs::read(trail.path("audit.log")).unwrap();
    fs::write(trail.path("audit.log"), &text[..text.len() - 9]).unwrap();
    let ran = verify(&trail);
    let wrong = "  * audit.log line 8 ends in the middle: a crash, a cut, or a server that is writing just now left ";
    assert!(ran.exit == Exit::Changed && ran.stdout.contains(wrong), "{ran:?}");

    let trail = Trail::new();
    trail.change(|lines| lines.truncate(7));
    let head = trail.head.to_string();
    let ran = trail.run(&["verify", "-key", "@key.pem", "-head", &head, "@audit.log"]);
    let wrong = "Head:         not reached, see below\n\nWhat is wrong:\n  * the trail ends at seq 7, and its head is seq 8: \
        seq 8 is cut off at the end\n";
    assert!(ran.exit == Exit::Changed && ran.stdout.ends_with(wrong), "{ran:?}");
    assert_eq!(verify(&trail).exit, Exit::Success, "without the head nobody can tell");
}

#[test]
fn a_key_that_was_not_given_leaves_the_chain_whole_and_in_doubt() {
    let told = |stdout: &str, keys: &str| Ran {
        exit: Exit::Unvouched,
        stdout: stdout.to_owned(),
        stderr: format!(
            "Nothing is wrong with this audit trail as far as it goes, and it is signed with {keys}: give the keys of its \
             server, which `peering audit key` prints\n"
        ),
    };
    let block = |id: &str, seed| pem_of(id, &key_of(seed));
    let trail = Trail::new();
    fs::write(trail.path("other.pem"), block("00000000000000aa", 2)).unwrap();
    let lines = WHOLE.lines().filter(|line| !line.starts_with("Not signed")).map(|line| format!("{line}\n"));
    let page = lines.collect::<String>().replace(
        "seq 1 to 7, until 2030-06-01T12:01:00Z, by 1 checkpoint",
        "nothing: signed with key 0123456789abcdef, which was not given",
    );
    let verify = |trail: &Trail, keys: &str| trail.run(&["verify", "-key", keys, "@audit.log"]);
    assert_eq!(verify(&trail, "@other.pem"), told(&page, "key 0123456789abcdef, which was not given"));

    // After a rotation, with what was kept before it; and with a second key that nobody gave.
    let mut out = Vec::new();
    let mut head = trail.head;
    for (seconds, id, seed) in [(120, "00000000000000aa", 2), (180, "00000000000000bb", 3)] {
        head.append(&signed(head, at(seconds), id, &key_of(seed)), &mut out).unwrap();
    }
    trail.change(|lines| lines.extend(String::from_utf8(out).unwrap().lines().map(str::to_owned)));
    let later = WHOLE.replace("8, seq 1 to 8", "10, seq 1 to 10").replace("12:01:01Z", "12:03:00Z");
    let other = "others are signed with keys 00000000000000aa and 00000000000000bb, which were not given";
    let page = later.replace("by 1 checkpoint", &format!("by 1 checkpoint; {other}")).replace(
        "1 line after that is chained, and not yet signed",
        "3 lines after that are chained, and not signed with a key that was given",
    );
    let keys = "keys 00000000000000aa and 00000000000000bb, which were not given";
    assert_eq!(verify(&trail, "@key.pem"), told(&page, keys));
    let all = [("0123456789abcdef", 1), ("00000000000000aa", 2), ("00000000000000bb", 3)];
    fs::write(trail.path("all.pem"), all.map(|(id, seed)| block(id, seed)).concat()).unwrap();
    let page = WHOLE.lines().filter(|line| !line.starts_with("Not signed")).map(|line| format!("{line}\n"));
    let page = page.collect::<String>().replace("8, seq 1 to 8", "10, seq 1 to 10").replace("12:01:01Z", "12:03:00Z");
    let page = page.replace(
        "seq 1 to 7, until 2030-06-01T12:01:00Z, by 1 checkpoint",
        "seq 1 to 10, until 2030-06-01T12:03:00Z, by 3 checkpoints",
    );
    assert_eq!(verify(&trail, "@all.pem"), succeeded(&page));
}

#[test]
fn the_time_of_a_trail_is_that_of_its_earliest_and_its_latest_line() {
    let trail = Trail::new();
    // What waited in the store is older than the line that says that the server started.
    let (mut head, mut out) = (trail.head, Vec::new());
    head.append(&of_token(-30, "token_generated"), &mut out).unwrap();
    trail.change(|lines| lines.push(String::from_utf8(out).unwrap().trim_end().to_owned()));
    let ran = trail.run(&["verify", "-key", "@key.pem", "@audit.log"]);
    let times = "Time:         2030-06-01T11:59:30Z to 2030-06-01T12:01:01Z\n";
    assert!(ran.stdout.contains(times), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_verified_is_a_mistake_with_its_remedy() {
    let trail = Trail::new();
    fs::write(trail.path("old.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    fs::write(trail.path("empty.pem"), "no key\n").unwrap();
    for (words, message) in [
        (["verify"].as_slice(), "Missing the files of the audit trail, such as audit.log, or - for standard input"),
        (&["verify", "@nowhere"], "Error reading nowhere: no such file or directory"),
        (
            &["verify", "@old.gz"],
            "old.gz is compressed: unpack it, perhaps with zcat, and give - to read it from standard input",
        ),
        (
            &["verify", "-key", "@empty.pem", "@audit.log"],
            "Invalid -key empty.pem: expected a file of public keys in PEM, as `peering audit key` prints them, or the base64 of \
             one",
        ),
        (
            &["verify", "-head", "12", "@audit.log"],
            "Invalid -head: expected the number of a line, a colon and its hash, as `peering audit head` prints them",
        ),
        (&["verify", "-from", "0", "@audit.log"], "Invalid -from 0: expected the number of a line, from 1 on"),
        (&["verify", "-from=x", "@audit.log"], "Invalid -from x: expected the number of a line, from 1 on"),
        (&["show", "@audit.log"], "Give one of -token and -peer: whose story is to be told"),
        (
            &["show", "-peer", "west", "-token", TOKEN, "@audit.log"],
            "Give one of -token and -peer: whose story is to be told",
        ),
        (
            &["show", "-token", "west", "@audit.log"],
            "Invalid -token west: expected the id of a token, as `peering issued list` and `peering inspect` show it",
        ),
        (
            &["show", "-token", PEERING, "@audit.log"],
            "No line tells of the token 77777777-2222-4333-8444-555555555555: is it of another server, or in a file that was \
             rotated away?",
        ),
        (
            &["show", "-peer", "north", "@audit.log"],
            "No line tells of the peer north: is it of another server, or in a file that was rotated away?",
        ),
        (&["show", "-peer", "west", "-format", "xml", "@audit.log"], "Invalid format, valid formats are {json|pretty}"),
        (&["key", "-format", "xml"], "Invalid format, valid formats are {json|pretty}"),
    ] {
        assert_eq!(trail.run(words), failed(message), "{words:?}");
    }
}

#[test]
fn a_token_s_story_is_told_in_order() {
    let trail = Trail::new();
    let story = "\
Token:  11111111-2222-4333-8444-555555555555
Peer:   west (peering 77777777-2222-4333-8444-555555555555)

     2  2030-06-01T12:00:01Z  generated by 88888888-2222-4333-8444-555555555555 from 192.0.2.7, expires 2030-06-01T13:00:00Z
     3  2030-06-01T12:00:02Z  redeemed from 192.0.2.7
     4  2030-06-01T12:00:03Z  its stream secret was used for the first time from this machine, user 0
     5  2030-06-01T12:00:04Z  superseded by 66666666-2222-4333-8444-555555555555
     6  2030-06-01T12:01:00Z  refused (spent) 3 times from 192.0.2.7, 2030-06-01T12:00:05Z to 2030-06-01T12:00:09Z
     8  2030-06-01T12:01:01Z  peering deleted
";
    assert_eq!(trail.run(&["show", "-token", TOKEN, "@audit.log"]), succeeded(story));
    let newer = format!(
        "Token:  {NEWER}\nPeer:   west (peering {PEERING})\n\n     5  2030-06-01T12:00:04Z  took the place of {TOKEN}\n"
    );
    assert_eq!(trail.run(&["show", "-token", NEWER, "@audit.log"]), succeeded(&newer));
    let of_peer = trail.run(&["show", "-peer", "west", "@audit.log"]);
    let first = format!("Peer:   west\n\n     2  2030-06-01T12:00:01Z  generated, token {TOKEN} by ");
    assert!(of_peer.stdout.starts_with(&first), "{}", of_peer.stdout);
    // What is no line is passed over and counted; the lines themselves are there too.
    trail.change(|lines| lines.insert(3, "rubbish".to_owned()));
    let ran = trail.run(&["show", "-token", NEWER, "-format", "json", "@audit.log"]);
    assert_eq!(ran.stderr, "1 line could not be read and is passed over.\n");
    assert!(ran.stdout.starts_with(r#"{"v":1,"seq":5,"prev":""#) && ran.stdout.lines().count() == 1, "{ran:?}");
}

#[test]
fn a_peer_s_story_has_the_lines_that_name_its_peering_alone() {
    let trail = Trail::new();
    let refused = |peering: &str, cause: &'static str| Entry {
        outcome: Outcome::Refused,
        cause: Some(cause.into()),
        peering: Some(peering.parse().unwrap()),
        ..Entry::new(at(70), event::REFUSED)
    };
    let (mut head, mut out) = (Head { seq: 0, hash: LineHash::NONE }, Vec::new());
    head.append(&refused(PEERING, "stream_secret_wrong"), &mut out).unwrap();
    head.append(&refused(NEWER, "no_secrets"), &mut out).unwrap();
    // Another peer's name on the same id is another peer's line.
    head.append(&Entry { peer: Some("north".to_owned()), ..refused(PEERING, "ended") }, &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    // In front, as in a file whose beginning was rotated away.
    trail.change(|kept| drop(kept.splice(0..0, lines.lines().map(str::to_owned))));
    let ran = trail.run(&["show", "-peer", "west", "@audit.log"]);
    assert!(ran.stdout.contains("  refused (stream secret wrong)\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("no secrets") && !ran.stdout.contains("(ended)"), "{}", ran.stdout);
    let ran = trail.run(&["show", "-peer", "west", "-format", "json", "@audit.log"]);
    assert!(ran.stdout.lines().next().unwrap().contains("stream_secret_wrong"), "{}", ran.stdout);
}

#[test]
fn a_token_s_story_has_what_its_dialer_did() {
    let trail = Trail::new();
    let (mut head, mut out) = (trail.head, Vec::new());
    head.append(&of_token(62, "establish_begun"), &mut out).unwrap();
    let failed =
        Entry { outcome: Outcome::Failed, cause: Some("unavailable".into()), ..of_token(63, "establish_failed") };
    head.append(&failed, &mut out).unwrap();
    head.append(&of_token(64, "established"), &mut out).unwrap();
    trail.change(|lines| lines.extend(String::from_utf8(out).unwrap().lines().map(str::to_owned)));
    let ran = trail.run(&["show", "-token", TOKEN, "@audit.log"]);
    let told: Vec<&str> = ran.stdout.lines().rev().take(3).map(|line| line.split("Z  ").last().unwrap()).collect();
    let expected = [
        "established from 192.0.2.7",
        "establish failed (unavailable) from 192.0.2.7",
        "establish begun from 192.0.2.7",
    ];
    assert_eq!(told, expected, "{}", ran.stdout);
}

#[test]
fn the_key_and_the_head_are_asked_of_the_server() {
    let body = r#"[{"ID":"0123456789abcdef","Current":true,"PublicKey":"QUJD"},{"ID":"fedcba9876543210","Current":false,"PublicKey":"REVG"}]"#;
    let server = Mock::always(200, body);
    let ran = peering(&["audit", "key", "-http-addr", &server.address], &[]);
    let keys = "Key 0123456789abcdef, signs now:\n-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----\n\
        Key fedcba9876543210:\n-----BEGIN PUBLIC KEY-----\nREVG\n-----END PUBLIC KEY-----\n";
    assert_eq!(ran, succeeded(keys));
    assert_eq!(server.only().uri.path(), "/v1/peering-audit/key");
    let ran = peering(&["audit", "key", "-format", "json", "-http-addr", &server.address], &[]);
    assert_eq!(ran, succeeded(&format!("{body}\n")));

    let head = Trail::new().head;
    let body: &'static str = format!(r#"{{"Seq":{},"Hash":"{}"}}"#, head.seq, head.hash).leak();
    let server = Mock::always(200, body);
    assert_eq!(peering(&["audit", "head", "-http-addr", &server.address], &[]), succeeded(&format!("{head}\n")));
    let server = Mock::always(404, "there is no audit trail; start the server with -audit-log");
    let ran = peering(&["audit", "head", "-http-addr", &server.address], &[]);
    let message = "Error reading the head of the audit trail: Unexpected response code: 404 (there is no audit trail; start the \
        server with -audit-log)";
    assert_eq!(ran, failed(message));
    let server = Mock::always(404, "Invalid URL path: not a recognized HTTP API endpoint");
    for verb in ["head", "key"] {
        let ran = peering(&["audit", verb, "-http-addr", &server.address], &[]);
        let message = "This server keeps no audit trail: a Consul does not, and nor did the first release of peering";
        assert_eq!(ran, failed(message), "{verb}");
    }
}

#[cfg(feature = "server")]
#[test]
fn the_key_comes_from_a_keyring_and_the_head_from_a_store_that_nobody_has_open() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display().to_string();
    let ran = peering(&["audit", "key", "-keyring", &format!("{place}/keyring")], &[]);
    assert!(ran.stderr.starts_with("Error opening the keyring: "), "{ran:?}");
    let message = format!("Error opening the store: {place} holds no store");
    assert_eq!(peering(&["audit", "head", "-data-dir", &place], &[]), failed(&message));
    assert!(!std::path::Path::new(&place).join("store.sqlite").exists(), "asking makes none");
}

#[cfg(feature = "server")]
#[test]
fn a_keyring_alone_does_not_say_which_key_signs_now() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.path().join("keyring");
    let entropy = || std::sync::Arc::new(peering_server::entropy::SystemEntropy);
    drop(peering_server::keyring::Keyring::create(&path, entropy()).unwrap());
    let ran = peering(&["audit", "key", "-keyring", path.to_str().unwrap()], &[]);
    let first = ran.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("Key ") && first.ends_with(", the newest, signs from the next start on:"), "{ran:?}");
}

#[cfg(feature = "server")]
#[test]
fn every_verb_has_a_page() {
    let mut pages = String::new();
    for verb in [["audit"].as_slice(), &["audit", "head"], &["audit", "key"], &["audit", "show"], &["audit", "verify"]]
    {
        let ran = peering(&[verb, &["-h"]].concat(), &[]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""));
        pages += &ran.stdout;
    }
    assert_eq!(pages, PAGES, "{pages}");
}

/// What `-h` prints for each of them, one after the other.
#[cfg(feature = "server")]
const PAGES: &str = include_str!("audit/pages.txt");
