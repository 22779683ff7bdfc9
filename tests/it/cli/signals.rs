//! How a server begins and ends: one line on standard output, the log on standard error, exit code 0 after a signal.

use std::time::Duration;

use peering_tests::eventually::eventually;
use peering_tests::process::{Process, Signal};
use peering_tests::redact::redact;
use peering_tests::site::private_directory;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::under_test::program;

/// Starts a server on free ports, with a data directory of its own, and waits until it is ready.
async fn server(more: &[&str]) -> (Process, TempDir) {
    let (mut process, directory) = starting(more);
    process.line_with("ready").await;
    (process, directory)
}

fn starting(more: &[&str]) -> (Process, TempDir) {
    let directory = private_directory();
    let data_dir = directory.path().display().to_string();
    #[rustfmt::skip]
    let words = ["server", "-acl", "off", "-data-dir", &data_dir, "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0"];
    (program().call(words.iter().chain(more)).start(), directory)
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

#[tokio::test]
async fn the_audit_trail_goes_to_a_file_and_to_standard_output_which_holds_nothing_else_then() {
    let home = private_directory();
    let log = home.path().join("trail.log");
    let path = log.display().to_string();
    let (process, directory) = starting(&["-audit-log", "stdout", "-audit-log", &path]);
    eventually(Duration::from_secs(10), async || {
        let told = process.stderr();
        if told.contains("peering server ready: ") { Ok(()) } else { Err(told) }
    })
    .await;
    let ended = process.end(Signal::TERM).await;
    let lines = ended.stdout;
    assert_eq!(lines, std::fs::read_to_string(&log).unwrap());
    let key = home.path().join("key.pem");
    let keyring = directory.path().join("keyring").display().to_string();
    std::fs::write(&key, program().run(&["audit", "key", "-keyring", &keyring]).await.success()).unwrap();
    let printed = home.path().join("printed");
    std::fs::write(&printed, &lines).unwrap();
    let words = ["audit", "verify", "-key", key.to_str().unwrap(), printed.to_str().unwrap()];
    assert!(program().run(&words).await.success().contains("Chain:        whole\n"));
    let events: Vec<&str> =
        lines.lines().filter_map(|line| line.split("\"event\":\"").nth(1)?.split('"').next()).collect();
    assert_eq!(events, ["trail_begun", "started", "checkpoint"]);
    assert!(!directory.path().join("audit.log").exists(), "nothing goes where nobody asked for it");
}

#[tokio::test]
async fn a_hang_up_after_a_move_signs_the_old_audit_log_off_and_begins_a_new_one() {
    let (process, directory) = server(&[]).await;
    let [log, moved] = ["audit.log", "audit.log.1"].map(|name| directory.path().join(name));
    let written = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    eventually(
        Duration::from_secs(10),
        async || {
            if written(&log).contains("started") { Ok(()) } else { Err(written(&log)) }
        },
    )
    .await;
    std::fs::rename(&log, &moved).unwrap();
    process.signal(Signal::HUP);
    eventually(Duration::from_secs(10), async || {
        let is_over =
            log.exists() && written(&moved).lines().last().is_some_and(|line| line.contains("\"checkpoint\""));
        if is_over { Ok(()) } else { Err(written(&moved)) }
    })
    .await;
    process.end(Signal::TERM).await;
    let [keyring, log, moved] = [directory.path().join("keyring"), log, moved].map(|path| path.display().to_string());
    let key = directory.path().join("key.pem");
    std::fs::write(&key, program().run(&["audit", "key", "-keyring", &keyring]).await.success()).unwrap();
    // In any order: each file says where it belongs.
    let words = ["audit", "verify", "-key", key.to_str().unwrap(), &log, &moved];
    assert!(program().run(&words).await.success().contains("Chain:        whole\n"));
}

/// Sends SIGHUP and waits until this is in the log for so many times.
async fn hang_up(process: &Process, text: &str, times: usize) {
    process.signal(Signal::HUP);
    eventually(Duration::from_secs(10), async || {
        let log = process.stderr();
        if log.matches(text).count() == times { Ok(()) } else { Err(log) }
    })
    .await;
}

#[tokio::test]
async fn a_hang_up_reloads_the_log_level_and_names_what_needs_a_restart() {
    let home = private_directory();
    let file = home.path().join("peering.toml");
    let path = file.display().to_string();
    std::fs::write(&file, "log_level = \"error\"\n").unwrap();
    let (process, _directory) = server(&["-config-file", &path]).await;
    assert_eq!(process.stderr(), "");
    std::fs::write(&file, "log_level = \"debug\"\nallow_plaintext = true\n").unwrap();
    hang_up(&process, "SIGHUP: certificates, log level, limits and the life of tokens were reloaded", 1).await;
    hang_up(&process, "these settings changed too and need a restart", 2).await;
    assert!(process.stderr().contains("allow-plaintext"), "{}", process.stderr());
    std::fs::write(&file, "log_level = \"loud\"\nhttp_max_connections = 0\n").unwrap();
    hang_up(&process, "SIGHUP: the settings are wrong, nothing was reloaded", 1).await;
    let log = process.stderr();
    for key in ["log_level", "http_max_connections"] {
        assert!(log.contains(&format!("{key} in {path}: expected ")), "{log}");
    }
    std::fs::remove_file(&file).unwrap();
    hang_up(&process, "peering.toml cannot be read: No such file or directory", 1).await;
    assert_eq!(process.end(Signal::TERM).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_hang_up_moves_the_bound_on_connections() {
    let home = private_directory();
    let file = home.path().join("peering.toml");
    let path = file.display().to_string();
    std::fs::write(&file, "http_max_connections = 1\n").unwrap();
    let (mut process, _directory) = server(&["-config-file", &path]).await;
    let ready = process.line_with("ready").await;
    let address = ready.split("http ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    let asked = async |stream: &mut TcpStream| {
        let request = "GET /v1/status/leader HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let _ = stream.write_all(request.as_bytes()).await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.map(|_| String::from_utf8_lossy(&first).into_owned())
    };
    let mut held = TcpStream::connect(&address).await.unwrap();
    assert_eq!(asked(&mut held).await.unwrap(), "HTTP/1.1 200");
    assert!(asked(&mut TcpStream::connect(&address).await.unwrap()).await.is_err(), "one place, and it is taken");
    std::fs::write(&file, "http_max_connections = 2\n").unwrap();
    hang_up(&process, "limits and the life of tokens were reloaded", 1).await;
    assert_eq!(asked(&mut TcpStream::connect(&address).await.unwrap()).await.unwrap(), "HTTP/1.1 200");
    process.end(Signal::TERM).await;
}

#[tokio::test]
async fn a_hang_up_moves_the_longest_life_of_tokens() {
    let home = private_directory();
    let file = home.path().join("peering.toml");
    let path = file.display().to_string();
    std::fs::write(&file, "token_ttl_max = \"1h\"\n").unwrap();
    let (mut process, _directory) = server(&["-config-file", &path]).await;
    let ready = process.line_with("ready").await;
    let address = ready.split("http ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    let program = program();
    let words = ["generate-token", "-name", "west", "-ttl", "90m", "-http-addr", &address];
    program.run(&words).await.expect(
        1,
        "",
        "Error generating peering token for west: Unexpected response code: 400 (TTL: 1h30m0s is longer than 1h0m0s, the \
         most that this server allows (-token-ttl-max))\n",
    );
    std::fs::write(&file, "token_ttl_max = \"2h\"\n").unwrap();
    hang_up(&process, "the life of tokens were reloaded", 1).await;
    program.run(&words).await.success();
    process.end(Signal::TERM).await;
}
