//! Random troubles, each run from a seed, against rules that hold whatever happens.

use super::*;
use crate::peerstream::HEARTBEAT_TIMEOUT;

/// Seeds per run of the tests; each is a whole story of many minutes.
const STORIES: u64 = 2_000;

type Rule = fn(&Pair) -> Result<(), String>;

const RULES: [Rule; 5] = [
    a_side_does_not_outlive_the_other_by_more_than_a_timeout,
    a_good_end_comes_only_with_terminated,
    terminated_is_sent_at_most_once,
    nonces_strictly_increase,
    answers_follow_the_order_of_arrival,
];

fn a_side_does_not_outlive_the_other_by_more_than_a_timeout(pair: &Pair) -> Result<(), String> {
    let ends = [pair.dialer.outcome(), pair.acceptor.outcome()].map(|outcome| outcome.map(|(when, _)| when));
    let slack = HEARTBEAT_TIMEOUT + Duration::from_secs(2);
    match ends {
        [Some(one), Some(other)] if one.abs_diff(other) > slack => Err(format!("ended at {one:?} and {other:?}")),
        [Some(when), None] | [None, Some(when)] if pair.elapsed() > when + slack => {
            Err(format!("one side ended at {when:?}, the other still runs at {:?}", pair.elapsed()))
        }
        _ => Ok(()),
    }
}

fn a_good_end_comes_only_with_terminated(pair: &Pair) -> Result<(), String> {
    for end in [&pair.dialer, &pair.acceptor] {
        let is_good = matches!(end.outcome(), Some((_, Ok(()))));
        let has_sent = end.sent.iter().any(|(_, frame)| *frame == Frame::Terminated);
        if is_good && !has_sent && !end.was_told_of_the_end() {
            return Err("a stream ended well although nobody ended the peering".into());
        }
    }
    Ok(())
}

fn terminated_is_sent_at_most_once(pair: &Pair) -> Result<(), String> {
    for end in [&pair.dialer, &pair.acceptor] {
        let count = end.sent.iter().filter(|(_, frame)| *frame == Frame::Terminated).count();
        if count > 1 {
            return Err(format!("terminated was sent {count} times"));
        }
    }
    Ok(())
}

fn nonces_strictly_increase(pair: &Pair) -> Result<(), String> {
    for end in [&pair.dialer, &pair.acceptor] {
        let nonces: Vec<_> = end.responses_sent().iter().map(|response| response.nonce.clone()).collect();
        if !nonces.is_sorted_by(|a, b| a < b) {
            return Err(format!("nonces went {nonces:?}"));
        }
    }
    Ok(())
}

fn answers_follow_the_order_of_arrival(pair: &Pair) -> Result<(), String> {
    for end in [&pair.dialer, &pair.acceptor] {
        let arrived: Vec<_> = end
            .received
            .iter()
            .filter_map(|(_, frame)| match frame {
                Frame::Response(response) => Some(response.nonce.as_str()),
                _ => None,
            })
            .collect();
        if !arrived.starts_with(&end.answered()) {
            return Err(format!("{arrived:?} were answered as {:?}", end.answered()));
        }
    }
    Ok(())
}

/// Runs one story of up to an hour and returns it.
fn story(seed: u64) -> Pair {
    let mut dice = Dice(seed);
    let mut pair = Pair::new(Duration::from_millis(dice.below(500)), dice.roll());
    for side in SIDES {
        pair.end(side).store_delay = Duration::from_millis([0, 1, 300, 5_000][dice.below(4) as usize]);
    }
    if dice.chance(0.2) {
        let terminated = dice.chance(0.5);
        pair.acceptor.answer = Answer::Refused { refusal: Refusal::peering_deleted("a-id"), terminated };
    }
    for _ in 0..1 + dice.below(12) {
        let side = SIDES[dice.below(2) as usize];
        match dice.below(12) {
            0 => pair.cut(),
            1 => pair.delete(side),
            2 => SIDES.into_iter().for_each(|side| pair.delete(side)),
            3 => pair.acceptor.session.replace(),
            4 => pair.end(side).session.end(Refusal::shutting_down()),
            5 => pair.pipe_from(side).loss = Loss::All,
            6 => pair.pipe_from(side).loss = Loss::Heartbeats,
            7 => pair.pipe_from(side).loss = Loss::Share(0.3),
            8 => pair.pipe_from(side).loss = Loss::None,
            _ => {
                let domain = format!("domain {}", dice.below(3));
                pair.end(side).session.offer(offer_of(&domain));
            }
        }
        pair.run(Duration::from_millis(dice.below(200_000)));
    }
    pair.run(Duration::from_secs(600));
    pair
}

#[test]
fn every_rule_holds_through_random_troubles() {
    for seed in 0..STORIES {
        let pair = story(seed);
        for rule in RULES {
            if let Err(broken) = rule(&pair) {
                panic!("seed {seed}: {broken}\ndialer {:#?}\nacceptor {:#?}", pair.dialer.log, pair.acceptor.log);
            }
        }
    }
}

#[test]
fn the_stories_reach_every_kind_of_ending() {
    let mut endings = std::collections::BTreeMap::new();
    for seed in 0..STORIES {
        let pair = story(seed);
        let code = |end: &End| match end.outcome() {
            None => "running".to_owned(),
            Some((_, Ok(()))) => "well".to_owned(),
            Some((_, Err(refusal))) => format!("code {}", refusal.code.number()),
        };
        *endings.entry(code(&pair.dialer)).or_insert(0) += 1;
    }
    for kind in ["running", "well", "code 2", "code 3", "code 10", "code 14"] {
        assert!(endings.get(kind).is_some_and(|count| *count >= 5), "{kind}: {endings:?}");
    }
}
