//! Child processes: this very program in another role, so that what is measured was built together.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Names the role of a process; without it, it measures.
const ROLE: &str = "PEERING_BENCH_ROLE";
/// Longest wait for the line that says "ready", and for the end after a signal.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a process of this program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Measures.
    Bench,
    /// Is the product.
    Product,
    /// Echoes gRPC streams over TLS and does nothing else.
    BareStream,
    /// Answers every HTTP request with nothing.
    BareHttp,
}

impl Role {
    const NAMED: [(Self, &'static str); 3] =
        [(Self::Product, "product"), (Self::BareStream, "bare-stream"), (Self::BareHttp, "bare-http")];

    /// Returns the role that the parent gave.
    pub(crate) fn of_this_process() -> Self {
        let given = std::env::var(ROLE).unwrap_or_default();
        Self::NAMED.iter().find(|(_, name)| *name == given).map_or(Self::Bench, |(role, _)| *role)
    }

    fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    /// Prepares a process in this role.
    pub(crate) fn command(self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear().env(ROLE, self.name()).kill_on_drop(true);
        Ok(command)
    }
}

/// A running child that has said that it is ready.
pub(crate) struct Running {
    child: Child,
    /// Kept open: a child that prints must not be told that nobody listens.
    _stdout: Lines<BufReader<ChildStdout>>,
    /// The line that said so.
    pub(crate) line: String,
    /// How long that took.
    pub(crate) ready_after: Duration,
}

impl Running {
    /// Starts a child and waits for its line with `ready`. What it logs goes to a file.
    pub(crate) async fn start(
        role: Role,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: &Path,
    ) -> Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let begun = Instant::now();
        let mut child = role.command()?.args(words).stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = child.stdout.take().context("a child without standard output")?;
        let mut stdout = BufReader::new(stdout).lines();
        loop {
            match timeout(PATIENCE, stdout.next_line()).await.context("a child did not become ready")?? {
                Some(line) if line.contains("ready") => {
                    return Ok(Self { child, _stdout: stdout, line, ready_after: begun.elapsed() });
                }
                Some(_) => {}
                None => bail!("a child ended before it was ready: {:?}", child.wait().await?),
            }
        }
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("the child has ended")
    }

    /// Ends the child by SIGTERM and waits until it has ended.
    pub(crate) async fn stop(&mut self) -> Result<ExitStatus> {
        let id = Pid::from_raw(self.id()?.cast_signed()).context("no process id")?;
        kill_process(id, Signal::TERM)?;
        Ok(timeout(PATIENCE, self.child.wait()).await.context("a child did not end")??)
    }
}
