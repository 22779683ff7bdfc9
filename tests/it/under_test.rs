//! The program under test, as it was just built.

use peering_tests::program::Program;

/// Returns the program under test.
pub(crate) fn program() -> Program {
    Program::at(env!("CARGO_BIN_EXE_peering-under-test"))
}
