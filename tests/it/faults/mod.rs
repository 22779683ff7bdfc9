//! What the product survives: crashes, disks that keep what they promise, and connections that break.

mod crash;
mod dice;
mod fsync;
