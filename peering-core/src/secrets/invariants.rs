//! Random command sequences against named invariants of [`apply`](super::apply()).
//!
//! `PEERING_SEQUENCES` sets how many sequences are tried and `PEERING_SEED` which; both are printed on failure with
//! the shortest sequence that fails.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::table::{Desk, claim, secret, token};
use super::{Command, Record, Refusal};
use crate::life::{RevokeReason, TokenState};
use crate::peering::Stored;
use crate::secret::SecretHash;

/// One step; `which` counts back from the newest token or stream secret, so that shrinking keeps its meaning.
#[derive(Debug, Clone)]
enum Step {
    Generate { ttl_seconds: Option<u8> },
    Exchange { which: u8, redeemer: Option<u8> },
    Open { which: u8 },
    Revoke { which: u8 },
    Forget { which: u8 },
    Begin,
    Complete,
    Bundle { domain: bool },
    Delete,
    FinishDelete,
    Terminate,
    Wait { seconds: u16 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0..4_u8;
    let step = prop_oneof![
        4 => proptest::option::of(1..100_u8).prop_map(|ttl_seconds| Step::Generate { ttl_seconds }),
        5 => (which.clone(), proptest::option::of(0..2_u8))
            .prop_map(|(which, redeemer)| Step::Exchange { which, redeemer }),
        5 => which.clone().prop_map(|which| Step::Open { which }),
        1 => which.clone().prop_map(|which| Step::Revoke { which }),
        1 => which.prop_map(|which| Step::Forget { which }),
        1 => Just(Step::Begin),
        1 => Just(Step::Complete),
        1 => any::<bool>().prop_map(|domain| Step::Bundle { domain }),
        1 => Just(Step::Delete),
        1 => Just(Step::FinishDelete),
        1 => Just(Step::Terminate),
        1 => (0..700_u16).prop_map(|seconds| Step::Wait { seconds }),
    ];
    vec(step, 1..=64)
}

/// What an observer outside has seen, against which every invariant is stated.
struct World {
    desk: Desk,
    tokens: Vec<u32>,
    streams: Vec<u32>,
    drawn: u32,
    /// For each establishment secret: who redeemed it, and the stream secret that came out.
    redeemed: BTreeMap<u32, (Option<u8>, u32)>,
    /// Secrets that existed when the peering last ended.
    before_end: Vec<u32>,
}

impl World {
    fn new() -> Self {
        Self {
            desk: Desk::new(),
            tokens: vec![],
            streams: vec![],
            drawn: 0,
            redeemed: BTreeMap::new(),
            before_end: vec![],
        }
    }

    fn draw(&mut self) -> u32 {
        self.drawn += 1;
        self.drawn
    }

    fn recent(list: &[u32], which: u8) -> u32 {
        list.iter().rev().nth(which.into()).copied().unwrap_or(u32::MAX)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let before = self.desk.record.clone();
        match *step {
            Step::Generate { ttl_seconds } => {
                let number = self.draw();
                let expires = ttl_seconds.map(|ttl| self.desk.now + SignedDuration::from_secs(ttl.into()));
                if self.desk.generate_until(number, expires).is_ok() {
                    self.tokens.push(number);
                    a_new_token_does_not_disturb_a_live_peering(&before, &self.desk.record)?;
                }
            }
            Step::Exchange { which, redeemer } => self.exchange(Self::recent(&self.tokens, which), redeemer)?,
            Step::Open { which } => {
                let number = Self::recent(&self.streams, which);
                if self.desk.open(number).is_ok() {
                    no_secret_from_before_the_end_is_accepted_after_it(&self.before_end, number)?;
                    an_accepted_stream_secret_is_the_active_one(&self.desk.record, number)?;
                }
            }
            Step::Revoke { which } => {
                let token = token(Self::recent(&self.tokens, which));
                drop(self.desk.run(Command::RevokeToken { token, reason: RevokeReason::Operator }));
            }
            Step::Forget { which } => {
                let token = token(Self::recent(&self.tokens, which));
                drop(self.desk.run(Command::ForgetExpired(token)));
            }
            Step::Begin => drop(self.desk.begin()),
            Step::Complete => {
                let number = self.draw();
                drop(self.desk.complete(number));
            }
            Step::Bundle { domain } => drop(self.desk.bundle(if domain { "one.consul" } else { "two.consul" })),
            Step::Delete => {
                self.desk.run(Command::Delete).map_err(|refusal| refusal.to_string())?;
                self.note_the_end();
            }
            Step::FinishDelete => drop(self.desk.run(Command::FinishDelete)),
            Step::Terminate => {
                self.desk.run(Command::PeerTerminated { admitted_by: None }).map_err(|refusal| refusal.to_string())?;
                self.note_the_end();
            }
            Step::Wait { seconds } => self.desk.now += SignedDuration::from_secs(seconds.into()),
        }
        self.check(&before)
    }

    fn note_the_end(&mut self) {
        if self.desk.record.peering.as_ref().is_some_and(|peering| !peering.is_live()) {
            self.before_end = self.tokens.iter().chain(&self.streams).copied().collect();
        }
    }

    fn exchange(&mut self, establishment: u32, redeemer: Option<u8>) -> Result<(), String> {
        // The service derives the stream secret from the question, so the same question has the same candidate.
        let known = self.redeemed.get(&establishment).copied();
        let candidate = match known {
            Some((first, stream)) if redeemer.is_some() && first == redeemer => stream,
            _ => self.draw(),
        };
        let answer = self.desk.exchange(establishment, candidate, redeemer.map(|who| claim(who.into())));
        if answer.is_err() {
            return Ok(());
        }
        no_secret_from_before_the_end_is_accepted_after_it(&self.before_end, establishment)?;
        match known {
            None => {
                self.redeemed.insert(establishment, (redeemer, candidate));
                self.streams.push(candidate);
                Ok(())
            }
            Some(first) => a_token_has_one_redeemer_and_one_stream_secret(first, (redeemer, candidate)),
        }
    }

    fn check(&self, before: &Record) -> Result<(), String> {
        let after = &self.desk.record;
        states_move_only_as_the_table_allows(before, after)?;
        id_and_side_never_change(before, after)?;
        a_peering_under_deletion_keeps_no_secret(after)?;
        the_one_usable_token_is_the_newest_unused(after)?;
        a_redeemed_secret_is_never_kept_again(after, &self.redeemed)
    }
}

fn ensure(holds: bool, sentence: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(sentence.to_owned()) }
}

fn a_new_token_does_not_disturb_a_live_peering(before: &Record, after: &Record) -> Result<(), String> {
    let was_live = before.peering.as_ref().is_some_and(crate::peering::Peering::is_live);
    let kept = before.secrets.pending == after.secrets.pending
        && before.secrets.active == after.secrets.active
        && before.peering == after.peering;
    ensure(!was_live || kept, "a new token does not disturb a live peering")
}

fn no_secret_from_before_the_end_is_accepted_after_it(before_end: &[u32], accepted: u32) -> Result<(), String> {
    ensure(!before_end.contains(&accepted), "no secret from before a termination or deletion is accepted after it")
}

fn an_accepted_stream_secret_is_the_active_one(after: &Record, number: u32) -> Result<(), String> {
    ensure(after.secrets.active == Some(secret(number)), "an accepted stream secret is the active one")
}

fn a_token_has_one_redeemer_and_one_stream_secret(
    first: (Option<u8>, u32),
    again: (Option<u8>, u32),
) -> Result<(), String> {
    ensure(first == again && first.0.is_some(), "a token has one redeemer and yields one stream secret")
}

fn states_move_only_as_the_table_allows(before: &Record, after: &Record) -> Result<(), String> {
    let state = |record: &Record| record.peering.as_ref().map(|peering| peering.state);
    let allowed = match (state(before), state(after)) {
        (None, next) => next.is_none_or(|next| next == Stored::Pending),
        (Some(previous), None) => previous == Stored::Deleting,
        (Some(previous), Some(next)) => previous.may_become(next),
    };
    ensure(allowed, "states move only as the table allows")
}

fn id_and_side_never_change(before: &Record, after: &Record) -> Result<(), String> {
    let same = match (&before.peering, &after.peering) {
        (Some(before), Some(after)) => {
            before.local_id == after.local_id && before.dialed().is_some() == after.dialed().is_some()
        }
        _ => true,
    };
    ensure(same, "id and side never change while a record exists")
}

fn a_peering_under_deletion_keeps_no_secret(after: &Record) -> Result<(), String> {
    let deleting = after.peering.as_ref().is_none_or(|peering| peering.state == Stored::Deleting);
    ensure(!deleting || after.secrets.is_empty(), "a peering under deletion keeps no secret")
}

fn the_one_usable_token_is_the_newest_unused(after: &Record) -> Result<(), String> {
    let never = jiff::Timestamp::MIN;
    let unused: Vec<SecretHash> = after
        .tokens
        .values()
        .filter(|issued| issued.life.state_at(never) == TokenState::Unused)
        .map(|issued| issued.secret)
        .collect();
    let kept: Vec<SecretHash> = after.secrets.establishment.iter().map(|kept| kept.secret).collect();
    ensure(unused == kept, "exactly the token whose secret is kept is unused")
}

fn a_redeemed_secret_is_never_kept_again(
    after: &Record,
    redeemed: &BTreeMap<u32, (Option<u8>, u32)>,
) -> Result<(), String> {
    let kept = after.secrets.establishment.as_ref().map(|kept| kept.secret);
    ensure(!redeemed.keys().any(|number| kept == Some(secret(*number))), "a redeemed secret is never kept again")
}

#[test]
fn random_sequences_keep_every_invariant() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases: u32 = setting("PEERING_SEQUENCES").map_or(10_000, |cases: u64| u32::try_from(cases).unwrap());
    let seed: u64 = setting("PEERING_SEED").unwrap_or(0x7065_6572);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            world.step(step).map_err(|sentence| TestCaseError::fail(format!("step {at}: {sentence}")))?;
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("PEERING_SEED={seed} PEERING_SEQUENCES={cases}\n{failure}");
    }
    println!("{cases} sequences kept every invariant, PEERING_SEED={seed}");
}

#[test]
fn the_harness_reaches_every_kind_of_acceptance() {
    let mut world = World::new();
    let walk = [
        Step::Generate { ttl_seconds: None },
        Step::Exchange { which: 0, redeemer: Some(1) },
        Step::Exchange { which: 0, redeemer: Some(1) },
        Step::Open { which: 0 },
        Step::Terminate,
        Step::Generate { ttl_seconds: None },
        Step::Exchange { which: 0, redeemer: None },
        Step::Open { which: 0 },
    ];
    for step in &walk {
        world.step(step).unwrap();
    }
    assert_eq!(world.streams.len(), 2);
    assert_eq!(world.desk.record.secrets.active, Some(secret(world.streams[1])));
    assert!(matches!(world.desk.open(world.streams[0]), Err(Refusal::Stream)));
}
