//! Programs that people use today, as far as a server sees them.

mod go;
mod kubernetes;
mod terraform;
