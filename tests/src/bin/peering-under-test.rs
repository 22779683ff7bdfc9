//! Same entry point.
fn main() {}
