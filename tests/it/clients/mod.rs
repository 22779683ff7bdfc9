//! Programs that people use today, as far as a server sees them.

mod kubernetes;
mod terraform;
