//! Chance that a seed decides, so that a run can be tried again.

use peering_server::entropy::{Entropy, SeededEntropy, SystemEntropy};

/// Throws that follow from a seed.
#[derive(Debug)]
pub(super) struct Dice(SeededEntropy);

impl Dice {
    /// Draws a seed, unless the variable `PEERING_SEED` gives one, and prints it.
    pub(super) fn print_seed() -> u64 {
        let given = std::env::var("PEERING_SEED").ok().map(|text| text.parse().unwrap());
        let seed = given.unwrap_or_else(|| u64::from_be_bytes(SystemEntropy.bytes16()[..8].try_into().unwrap()));
        println!("seed {seed} (PEERING_SEED={seed} throws the same again; the timing stays the machine's)");
        seed
    }

    /// Starts the throws of a seed; each `lane` of one seed has its own.
    pub(super) const fn new(seed: u64, lane: u64) -> Self {
        Self(SeededEntropy::new(seed.wrapping_add(lane.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
    }

    /// Throws a number below `end`.
    pub(super) fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::from_be_bytes(bytes) % end
    }

    /// Picks one, if there is any.
    pub(super) fn pick<'a, T>(&self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }

    /// Draws 64 hexadecimal digits, as a dialer sends them along to be known again.
    pub(super) fn redemption(&self) -> String {
        [self.0.uuid(), self.0.uuid()].map(|part| part.simple().to_string()).concat()
    }
}
