//! Crashes, disks and cuts.

mod clock;
mod disk;
mod samples;
