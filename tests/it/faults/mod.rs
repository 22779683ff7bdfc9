//! What the product survives: crashes, disks that keep what they promise, and connections that break.

mod clock;
mod crash;
mod cuts;
mod dice;
mod disk;
mod fsync;
mod full_disk;
mod lost_answers;
mod reader;
mod samples;
