//! How a server begins and ends: one line on standard output, the log on standard error, exit code 0 after a signal.

use peering_tests::process::{Process, Signal};
use peering_tests::redact::redact;
use peering_tests::site::private_directory;
use tempfile::TempDir;

use crate::under_test::program;

/// Starts a server on free ports, with a data directory of its own.
async fn server(more: &[&str]) -> (Process, TempDir) {
    let directory = private_directory();
    let data_dir = directory.path().display().to_string();
    #[rustfmt::skip]
    let words = ["server", "-acl", "off", "-data-dir", &data_dir, "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0"];
    let mut process = program().call(words.iter().chain(more)).start();
    process.line_with("ready").await;
    (process, directory)
}

#[tokio::test]
async fn a_server_says_in_one_line_that_it_is_ready_and_exits_with_0_after_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let (process, directory) = server(&[]).await;
        let socket = directory.path().join("api.sock");
        assert!(socket.exists());
        let ended = process.end(signal).await;
        let ready = format!(
            "peering server ready: datacenter dc1, http <address> unix://{}, peers <address>, advertised as <address>\n",
            socket.display()
        );
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert_eq!(redact(&ended.stdout), ready);
        assert!(!socket.exists(), "the socket goes with its server");
    }
}

#[tokio::test]
async fn the_log_goes_to_standard_error_in_the_format_that_was_asked_for() {
    let (process, _directory) = server(&["-log-format", "json"]).await;
    let ended = process.end(Signal::TERM).await;
    assert!(!ended.stderr.is_empty());
    for line in ended.stderr.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{line}");
    }

    let (process, _directory) = server(&["-log-level", "error"]).await;
    assert_eq!(process.end(Signal::TERM).await.stderr, "", "nothing failed, so nothing is logged");
}
