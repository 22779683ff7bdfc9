//! Every interleaving of a small world, explored: two dialers that both hold every token, one acceptor, a network that
//! loses, repeats and delays, crashes on all sides. What decides is `peering_core::secrets::apply` and what derives
//! secrets is the service's own functions, as in production.
//!
//! | File | Holds |
//! |---|---|
//! | `world` | a state: what is durable, what is in memory, what is on the network, what was promised |
//! | `moves` | what may happen next |
//! | `acceptor`, `dialer` | what each of them does then |
//! | `memory` | what need not be computed twice |
//! | `promises` | what outsiders may rely on, noted beside the records and by other rules than theirs |
//! | `rules` | what must hold in every state, and what must be possible |
//! | `broken` | rules that are wrong on purpose: the checker finds each of them out |

mod acceptor;
mod broken;
mod dialer;
mod memory;
mod moves;
mod promises;
mod rules;
mod world;

use std::thread::available_parallelism;

use stateright::{Checker, Model};

use moves::Exploration;
use world::{Bounds, Manners};

/// One token, everything that may become of it, and two requests that the acceptor works on at the same time.
const ONE_TOKEN: Bounds =
    Bounds { dialers: [Manners::Ours, Manners::Consul], tokens: 1, ends: 1, at_once: 2, waits: false };
/// Two tokens, of which one takes the place of the other.
const TWO_TOKENS: Bounds = Bounds { tokens: 2, ends: 0, at_once: 1, ..ONE_TOKEN };

/// Steps within which a peering was ended and made anew on both sides.
const FAR: usize = 20;

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Explores a world, the whole of it or what is so many steps away, and says how much there was.
fn explore(bounds: Bounds, steps: Option<usize>) {
    let exploration = Exploration::of(bounds);
    let met = exploration.met.clone();
    let checker = exploration.checker().threads(threads());
    let checker = if let Some(steps) = steps { checker.target_max_depth(steps) } else { checker };
    let checker = checker.spawn_bfs().join();
    checker.assert_properties();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{states} states up to {depth} steps, {met}: every rule holds ({bounds:?})");
    met.assert_all();
    assert!(states > 10_000, "the world is as large as it should be");
}

#[test]
fn every_interleaving_of_one_token_in_two_hands_keeps_every_rule() {
    explore(ONE_TOKEN, None);
}

#[test]
fn every_interleaving_of_two_tokens_in_two_hands_keeps_every_rule() {
    explore(TWO_TOKENS, None);
}

#[test]
#[ignore = "needs a minute"]
fn every_interleaving_of_larger_worlds_keeps_every_rule() {
    explore(Bounds { dialers: [Manners::Ours, Manners::Ours], ..ONE_TOKEN }, None);
    explore(Bounds { ends: 2, waits: true, at_once: 1, ..ONE_TOKEN }, None);
    explore(Bounds { ends: 1, ..TWO_TOKENS }, Some(FAR));
}
