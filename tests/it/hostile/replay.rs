//! Every kept input of `fuzz/corpus` passes its check, and so does what chance makes of it.
//!
//! `PEERING_FUZZ_SECONDS` says how long each target is tried, `PEERING_FUZZ_SEED` repeats a run.

use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peering_tests::fuzzing::mutate::Mutator;
use peering_tests::fuzzing::{TARGETS, Target};

/// Tries of each target unless the environment says otherwise, so that a run by hand stays short.
const SECONDS: u64 = 1;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn check(target: &Target, input: &[u8], origin: &str) {
    if catch_unwind(|| (target.check)(input)).is_err() {
        panic!("{}, {origin}, refuses this input (in base64): {}", target.name, STANDARD.encode(input));
    }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "{name} has {} kept inputs", paths.len());
    let kept: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, input) in paths.iter().zip(&kept) {
        check(target, input, &path.display().to_string());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("PEERING_FUZZ_SEED").unwrap_or(u64::from(now.subsec_nanos()) ^ now.as_secs());
    let mut mutator = Mutator::new(seed);
    let end = Instant::now() + Duration::from_secs(number("PEERING_FUZZ_SECONDS").unwrap_or(SECONDS));
    let mut executions = 0_u64;
    while executions == 0 || Instant::now() < end {
        executions += 1;
        let input = mutator.next(&kept, target.words);
        check(target, &input, &format!("seed {seed}, execution {executions}"));
    }
    println!("{name}: {} kept inputs, {executions} executions from seed {seed}", kept.len());
}

#[test]
fn peering_tokens_whatever_they_say() {
    replay("tokens");
}

#[test]
fn frames_whatever_they_carry() {
    replay("frames");
}

#[test]
fn bodies_whatever_they_hold() {
    replay("bodies");
}

#[test]
fn words_whatever_was_typed() {
    replay("words");
}

#[test]
fn records_whatever_was_stored() {
    replay("records");
}

#[test]
fn every_target_is_replayed_and_can_be_fuzzed() {
    let fuzz = corpus().join("..");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let mut kept: Vec<String> =
        fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    for name in &names {
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "fuzz/Cargo.toml has no {name}");
        let body = fs::read_to_string(fuzz.join(format!("targets/{name}.rs"))).unwrap();
        assert!(body.contains(&format!("peering_tests::fuzzing::{name}::check(data)")), "{body}");
    }
    names.sort_unstable();
    assert_eq!(kept, names);
}
