//! The `peering` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    peering_cli::main()
}
