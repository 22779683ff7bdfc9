//! How much each row does: enough to be believed, or just enough to run.

use std::time::Duration;

/// Counts and times of all rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Tokens decoded and encoded in one round.
    pub(crate) tokens: usize,
    /// Rounds in which two things are measured in turn; the median counts.
    pub(crate) rounds: usize,
    /// Tokens generated in one round by many connections.
    pub(crate) generated: usize,
    /// Tokens generated in one round by one connection.
    pub(crate) generated_alone: usize,
    /// Peerings established in one round.
    pub(crate) established: usize,
    /// Peerings of the small and of the large fleet.
    pub(crate) fleets: [usize; 2],
    /// How long the large fleet is watched doing nothing.
    pub(crate) idle: Duration,
    /// Requests to each fleet, in turn.
    pub(crate) requests: usize,
    /// Starts of a program, in turn.
    pub(crate) starts: usize,
}

impl Sizes {
    /// For figures.
    pub(crate) const FULL: Self = Self {
        tokens: 20_000,
        rounds: 5,
        generated: 8_000,
        generated_alone: 1_000,
        established: 400,
        fleets: [1_000, 5_000],
        idle: Duration::from_secs(60),
        requests: 40,
        starts: 60,
    };

    /// To see that every row runs.
    pub(crate) const QUICK: Self = Self {
        tokens: 200,
        rounds: 1,
        generated: 256,
        generated_alone: 20,
        established: 32,
        fleets: [16, 64],
        idle: Duration::from_secs(1),
        requests: 3,
        starts: 3,
    };
}
