//! Rules that are wrong on purpose: a checker that cannot fail proves nothing.

use jiff::Timestamp;
use peering_core::secrets::{Command, ExchangeSecret, Record, RedemptionClaim, Refusal, apply};
use peering_core::transition::Transition;
use stateright::{Checker, HasDiscoveries, Model};

use super::moves::{Apply, Exploration};
use super::world::Bounds;
use super::{ONE_TOKEN, TWO_TOKENS, threads};

/// Returns the rules of which the checker finds a violation, the shortest first.
fn found(exploration: Exploration) -> Vec<&'static str> {
    let checker = exploration.checker().threads(threads()).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found = checker.discoveries();
    let failures =
        found.iter().filter(|(name, _)| checker.discovery_classification(name).to_string() == "counterexample");
    let found: Vec<_> = failures.map(|(name, path)| (*name, path.clone().into_actions())).collect();
    for (name, actions) in &found {
        println!("not so: {name}: {actions:?}");
    }
    found.into_iter().map(|(name, _)| name).collect()
}

fn with(apply: Apply, bounds: Bounds) -> Exploration {
    Exploration { apply, ..Exploration::of(bounds) }
}

/// Keeps the establishment secret after its use.
fn forgets_what_is_spent(record: &Record, command: Command, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    let is_exchange = matches!(command, Command::ExchangeSecret(_));
    let mut transition = apply(record, command, now)?;
    if is_exchange {
        transition.next.secrets.establishment.clone_from(&record.secrets.establishment);
        transition.next.tokens.clone_from(&record.tokens);
    }
    Ok(transition)
}

#[test]
fn an_exchange_that_spends_nothing_is_found_out() {
    let found = found(with(forgets_what_is_spent, ONE_TOKEN));
    assert!(!found.is_empty(), "{found:?}");
}

/// Lets whoever knows the establishment secret ask again.
fn asks_nobody_who_they_are(record: &Record, command: Command, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    let pending = record.secrets.pending.as_ref();
    let command = match (command, pending) {
        (Command::ExchangeSecret(ask), Some(pending)) if pending.spent == ask.establishment => {
            let redemption: Option<RedemptionClaim> = pending.redemption.clone();
            Command::ExchangeSecret(ExchangeSecret { candidate: pending.secret, redemption, ..ask })
        }
        (command, _) => command,
    };
    apply(record, command, now)
}

#[test]
fn an_answer_that_is_repeated_to_anybody_is_found_out() {
    let found = found(with(asks_nobody_who_they_are, ONE_TOKEN));
    assert!(!found.is_empty(), "{found:?}");
}

/// Goes on with the secrets of a peering that its dialer ended.
fn forgives_an_end(record: &Record, command: Command, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    let is_generate = matches!(command, Command::GenerateToken(_));
    let mut transition = apply(record, command, now)?;
    if is_generate {
        transition.next.secrets.active = record.secrets.active;
        transition.next.secrets.pending.clone_from(&record.secrets.pending);
    }
    Ok(transition)
}

#[test]
fn secrets_that_outlive_an_end_are_found_out() {
    let found = found(with(forgives_an_end, Bounds { ends: 1, ..TWO_TOKENS }));
    assert!(found.contains(&"no secret from before an end is accepted after it"), "{found:?}");
}

#[test]
fn commits_that_do_not_look_at_what_was_read_are_found_out() {
    let found = found(Exploration { has_preconditions: false, ..Exploration::of(ONE_TOKEN) });
    assert!(!found.is_empty(), "{found:?}");
}

#[test]
fn a_world_in_which_nothing_can_happen_is_not_taken_for_a_good_one() {
    let checker = Exploration::of(Bounds { tokens: 0, ..ONE_TOKEN }).checker().spawn_bfs().join();
    assert!(checker.discovery("the first dialer gets to ACTIVE").is_none());
}
