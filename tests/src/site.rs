//! A cluster of one server: its data directory, and the process that has it open, which can be ended and started anew.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use peering_core::api::v1::Peering;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::eventually::eventually;
use crate::process::{Ended, Process, Signal};
use crate::program::{Finished, Program};

/// Longest time from a restart until both sides are ACTIVE again.
pub const HEALED_WITHIN: Duration = Duration::from_secs(15);

/// A cluster of one server with a data directory. What it listens on is its own as long as it lives, also while the
/// server is down.
pub struct Site {
    program: Program,
    directory: TempDir,
    datacenter: &'static str,
    log_level: &'static str,
    peer_address: SocketAddr,
    running: Option<Running>,
    past_log: String,
}

struct Running {
    process: Process,
    http: String,
}

impl Site {
    /// Starts a server with a new data directory, free ports, and everything in its log.
    pub async fn start(program: &Program, datacenter: &'static str) -> Self {
        Self::start_logging(program, datacenter, "trace").await
    }

    /// As [`start`](Self::start), with a log of this level.
    pub async fn start_logging(program: &Program, datacenter: &'static str, log_level: &'static str) -> Self {
        let mut site = Self::prepare(program, datacenter, log_level);
        site.restart().await;
        site
    }

    /// Makes the place of a server that was never started.
    #[must_use]
    pub fn prepare(program: &Program, datacenter: &'static str, log_level: &'static str) -> Self {
        Self {
            program: program.clone(),
            directory: private_directory(),
            datacenter,
            log_level,
            peer_address: SocketAddr::from((own_loopback(), 0)),
            running: None,
            past_log: String::new(),
        }
    }

    /// Starts the server again, at the same address for its peers.
    ///
    /// # Panics
    /// If it still runs, or does not become ready.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// As [`restart`](Self::restart), with more flags. Returns the line that says that it is ready.
    ///
    /// # Panics
    /// If it still runs, or does not become ready.
    pub async fn restart_with(&mut self, flags: &[&str]) -> String {
        assert!(self.running.is_none(), "it still runs");
        let words = self.words().into_iter().chain(flags.iter().map(|flag| (*flag).to_owned()));
        let mut process = self.program.call(words).start();
        let line = process.line_with("peering server ready").await;
        let part = |name: &str| {
            let part = line.split(", ").find_map(|part| part.strip_prefix(name));
            part.unwrap_or_else(|| panic!("no {name:?} in {line:?}"))
        };
        self.peer_address = part("peers ").parse().unwrap();
        let http = part("http ").split(' ').next().unwrap().to_owned();
        self.running = Some(Running { process, http });
        line
    }

    /// Starts the server and kills it this much later, wherever its start has got to.
    ///
    /// # Panics
    /// If it still runs, or ends by itself.
    pub async fn start_and_kill(&mut self, after: Duration) {
        assert!(self.running.is_none(), "it still runs");
        let process = self.program.call(self.words()).start();
        sleep(after).await;
        let ended = process.end(Signal::KILL).await;
        assert_eq!(ended.status.signal(), Some(Signal::KILL.as_raw()), "{ended:?}");
        self.past_log += &ended.stderr;
    }

    /// Returns the words with which the server is started.
    fn words(&self) -> Vec<String> {
        let peer_address = self.peer_address.to_string();
        let advertised = self.peer_address.ip().to_string();
        let data_dir = self.data_dir().display().to_string();
        #[rustfmt::skip]
        let words = [
            "server", "-acl", "off", "-datacenter", self.datacenter, "-data-dir", &data_dir,
            "-http-addr", "127.0.0.1:0", "-peer-addr", &peer_address, "-advertise", &advertised,
            "-log-level", self.log_level,
        ];
        words.map(str::to_owned).to_vec()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server is down")
    }

    /// Ends the server by a signal.
    ///
    /// # Panics
    /// If it is down, or does not end as the signal asks for: SIGTERM with exit code 0, SIGKILL at once.
    pub async fn stop(&mut self, signal: Signal) -> Ended {
        let ended = self.running.take().expect("the server is down").process.end(signal).await;
        let expected = if signal == Signal::KILL { None } else { Some(0) };
        assert_eq!(ended.status.code(), expected, "{ended:?}");
        self.past_log += &ended.stderr;
        ended
    }

    /// Returns where store, keyring and socket are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the address of the HTTP API of the running server.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.running().http
    }

    /// Returns where peers reach it.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Returns the process id of the running server.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.running().process.id()
    }

    /// Returns all that its servers have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let now = self.running.as_ref().map(|running| running.process.stderr()).unwrap_or_default();
        self.past_log.clone() + &now
    }

    /// Runs a verb against this cluster.
    pub async fn ask(&self, words: &[&str]) -> Finished {
        self.ask_with_input(words, "").await
    }

    /// Runs a verb against this cluster with a text on standard input.
    pub async fn ask_with_input(&self, words: &[&str], input: &str) -> Finished {
        let words = words.iter().copied().chain(["-http-addr", self.http()]);
        self.program.call(words).stdin(input).finish().await
    }

    /// Generates a token for a peer of this name.
    pub async fn generate_token(&self, name: &str) -> String {
        self.ask(&["generate-token", "-name", name]).await.success().trim_end().to_owned()
    }

    /// Uses a token under this name.
    pub async fn establish(&self, name: &str, token: &str) -> Finished {
        self.ask_with_input(&["establish", "-name", name, "-peering-token-file", "-"], token).await
    }

    /// Reads a peering, which may not be there.
    pub async fn read(&self, name: &str) -> Option<Peering> {
        let finished = self.ask(&["read", "-name", name, "-format", "json"]).await;
        if finished.stderr == format!("No peering with name {name} found.\n") {
            return None;
        }
        Some(serde_json::from_str(&finished.success()).unwrap())
    }

    /// Returns the state of a peering, or `absent`.
    pub async fn state(&self, name: &str) -> String {
        self.read(name).await.map_or_else(|| "absent".to_owned(), |peering| peering.state)
    }

    /// Waits until a peering is in this state, at most [`HEALED_WITHIN`].
    pub async fn reaches(&self, name: &str, state: &str) {
        eventually(HEALED_WITHIN, async || {
            let found = self.state(name).await;
            if found == state { Ok(()) } else { Err(format!("{name} is {found}, expected {state}")) }
        })
        .await;
    }
}

/// Makes a directory that only its owner can enter, as data directories and sockets need.
///
/// # Panics
/// If the system does not give one.
#[must_use]
pub fn private_directory() -> TempDir {
    tempfile::Builder::new().prefix("peering-test-").permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// Returns a loopback address that no other test uses now, so that a port of it stays free while a server is down.
#[must_use]
pub fn own_loopback() -> Ipv4Addr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    // The lower half is left to people and to programs that count from 127.0.0.1.
    Ipv4Addr::new(127, 128 | high, low, COUNT.fetch_add(1, Ordering::Relaxed))
}
