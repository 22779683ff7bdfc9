//! The `peering` program.
fn main() {}
