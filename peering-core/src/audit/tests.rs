//! The chain against every change: what was changed, removed, moved or put in is found and named.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::*;
use crate::acl::{AclChange, AclEvent};
use crate::id::{PeeringId, TokenId};
use crate::life::RevokeReason;
use crate::name::PeerName;
use crate::transition::{Event, Origin, What};

/// In the place of a signature: what nobody can make who does not know the word.
fn signed(message: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(b"known to the server alone").chain_update(message).finalize().to_vec()
}

fn is_signed(key: &str, message: &[u8], signature: &[u8]) -> Signer {
    match (key, signed(message) == signature) {
        (_, true) => Signer::Known,
        (KEY, false) => Signer::Nobody,
        _ => Signer::Unknown,
    }
}

const KEY: &str = "0123456789abcdef";

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn token(number: u128) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(number))
}

/// A trail of so many lines, in which every fifth is a checkpoint.
fn trail(lines: u64) -> (Vec<Vec<u8>>, Head) {
    static WHOLE: LazyLock<(Vec<Vec<u8>>, Head)> = LazyLock::new(|| written(LINES));
    if lines == LINES { WHOLE.clone() } else { written(lines) }
}

fn written(lines: u64) -> (Vec<Vec<u8>>, Head) {
    let (mut head, mut out) = (Head::BEGINNING, Vec::new());
    for number in 1..=lines {
        let time = at(i64::try_from(number).unwrap());
        let mut entry = Entry::new(time, "token_generated");
        if number % 5 == 0 {
            let message = checkpoint_message(head.seq + 1, head.hash, time);
            entry = Entry::new(time, event::CHECKPOINT);
            entry.key = Some(KEY.to_owned());
            entry.signature = Some(STANDARD.encode(signed(message.as_bytes())));
        } else {
            entry.token = Some(token(u128::from(number)));
        }
        head.append(&entry, &mut out).unwrap();
    }
    let lines = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (lines.map(<[u8]>::to_vec).collect(), head)
}

fn verify(lines: &[Vec<u8>], head: Option<Head>) -> Report {
    verify_by(Verifier::new(Some(&is_signed), head), lines)
}

fn verify_by(mut verifier: Verifier<'_>, lines: &[Vec<u8>]) -> Report {
    verifier.begin_file("audit.log");
    for line in lines {
        verifier.line(line, true);
    }
    verifier.finish()
}

/// Says whether a fault names a line by its number in the trail or its place in the file.
fn names(fault: &Fault, seq: u64, line: u64) -> bool {
    let is_it = |place: &Place| place.seq == Some(seq) || place.line == line;
    match fault {
        Fault::Changed { first, last } => (first.line..=last.line).contains(&line) || is_it(first) || is_it(last),
        Fault::Missing { first, last, before } => (*first..=*last).contains(&seq) || is_it(before),
        Fault::OutOfPlace { at, expected } => *expected == seq || is_it(at),
        Fault::Beginning { at } | Fault::Unreadable { at, .. } | Fault::Half { at, .. } => is_it(at),
        Fault::NotTheHead { at } => is_it(at),
        // The checkpoint covers all that comes after the last good one.
        Fault::Signature { at, after, .. } | Fault::Unsure { at, after, .. } => {
            at.line >= line && after.is_none_or(|after| after < seq)
        }
        Fault::CutOff { last, .. } => *last < seq,
        Fault::Empty { from } => *from <= seq,
    }
}

fn found(report: &Report, seq: u64, line: u64) -> Result<(), TestCaseError> {
    let is_named = report.faults.iter().any(|fault| names(fault, seq, line));
    prop_assert!(is_named, "seq {seq}, line {line}: {:?}", report.faults);
    Ok(())
}

/// Lines of the trail of the tests, of which the first 40 are vouched for.
const LINES: u64 = 43;
const SIGNED: u64 = 40;

#[test]
fn a_trail_that_nobody_touched_is_vouched_for_up_to_its_last_checkpoint() {
    let (lines, head) = trail(LINES);
    let report = verify(&lines, Some(head));
    assert!(report.is_whole(), "{:?}", report.faults);
    assert_eq!(report.vouched.unwrap().head.seq, SIGNED);
    assert_eq!((report.lines, report.unsigned, report.checkpoints_good), (LINES, LINES - SIGNED, 8));
    assert_eq!(report.head, HeadCheck::Reached);
    assert_eq!(report.last.unwrap().head, head);
    assert_eq!(report.unsigned_since, Some(at(41)));
}

#[test]
fn a_file_that_begins_later_is_vouched_for_from_there() {
    let (lines, head) = trail(LINES);
    let report = verify(&lines[7..], Some(head));
    assert!(report.is_whole(), "{:?}", report.faults);
    assert_eq!(report.first.unwrap().head.seq, 8);
}

#[test]
fn what_an_unknown_key_signed_is_whole_and_not_vouched_for() {
    let (lines, head) = trail(LINES);
    let another = |key: &str, _: &[u8], _: &[u8]| if key == "another" { Signer::Known } else { Signer::Unknown };
    let report = verify_by(Verifier::new(Some(&another), Some(head)), &lines);
    assert!(report.is_whole() && report.vouched.is_none(), "{:?}", report.faults);
    assert_eq!((report.checkpoints, report.checkpoints_good), (8, 0));
    assert_eq!(report.unknown_keys, [KEY]);
    let nameless = |_: &str, _: &[u8], _: &[u8]| Signer::Unsure;
    let report = verify_by(Verifier::new(Some(&nameless), Some(head)), &lines);
    assert!(matches!(&report.faults[0], Fault::Unsure { key, .. } if key == KEY), "{:?}", report.faults);
}

#[test]
fn keys_that_nobody_knows_are_named_up_to_a_bound() {
    let (mut head, mut verifier) = (Head::BEGINNING, Verifier::new(Some(&is_signed), None));
    for number in 0..100 {
        let mut line = Vec::new();
        let (key, signature) = (Some(format!("key{}", number / 2)), Some(STANDARD.encode("x")));
        head.append(&Entry { key, signature, ..Entry::new(at(number), event::CHECKPOINT) }, &mut line).unwrap();
        verifier.line(line.strip_suffix(b"\n").unwrap(), true);
    }
    let keys = verifier.finish().unknown_keys;
    assert_eq!((keys.len(), keys[9].as_str()), (10, "key9"));
}

#[test]
fn several_files_chain_in_their_order_and_in_no_other() {
    let (lines, _) = trail(LINES);
    let read = |parts: [&[Vec<u8>]; 3]| {
        let mut verifier = Verifier::new(Some(&is_signed), None);
        for (number, part) in parts.into_iter().enumerate() {
            verifier.begin_file(&format!("audit.log.{number}"));
            part.iter().for_each(|line| verifier.line(line, true));
        }
        verifier.finish()
    };
    let (one, two, three) = (&lines[..10], &lines[10..21], &lines[21..]);
    assert!(read([one, two, three]).is_whole());
    let report = read([one, three, two]);
    assert_eq!(report.faults[0].to_string(), "seq 11 to 21 are missing before audit.log.1 line 1 (seq 22)");
    assert_eq!(report.faults[1].to_string(), "audit.log.2 line 1 (seq 11) is out of place: seq 44 was expected here");
}

#[test]
fn a_cut_end_is_found_with_the_head_alone() {
    let (lines, head) = trail(LINES);
    for kept in 1..lines.len() {
        let report = verify(&lines[..kept], Some(head));
        let last = u64::try_from(kept).unwrap();
        assert_eq!(report.faults, [Fault::CutOff { last, head }]);
        assert_eq!(report.head, HeadCheck::Missed);
        let report = verify(&lines[..kept], None);
        assert!(report.is_whole());
        assert_eq!(report.vouched.map_or(0, |mark| mark.head.seq), last / 5 * 5, "it says how far it vouches");
    }
    let report = verify(&[], Some(head));
    assert_eq!(
        report.faults[0].to_string(),
        "the trail ends at seq 0, and its head is seq 43: seq 1 to 43 are cut off at the end"
    );
}

#[test]
fn a_changed_end_is_found_with_the_head() {
    let (mut lines, head) = trail(LINES);
    let last = lines.last_mut().unwrap();
    *last = String::from_utf8(last.clone()).unwrap().replace("done", "failed").into_bytes();
    assert!(verify(&lines, None).is_whole(), "chained, and not yet signed");
    let report = verify(&lines, Some(head));
    assert_eq!(
        report.faults[0].to_string(),
        "audit.log line 43 (seq 43) is not the head that was given: its hash is another"
    );
}

#[test]
fn an_old_head_is_reached_and_one_before_the_first_line_says_nothing() {
    let (lines, _) = trail(LINES);
    let (_, old) = trail(20);
    assert_eq!(verify(&lines, Some(old)).head, HeadCheck::Reached);
    let report = verify(&lines[30..], Some(old));
    assert!(report.is_whole());
    assert_eq!(report.head, HeadCheck::Before);
}

#[test]
fn a_line_that_ends_in_the_middle_is_named() {
    let (lines, _) = trail(LINES);
    let whole = lines.last().unwrap();
    for bytes in 1..=whole.len() {
        let mut verifier = Verifier::new(Some(&is_signed), None);
        verifier.begin_file("audit.log");
        lines[..42].iter().for_each(|line| verifier.line(line, true));
        verifier.line(&whole[..bytes], false);
        let report = verifier.finish();
        let [Fault::Half { at, bytes: named }] = report.faults.as_slice() else { panic!("{:?}", report.faults) };
        assert_eq!((at.line, *named), (43, bytes));
    }
}

#[test]
fn without_keys_signatures_are_not_checked_and_it_says_so() {
    let (lines, _) = trail(LINES);
    let mut verifier = Verifier::new(None, None);
    verifier.begin_file("audit.log");
    lines.iter().for_each(|line| verifier.line(line, true));
    let report = verifier.finish();
    assert_eq!((report.checkpoints, report.checkpoints_good, report.vouched), (8, 0, None));
    assert_eq!(report.unsigned, LINES);
}

#[test]
fn what_is_no_line_is_refused_with_the_reason() {
    let (lines, _) = trail(2);
    for (line, problem) in [
        (b"".to_vec(), "EOF while parsing"),
        (b"rubbish".to_vec(), "expected value"),
        (vec![b' '; LINE_BYTES_MAX + 1], "it has 65537 bytes, and a line at most 65536"),
        (String::from_utf8(lines[0].clone()).unwrap().replacen("\"v\":1", "\"v\":2", 1).into(), "its version is 2"),
        (
            String::from_utf8(lines[0].clone()).unwrap().replacen("\"seq\":1", "\"seq\":1,\"seq\":2", 1).into(),
            "duplicate field",
        ),
    ] {
        let report = verify(&[line], None);
        let [Fault::Unreadable { problem: told, .. }] = report.faults.as_slice() else { panic!("{:?}", report.faults) };
        assert!(told.starts_with(problem), "{told}");
    }
    let mut longest = lines[0].clone();
    longest.resize(LINE_BYTES_MAX, b' ');
    assert!(Line::parse(&longest).is_ok());
}

#[test]
fn more_faults_than_anybody_reads_are_counted() {
    let report = verify(&vec![b"rubbish".to_vec(); 150], None);
    assert_eq!((report.faults.len(), report.faults_untold), (100, 50));
}

#[test]
fn a_head_is_a_number_and_a_hash() {
    let (_, head) = trail(3);
    assert_eq!(format!(" {head}\n").parse(), Ok(head));
    let hash = head.hash.to_string();
    for (text, error) in [
        ("3".to_owned(), HeadError::Shape),
        (format!("x:{hash}"), HeadError::Seq),
        (format!("-1:{hash}"), HeadError::Seq),
        (format!("3:{}", &hash[1..]), HeadError::Hash),
        (format!("3:{}", hash.to_uppercase()), HeadError::Hash),
        (format!("3:{hash}0"), HeadError::Hash),
    ] {
        assert_eq!(text.parse::<Head>(), Err(error), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_changed_byte_before_the_last_checkpoint_is_found_and_named(
        line in 0..SIGNED, byte in any::<prop::sample::Index>(), change in 1..=255u8
    ) {
        let (mut lines, _) = trail(LINES);
        let index = usize::try_from(line).unwrap();
        let byte = byte.index(lines[index].len());
        lines[index][byte] ^= change;
        // A newline makes two lines of it.
        let text = lines.join(&b'\n');
        let read: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        found(&verify(&read, None), line + 1, line + 1)?;
    }

    #[test]
    fn every_removal_before_the_last_checkpoint_is_found_and_named(first in 1..SIGNED, count in 1..SIGNED) {
        let (mut lines, _) = trail(LINES);
        // What is kept goes from `last` on.
        let last = (first + count).min(SIGNED);
        prop_assume!(last > first);
        lines.drain(usize::try_from(first - 1).unwrap()..usize::try_from(last - 1).unwrap());
        let report = verify(&lines, None);
        if first == 1 {
            // The beginning may have been rotated away: then it says from where it vouches.
            prop_assert_eq!(report.first.unwrap().head.seq, last);
            prop_assert!(report.is_whole(), "{:?}", report.faults);
        }
        // Whoever knows where it begins is not told so by the first line.
        let report = verify_by(Verifier::new(Some(&is_signed), None).beginning_at(1), &lines);
        for report in [Some(report), (first > 1).then_some(verify(&lines, None))].into_iter().flatten() {
            let [Fault::Missing { first: from, last: to, .. }] = report.faults.as_slice() else {
                return Err(TestCaseError::fail(format!("{:?}", report.faults)));
            };
            prop_assert_eq!((*from, *to), (first, last - 1));
        }
    }

    #[test]
    fn every_exchange_of_two_lines_before_the_last_checkpoint_is_found_and_named(one in 0..SIGNED, other in 0..SIGNED) {
        prop_assume!(one != other);
        let (mut lines, _) = trail(LINES);
        lines.swap(usize::try_from(one).unwrap(), usize::try_from(other).unwrap());
        let report = verify(&lines, None);
        found(&report, one.max(other) + 1, one.max(other) + 1)?;
    }

    #[test]
    fn every_line_put_in_before_the_last_checkpoint_is_found_and_named(before in 1..SIGNED, repeats in any::<bool>()) {
        let (mut lines, _) = trail(LINES);
        let index = usize::try_from(before).unwrap();
        let put_in = if repeats { lines[index].clone() } else { forged(&lines[index - 1], before) };
        lines.insert(index, put_in);
        found(&verify(&lines, None), before + 1, before + 2)?;
    }

    #[test]
    fn whoever_computes_every_hash_anew_is_found_at_the_next_checkpoint(line in 0..SIGNED) {
        let (lines, _) = trail(LINES);
        let (mut head, mut out) = (Head::BEGINNING, Vec::new());
        for (index, bytes) in lines.iter().enumerate() {
            let mut entry = Line::parse(bytes).unwrap().entry;
            if u64::try_from(index).unwrap() == line {
                entry.time = at(0);
            }
            head.append(&entry, &mut out).unwrap();
        }
        let forged: Vec<Vec<u8>> = out.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let report = verify(&forged, None);
        let next = line / 5 * 5 + 5;
        let vouched = report.vouched.map_or(0, |mark| mark.head.seq);
        prop_assert_eq!(vouched, next - 5);
        let is_named = matches!(&report.faults[0], Fault::Signature { at, .. } if at.seq == Some(next));
        prop_assert!(is_named, "{:?}", report.faults);
    }
}

/// A line that follows another, by somebody who can compute hashes.
fn forged(before: &[u8], seq: u64) -> Vec<u8> {
    let mut head = Head { seq, hash: LineHash::of(before) };
    let mut out = Vec::new();
    head.append(&Entry::new(at(0), "token_generated"), &mut out).unwrap();
    out.pop();
    out
}

#[test]
fn a_line_has_one_shape_for_good() {
    let mut head = Head::BEGINNING;
    let mut out = Vec::new();
    let event = Event {
        at: at(0),
        peering: PeeringId::from_uuid(Uuid::from_u128(1)),
        name: PeerName::parse("west").unwrap(),
        what: What::TokenRevoked { token: token(2), reason: RevokeReason::Operator },
        origin: Origin { user: Some(1_000), ..Origin::default() },
    };
    head.append(&Entry { row: Some("r".to_owned()), revision: Some(7), ..Entry::from(&event) }, &mut out).unwrap();
    let origin = Origin { actor: Some(Uuid::from_u128(4)), source: Some([192, 0, 2, 1].into()), user: None };
    let acl = AclEvent { at: at(1), origin, acl: AclChange::TokenDeleted { accessor: Uuid::from_u128(3) } };
    head.append(&Entry::from(&acl), &mut out).unwrap();
    let zeros = LineHash::NONE;
    let first = format!(
        r#"{{"v":1,"seq":1,"prev":"{zeros}","time":"1970-01-01T00:00:00Z","event":"token_revoked","outcome":"done","token":"00000000-0000-0000-0000-000000000002","peering":"00000000-0000-0000-0000-000000000001","peer":"west","user":1000,"cause":"operator","revision":7,"row":"r"}}"#
    );
    let prev = LineHash::of(first.as_bytes());
    let second = format!(
        r#"{{"v":1,"seq":2,"prev":"{prev}","time":"1970-01-01T00:00:01Z","event":"acl_token_deleted","outcome":"done","actor":"00000000-0000-0000-0000-000000000004","source":"192.0.2.1","acl_token":"00000000-0000-0000-0000-000000000003"}}"#
    );
    assert_eq!(String::from_utf8(out).unwrap(), format!("{first}\n{second}\n"));
    assert!(Line::parse(second.replace("\"done\"", "\"postponed\"").as_bytes()).is_ok(), "a newer word is read");
}

#[test]
fn after_the_last_number_nothing_follows() {
    let mut head = Head { seq: u64::MAX - 1, hash: LineHash::NONE };
    let mut out = Vec::new();
    head.append(&Entry::new(at(1), "token_generated"), &mut out).unwrap();
    head.append(&Entry::new(at(1), "token_generated"), &mut out).unwrap_err();
    let line = out.strip_suffix(b"\n").unwrap().to_vec();
    let report = verify(&[line.clone(), line], None);
    assert!(matches!(report.faults.as_slice(), [Fault::OutOfPlace { .. }]), "{:?}", report.faults);
}
