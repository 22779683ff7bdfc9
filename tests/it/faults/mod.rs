//! What the product survives: crashes, disks that keep what they promise, and connections that break.

mod crash;
mod cuts;
mod dice;
mod fsync;
