//! The examples of the crates, run as their readers would run them.

#[path = "../../peering-server/examples/embedded.rs"]
mod embedded;
#[path = "../../peering-core/examples/token.rs"]
mod token;

#[test]
fn a_server_runs_inside_another_program() {
    embedded::main().unwrap();
}

#[test]
fn a_token_is_made_and_read() {
    token::main().unwrap();
}
