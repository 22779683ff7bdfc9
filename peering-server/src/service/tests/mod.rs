//! The service alone: over stores that doubt, exchanges that lose answers, and clocks that are moved by hand.

mod bench;
mod doubtful_store;
mod every_commit;

mod access;
mod admitting;
mod auditing;
mod bounds;
mod issued;
mod keys_in_use;
mod losing_answers;
mod model;
mod outbox;
mod plaintext;
mod sweeping;
mod uncertain_commits;
