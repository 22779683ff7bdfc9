//! Runs the examples, so that what they show stays true.

#[path = "../examples/embedded.rs"]
mod embedded;

#[test]
fn a_server_runs_inside_a_program_of_ones_own_and_ends_with_it() {
    embedded::main().unwrap();
}
