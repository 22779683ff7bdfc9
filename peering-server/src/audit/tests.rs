//! A trail alone: what it does about crashes, rotations, full disks and files that are not its own.

mod telling;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use peering_core::audit::{Entry, Fault, Head, Line, Report, Signer, Verifier, event};
use peering_core::id::TokenId;
use tempfile::TempDir;
use uuid::Uuid;

use super::error::AuditError;
use super::trail::{Means, Trail, Waiting};
use crate::bounds::AUDIT_STDOUT_BYTES_MAX;
use crate::clock::ManualClock;
use crate::entropy::SystemEntropy;
use crate::keyring::{Keyring, Label};

/// A directory with a trail in it, and a keyring that signs.
pub(crate) struct Place {
    directory: TempDir,
    keyring: Arc<Keyring>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let keyring = Arc::new(Keyring::ephemeral(Arc::new(SystemEntropy)));
        Self { directory: tempfile::tempdir().unwrap(), keyring }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn means(&self) -> Means {
        Means {
            keyring: Arc::clone(&self.keyring),
            keeps_keys: true,
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
            entropy: Arc::new(SystemEntropy),
            node: "s1".to_owned(),
            stdout: None,
        }
    }

    fn open(&self, kept: Option<Head>) -> Trail {
        self.try_open(kept).unwrap()
    }

    fn try_open(&self, kept: Option<Head>) -> Result<Trail, AuditError> {
        let mut trail = Trail::open(self.means(), Some(self.path("audit.log")), kept)?;
        trail.flush()?;
        Ok(trail)
    }

    fn events(&self, names: &[&str]) -> Vec<String> {
        names.iter().flat_map(|name| lines(&self.path(name))).map(|line| line.entry.event.into_owned()).collect()
    }

    fn verify(&self, names: &[&str], head: Option<Head>) -> Report {
        verify(&self.keyring, &names.iter().map(|name| self.path(name)).collect::<Vec<_>>(), head)
    }
}

/// Verifies files with the keys of a ring.
pub(crate) fn verify(keyring: &Keyring, paths: &[PathBuf], head: Option<Head>) -> Report {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let keys = keyring.public_keys(Label::AuditCheckpoint).unwrap();
    let signed = |_: &str, message: &[u8], signature: &[u8]| {
        // The last 32 bytes of the structure are the key itself.
        let verify = |spki: &[u8]| UnparsedPublicKey::new(&ED25519, &spki[12..]).verify(message, signature);
        if keys.iter().any(|key| verify(key.spki()).is_ok()) { Signer::Known } else { Signer::Nobody }
    };
    let mut verifier = Verifier::new(Some(&signed), head);
    for path in paths {
        verifier.begin_file(&path.file_name().unwrap().to_string_lossy());
        let text = fs::read(path).unwrap();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.strip_suffix(b"\n");
            verifier.line(whole.unwrap_or(line), whole.is_some());
        }
    }
    verifier.finish()
}

/// Reads the lines of a file that can be read.
pub(crate) fn lines(path: &Path) -> Vec<Line> {
    let text = fs::read(path).unwrap();
    text.split(|byte| *byte == b'\n').filter_map(|line| Line::parse(line).ok()).collect()
}

fn entry(number: u128) -> Entry {
    let token = Some(TokenId::from_uuid(Uuid::from_u128(number)));
    let row = Some(format!("row-{number}"));
    let revision = Some(u64::try_from(number).unwrap());
    Entry { token, row, revision, ..Entry::new(Timestamp::UNIX_EPOCH, "token_generated") }
}

fn tell(trail: &mut Trail, number: u128) {
    trail.add(&[entry(number)]).unwrap();
    trail.flush().unwrap();
}

#[test]
fn a_trail_begins_goes_on_after_a_stop_and_is_private() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    assert!(trail.sign().unwrap());
    assert!(!trail.sign().unwrap(), "nothing new");
    trail.flush().unwrap();
    let head = trail.written();
    drop(trail);
    let mut trail = place.open(Some(head));
    tell(&mut trail, 2);
    let expected = ["trail_begun", "started", "token_generated", "checkpoint", "started", "token_generated"];
    assert_eq!(place.events(&["audit.log"]), expected);
    let report = place.verify(&["audit.log"], Some(trail.written()));
    assert!(report.is_whole(), "{:?}", report.faults);
    assert_eq!(report.vouched.unwrap().head, head);
    assert_eq!(fs::metadata(place.path("audit.log")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn half_a_line_at_any_byte_is_cut_off_and_the_trail_says_so() {
    let whole = Place::new();
    let mut trail = whole.open(None);
    tell(&mut trail, 1);
    let text = fs::read(whole.path("audit.log")).unwrap();
    let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in (last + 1..text.len()).step_by(7).chain([text.len() - 1]) {
        let place = Place { keyring: Arc::clone(&whole.keyring), ..Place::new() };
        fs::write(place.path("audit.log"), &text[..end]).unwrap();
        let trail = place.open(None);
        let report = place.verify(&["audit.log"], Some(trail.written()));
        assert!(report.is_whole(), "{end}: {:?}", report.faults);
        let told = lines(&place.path("audit.log")).into_iter().map(|line| line.entry);
        let told: Vec<Entry> = told.filter(|entry| entry.event == event::RECOVERED).collect();
        assert_eq!(told[0].dropped_bytes, Some(u64::try_from(end - last).unwrap()));
    }
    // After a power failure there may be zeros.
    let place = Place::new();
    fs::write(place.path("audit.log"), [&text[..last], &[0; 5_000]].concat()).unwrap();
    assert!(place.verify(&["audit.log"], Some(place.open(None).written())).is_whole());
}

#[test]
fn a_file_that_is_no_trail_is_left_alone() {
    let place = Place::new();
    for text in ["root:x:0:0:root:/root:/bin/sh", "127.0.0.1 localhost\n", &"rubbish\n".repeat(2_000)] {
        fs::write(place.path("audit.log"), text).unwrap();
        let refused = place.try_open(None).map(drop).unwrap_err();
        assert!(matches!(refused, AuditError::NotATrail { .. }), "{refused}");
        assert_eq!(fs::read_to_string(place.path("audit.log")).unwrap(), text);
    }
    let mode = |mode| fs::set_permissions(place.path("audit.log"), fs::Permissions::from_mode(mode)).unwrap();
    fs::write(place.path("audit.log"), "").unwrap();
    mode(0o620);
    assert!(matches!(place.try_open(None).map(drop), Err(AuditError::Writable { found: 0o620, .. })));
    mode(0o640);
    drop(place.open(None));
    fs::rename(place.path("audit.log"), place.path("elsewhere")).unwrap();
    symlink(place.path("elsewhere"), place.path("audit.log")).unwrap();
    assert!(matches!(place.try_open(None).map(drop), Err(AuditError::NotAFile { .. })), "a link may lead anywhere");
    fs::remove_file(place.path("audit.log")).unwrap();
    fs::create_dir(place.path("audit.log")).unwrap();
    assert!(matches!(place.try_open(None).map(drop), Err(AuditError::NotAFile { .. })));
}

#[test]
fn a_file_that_was_moved_away_is_signed_off_and_the_chain_goes_on_in_a_new_one() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    fs::rename(place.path("audit.log"), place.path("audit.log.1")).unwrap();
    tell(&mut trail, 2);
    assert_eq!(place.events(&["audit.log.1"]).last().unwrap(), "checkpoint");
    assert_eq!(place.events(&["audit.log"]), ["token_generated"]);
    let report = place.verify(&["audit.log.1", "audit.log"], Some(trail.written()));
    assert!(report.is_whole(), "{:?}", report.faults);
    // Alone, each is vouched for as far as it goes.
    assert_eq!(place.verify(&["audit.log.1"], None).unsigned, 0);
    assert_eq!(place.verify(&["audit.log"], None).first.unwrap().head.seq, 5);
    // And an empty file may be there already, as logrotate's `create` makes one.
    fs::rename(place.path("audit.log"), place.path("audit.log.2")).unwrap();
    fs::write(place.path("audit.log"), "").unwrap();
    tell(&mut trail, 3);
    assert!(place.verify(&["audit.log.1", "audit.log.2", "audit.log"], Some(trail.written())).is_whole());
    // One that was removed leaves a gap that anybody sees.
    fs::remove_file(place.path("audit.log")).unwrap();
    tell(&mut trail, 4);
    let report = place.verify(&["audit.log.2", "audit.log"], None);
    assert!(matches!(report.faults.as_slice(), [Fault::Missing { .. }]), "{:?}", report.faults);
}

#[test]
fn a_file_that_was_copied_and_cut_goes_on_where_it_is() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    fs::copy(place.path("audit.log"), place.path("audit.log.1")).unwrap();
    fs::File::options().write(true).open(place.path("audit.log")).unwrap().set_len(0).unwrap();
    tell(&mut trail, 2);
    let report = place.verify(&["audit.log.1", "audit.log"], Some(trail.written()));
    assert!(report.is_whole(), "{:?}", report.faults);
    // Half of what was there is no line of ours, and no line of ours is glued to it.
    fs::File::options().write(true).open(place.path("audit.log")).unwrap().set_len(50).unwrap();
    tell(&mut trail, 3);
    let report = place.verify(&["audit.log.1", "audit.log"], None);
    assert!(matches!(&report.faults[0], Fault::Unreadable { at, .. } if at.line == 1), "{:?}", report.faults);
    assert_eq!(report.last.unwrap().head, trail.written());
}

#[test]
fn the_file_wins_over_an_older_head_and_a_lost_end_is_seen() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    let early = trail.written();
    tell(&mut trail, 2);
    let late = trail.written();
    drop(trail);
    // The store is an older one that was put back.
    let trail = place.open(Some(early));
    assert!(place.verify(&["audit.log"], Some(trail.written())).is_whole());
    drop(trail);
    // The file is an older one, or was cut.
    let text = fs::read(place.path("audit.log")).unwrap();
    let third: usize = text.split_inclusive(|byte| *byte == b'\n').take(3).map(<[u8]>::len).sum();
    fs::write(place.path("audit.log"), &text[..third]).unwrap();
    drop(place.open(Some(late)));
    let report = place.verify(&["audit.log"], None);
    assert!(matches!(report.faults.as_slice(), [Fault::Missing { first: 4, last: 4, .. }]), "{:?}", report.faults);
    // The file is gone.
    fs::remove_file(place.path("audit.log")).unwrap();
    drop(place.open(Some(late)));
    let report = place.verify(&["audit.log"], None);
    assert!(report.is_whole());
    assert_eq!(report.first.unwrap().head.seq, late.seq + 1);
}

#[test]
fn a_file_that_was_moved_away_while_nobody_wrote_is_found_beside_it() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    let kept = trail.written();
    tell(&mut trail, 2);
    drop(trail);
    fs::rename(place.path("audit.log"), place.path("audit.log-20301231")).unwrap();
    fs::write(place.path("audit.log.old"), "something else\n").unwrap();
    let trail = place.open(Some(kept));
    let report = place.verify(&["audit.log-20301231", "audit.log"], Some(trail.written()));
    assert!(report.is_whole(), "{:?}", report.faults);
    let waiting = |number: u64| Waiting { row: format!("row-{number}"), revision: number };
    let told: Vec<String> = trail.told_before(&[2, 3].map(waiting)).unwrap().into_iter().collect();
    assert_eq!(told, ["row-2"], "nothing is told twice");
}

#[test]
fn a_file_has_one_writer() {
    let place = Place::new();
    let trail = place.open(None);
    assert!(matches!(place.try_open(None).map(drop), Err(AuditError::InUse { .. })));
    drop(trail);
    drop(place.open(None));
}

#[test]
fn a_changed_last_line_is_seen_after_the_next_start() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    let head = trail.written();
    drop(trail);
    let text = fs::read_to_string(place.path("audit.log")).unwrap();
    fs::write(place.path("audit.log"), text.replace("token_generated", "token_redeemed!")).unwrap();
    drop(place.open(Some(head)));
    let report = place.verify(&["audit.log"], None);
    let [Fault::Changed { first, last }] = report.faults.as_slice() else { panic!("{:?}", report.faults) };
    assert_eq!((first.seq, last.seq), (Some(3), Some(3)));
}

#[test]
fn rows_that_are_in_the_file_are_found_and_others_are_not() {
    let place = Place::new();
    let mut trail = place.open(None);
    for number in 1..=20 {
        tell(&mut trail, number);
    }
    drop(trail);
    let trail = place.open(None);
    let waiting = |number: u64| Waiting { row: format!("row-{number}"), revision: number };
    let mut told: Vec<String> = trail.told_before(&[18, 19, 20, 21].map(waiting)).unwrap().into_iter().collect();
    told.sort_unstable();
    assert_eq!(told, ["row-18", "row-19", "row-20"]);
    let other = Waiting { row: "other".to_owned(), revision: 19 };
    assert!(trail.told_before(&[other]).unwrap().is_empty(), "the same revision of another store");
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind_and_is_written_later() {
    let place = Place::new();
    let mut trail = place.open(None);
    fs::rename(place.path("audit.log"), place.path("audit.log.1")).unwrap();
    fs::create_dir(place.path("audit.log")).unwrap();
    trail.add(&[entry(1)]).unwrap();
    for _ in 0..2 {
        assert!(matches!(trail.flush(), Err(AuditError::NotAFile { .. })));
    }
    fs::remove_dir(place.path("audit.log")).unwrap();
    trail.flush().unwrap();
    let report = place.verify(&["audit.log.1", "audit.log"], Some(trail.written()));
    assert!(report.is_whole(), "{:?}", report.faults);
    assert_eq!(place.events(&["audit.log"]), ["token_generated"]);
}

/// Takes so many bytes, then none for a while.
struct Narrow {
    taken: Vec<u8>,
    room: usize,
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            self.room = usize::MAX;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.taken.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn standard_output_has_the_same_lines_as_the_file_and_none_twice() {
    let place = Place::new();
    let stdout = Arc::new(Mutex::new(Narrow { taken: Vec::new(), room: 100 }));
    let means = Means { stdout: Some(Arc::clone(&stdout) as Arc<Mutex<dyn Write + Send>>), ..place.means() };
    let mut trail = Trail::open(means, Some(place.path("audit.log")), None).unwrap();
    trail.flush().unwrap();
    assert_eq!(stdout.lock().unwrap().taken.len(), 100, "the file does not wait for the rest");
    trail.flush().unwrap();
    tell(&mut trail, 1);
    assert_eq!(stdout.lock().unwrap().taken, fs::read(place.path("audit.log")).unwrap());
    assert_eq!(place.events(&["audit.log"]), ["trail_begun", "started", "token_generated"]);
    // Alone, it is waited for.
    let stdout = Arc::new(Mutex::new(Narrow { taken: Vec::new(), room: 100 }));
    let means = Means { stdout: Some(Arc::clone(&stdout) as Arc<Mutex<dyn Write + Send>>), ..place.means() };
    let mut trail = Trail::open(means, None, None).unwrap();
    assert!(matches!(trail.flush(), Err(AuditError::Stdout(_))));
    assert_eq!(trail.written(), Head::BEGINNING);
    trail.flush().unwrap();
    assert_eq!(stdout.lock().unwrap().taken.iter().filter(|byte| **byte == b'\n').count(), 2);
}

/// Takes nothing until its other end is dropped, then all.
struct Blocked {
    until: Receiver<()>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until.recv().unwrap_err();
        self.taken.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_of_standard_output_that_stops_holds_neither_the_file_nor_its_checkpoints() {
    let place = Place::new();
    let blocked = || {
        let (release, until) = channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let stdout: Arc<Mutex<dyn Write + Send>> = Arc::new(Mutex::new(Blocked { until, taken: Arc::clone(&taken) }));
        (release, taken, Means { stdout: Some(stdout), ..place.means() })
    };
    let (release, taken, means) = blocked();
    let mut trail = Trail::open(means, Some(place.path("audit.log")), None).unwrap();
    trail.flush().unwrap();
    let many: Vec<Entry> = (1..=2_000).map(entry).collect();
    let mut made = 2;
    while fs::metadata(place.path("audit.log")).unwrap().len()
        < u64::try_from(AUDIT_STDOUT_BYTES_MAX).unwrap() + 1_000_000
    {
        trail.add(&many).unwrap();
        trail.flush().unwrap();
        made += many.len();
    }
    assert!(trail.sign().unwrap());
    trail.flush().unwrap();
    assert_eq!(place.events(&["audit.log"]).len(), made + 1);
    assert!(place.verify(&["audit.log"], Some(trail.written())).vouched.is_some());
    drop(release);
    while !trail.is_printed() {
        trail.flush().unwrap();
    }
    fs::write(place.path("printed"), &*taken.lock().unwrap()).unwrap();
    let report = place.verify(&["printed"], None);
    assert!(matches!(report.faults.as_slice(), [Fault::Missing { .. }]), "lost lines are named: {:?}", report.faults);
    // Where there is no file, the events wait.
    let (release, taken, means) = blocked();
    let mut trail = Trail::open(means, None, None).unwrap();
    assert!(matches!(trail.flush(), Err(AuditError::StdoutStuck)));
    assert_eq!(trail.written(), Head::BEGINNING);
    drop(release);
    while trail.flush().is_err() {}
    assert_eq!(taken.lock().unwrap().iter().filter(|byte| **byte == b'\n').count(), 2);
}

#[test]
fn a_file_that_was_rewritten_and_made_longer_while_nobody_wrote_is_not_vouched_for() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    tell(&mut trail, 2);
    let kept = trail.written();
    drop(trail);
    // All anew from the third line on, each hash right, and one line more.
    let (mut head, mut text) = (Head::BEGINNING, Vec::new());
    let mut entries: Vec<Entry> = lines(&place.path("audit.log")).into_iter().map(|line| line.entry).collect();
    entries[2].token = None;
    entries.push(entry(3));
    for entry in &entries {
        head.append(entry, &mut text).unwrap();
    }
    assert!(head.seq > kept.seq);
    fs::write(place.path("audit.log"), text).unwrap();
    let mut trail = place.open(Some(kept));
    assert!(trail.sign().unwrap());
    trail.flush().unwrap();
    let report = place.verify(&["audit.log"], None);
    assert!(matches!(report.faults.as_slice(), [Fault::OutOfPlace { .. }]), "{:?}", report.faults);
    // And a start later still.
    let kept = trail.written();
    drop(trail);
    drop(place.open(Some(kept)));
    assert!(!place.verify(&["audit.log"], None).is_whole());
}

#[test]
fn the_line_that_the_store_knows_may_be_in_a_file_that_was_moved_away_or_is_gone() {
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    let kept = trail.written();
    tell(&mut trail, 2);
    fs::rename(place.path("audit.log"), place.path("audit.log.2")).unwrap();
    tell(&mut trail, 3);
    fs::rename(place.path("audit.log"), place.path("audit.log.1")).unwrap();
    tell(&mut trail, 4);
    drop(trail);
    let trail = place.open(Some(kept));
    let report = place.verify(&["audit.log.2", "audit.log.1", "audit.log"], Some(trail.written()));
    assert!(report.is_whole(), "{:?}", report.faults);
    // And what waits was told in any of them.
    let waiting = |number: u64| Waiting { row: format!("row-{number}"), revision: number };
    let mut told: Vec<String> = trail.told_before(&[1, 2, 3, 4, 5].map(waiting)).unwrap().into_iter().collect();
    told.sort_unstable();
    assert_eq!(told, ["row-1", "row-2", "row-3", "row-4"]);
    drop(trail);
    // The last line of the file before is known by the first one of the next.
    let end = lines(&place.path("audit.log.1")).pop().unwrap();
    let first = lines(&place.path("audit.log")).remove(0);
    fs::remove_file(place.path("audit.log.1")).unwrap();
    let trail = place.open(Some(Head { seq: end.seq, hash: first.prev }));
    assert!(place.verify(&["audit.log"], Some(trail.written())).is_whole());
}

#[test]
fn half_a_line_in_the_file_that_the_trail_goes_on_in_is_told() {
    let place = Place::new();
    let mut trail = place.open(None);
    let text = fs::read(place.path("audit.log")).unwrap();
    fs::rename(place.path("audit.log"), place.path("audit.log.1")).unwrap();
    fs::write(place.path("audit.log"), &text[..20]).unwrap();
    tell(&mut trail, 1);
    assert_eq!(place.events(&["audit.log"]), ["token_generated", "recovered"]);
    assert!(place.verify(&["audit.log.1", "audit.log"], Some(trail.written())).is_whole());
}
