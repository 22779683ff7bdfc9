//! The audit trail on a standard output that nobody reads: whether the reader is gone or only stopped, the file has every
//! line, the server serves, and the log says so once.

use std::fs;
use std::io::{PipeReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use peering_tests::eventually::eventually;
use peering_tests::http::Http;
use peering_tests::process::{Process, Signal};
use peering_tests::site::private_directory;
use serde_json::json;
use tempfile::TempDir;

use crate::under_test::{program, server_words};

/// More than a pipe takes, which is 64 KiB on Linux.
const MORE_THAN_A_PIPE: u64 = 100_000;
/// What the log says of it.
const TOLD: &str = "the audit trail goes on in its file, and its lines wait for standard output";

/// A server whose audit trail goes to its file and to a pipe in the test's hands.
struct Printing {
    process: Process,
    http: Http,
    log: PathBuf,
    directory: TempDir,
}

impl Printing {
    /// Starts one; returns with it the pipe, which nobody has read yet.
    async fn start() -> (Self, PipeReader) {
        let directory = private_directory();
        let log = directory.path().join("audit.log");
        let (printed, stdout) = std::io::pipe().unwrap();
        let flags = ["-audit-log".to_owned(), "stdout".to_owned(), "-audit-log".to_owned(), log.display().to_string()];
        let words = server_words(&directory.path().join("data")).into_iter().chain(flags);
        let process = program().call(words).start_printing_to(stdout);
        let ready = eventually(Duration::from_secs(10), async || {
            let told = process.stderr();
            let ready = told.lines().find(|line| line.starts_with("peering server ready: ")).map(str::to_owned);
            ready.ok_or(told)
        })
        .await;
        let http =
            ready.split(", ").find_map(|part| part.strip_prefix("http ")).and_then(|part| part.split(' ').next());
        let http = http.unwrap_or_else(|| panic!("no address in {ready:?}"));
        (Self { http: Http::new(http.parse().unwrap()), process, log, directory }, printed)
    }

    async fn generate(&self) {
        let answer = self.http.post("/v1/peering/token", json!({"PeerName": "west"}).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Waits until the log has told of it, and fails if it tells twice.
    async fn tells_once(&self) {
        eventually(Duration::from_secs(10), async || {
            let log = self.process.stderr();
            if log.contains(TOLD) { Ok(()) } else { Err(log) }
        })
        .await;
        let log = self.process.stderr();
        assert_eq!(log.matches(TOLD).count(), 1, "{log}");
    }

    /// Waits until the file tells of so many tokens.
    async fn has_lines_of(&self, tokens: usize) {
        eventually(Duration::from_secs(10), async || {
            let text = fs::read_to_string(&self.log).unwrap();
            let told = text.matches("\"event\":\"token_generated\"").count();
            if told == tokens { Ok(()) } else { Err(format!("{told} of {tokens}\n{text}")) }
        })
        .await;
    }

    /// Ends the server in good order; its file is whole and signed to the end.
    async fn ends_well(self) -> String {
        let ended = self.process.end(Signal::TERM).await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert_eq!(ended.stderr.matches(TOLD).count(), 1, "{ended:?}");
        let keyring = self.directory.path().join("data/keyring").display().to_string();
        let key = program().run(&["audit", "key", "-keyring", &keyring]).await.success();
        let key_file = self.directory.path().join("key.pem");
        fs::write(&key_file, key).unwrap();
        let words = ["audit", "verify", "-from", "1", "-key", text(&key_file), text(&self.log)];
        let page = program().run(&words).await.success();
        assert!(page.contains("Chain:        whole\n") && !page.contains("Not signed"), "{page}");
        fs::read_to_string(&self.log).unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_reader_of_standard_output_that_is_gone_costs_the_file_nothing() {
    let (server, printed) = Printing::start().await;
    drop(printed);
    server.generate().await;
    server.has_lines_of(1).await;
    server.tells_once().await;
    server.generate().await;
    server.has_lines_of(2).await;
    server.tells_once().await;
    server.ends_well().await;
}

#[tokio::test]
async fn a_reader_of_standard_output_that_stops_costs_the_file_nothing_and_holds_no_end_up() {
    let (server, mut printed) = Printing::start().await;
    let mut tokens = 0;
    while fs::metadata(&server.log).unwrap().len() < MORE_THAN_A_PIPE {
        server.generate().await;
        tokens += 1;
    }
    server.tells_once().await;
    server.generate().await;
    server.has_lines_of(tokens + 1).await;
    let file = server.ends_well().await;
    // What was printed is what the file begins with.
    let mut text = String::new();
    printed.read_to_string(&mut text).unwrap();
    assert!(text.len() > 1_000 && text.len() < file.len(), "{} of {}", text.len(), file.len());
    assert!(file.starts_with(&text), "{text}");
}
