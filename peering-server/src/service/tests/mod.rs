//! The service alone: over stores that doubt, exchanges that lose answers, and clocks that are moved by hand.

mod bench;
mod doubtful_store;

mod admitting;
mod losing_answers;
mod outbox;
mod plaintext;
mod sweeping;
mod uncertain_commits;
