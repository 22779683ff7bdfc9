//! The program under test, as it was just built.

use std::env;
use std::path::Path;

use peering_tests::program::{Finished, Program};

/// Returns the program under test; a copy of it if `PEERING_UNDER_TEST` says where one is, for users who may not go to
/// where it was built.
pub(crate) fn program() -> Program {
    let copy = env::var_os("PEERING_UNDER_TEST");
    Program::at(copy.unwrap_or_else(|| env!("CARGO_BIN_EXE_peering-under-test").into()))
}

/// Starts a server that is not expected to stay, in a directory and with free ports.
pub(crate) async fn start_in(data_dir: &Path, more: &[&str]) -> Finished {
    let words = server_words(data_dir);
    let words = words.iter().map(String::as_str).chain(more.iter().copied());
    program().call(words).finish().await.marking(data_dir.display().to_string(), "<dir>")
}

/// Returns the words that start a server in a directory and with free ports.
pub(crate) fn server_words(data_dir: &Path) -> Vec<String> {
    let data_dir = data_dir.display().to_string();
    #[rustfmt::skip]
    let words = ["server", "-acl", "off", "-data-dir", &data_dir, "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0"];
    words.map(str::to_owned).to_vec()
}
