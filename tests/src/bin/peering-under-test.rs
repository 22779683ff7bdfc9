//! The `peering` program under another name, so that a test always runs what was just built.

use std::process::ExitCode;

fn main() -> ExitCode {
    peering_cli::main()
}
