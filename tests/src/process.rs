//! A process of the program under test that runs until a signal ends it; killed when it is dropped.

use std::fmt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::eventually::eventually;

pub use rustix::process::Signal;

/// Longest time from a signal to the end: a server allows itself less for its last streams.
const END_MAX: Duration = Duration::from_secs(30);
/// Longest time from the start to the first line.
const START_MAX: Duration = Duration::from_secs(30);

/// A running process and everything that it has printed so far.
pub struct Process {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

/// Lines that a task reads from a pipe.
struct Captured {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Captured {
    fn of(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let written = Arc::clone(&text);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                let mut text = written.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    async fn whole(mut self) -> String {
        (&mut self.reader).await.unwrap();
        self.so_far()
    }
}

impl Process {
    /// Captures what a child prints; its standard output may be elsewhere.
    pub(crate) fn of(mut child: Child) -> Self {
        let stdout = child.stdout.take().map_or_else(|| Captured::of(tokio::io::empty()), Captured::of);
        let stderr = Captured::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Returns the process id.
    ///
    /// # Panics
    /// If the process has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Returns standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// Returns standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until a line of standard output contains this text, and returns the line.
    ///
    /// # Panics
    /// If the process ends without, or it takes too long.
    pub async fn line_with(&mut self, text: &str) -> String {
        let Self { child, stdout, stderr } = self;
        eventually(START_MAX, async || {
            // Asked first, so that what an ended process has printed is looked at once more.
            let ended = child.try_wait().unwrap();
            if let Some(line) = stdout.so_far().lines().find(|line| line.contains(text)) {
                return Ok(line.to_owned());
            }
            let errors = stderr.so_far();
            assert!(ended.is_none(), "ended with {ended:?} before it printed {text:?}\n{errors}");
            Err(format!("no line with {text:?}\n{errors}"))
        })
        .await
    }

    /// Waits until the process ends by itself, and returns how and what it wrote on standard error. Safe to drop half-way.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn ended(&mut self) -> (ExitStatus, String) {
        let status = timeout(END_MAX, self.child.wait()).await.unwrap_or_else(|_| panic!("does not end\n{self:?}"));
        (&mut self.stderr.reader).await.unwrap();
        (status.unwrap(), self.stderr())
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Panics
    /// If the process does not end in time.
    pub async fn end(mut self, signal: Signal) -> Ended {
        self.signal(signal);
        match timeout(END_MAX, self.child.wait()).await {
            Ok(status) => {
                Ended { status: status.unwrap(), stdout: self.stdout.whole().await, stderr: self.stderr.whole().await }
            }
            Err(_) => panic!("still runs {END_MAX:?} after {signal:?}\n{self:?}"),
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "process {:?}\nstandard output:\n{}\nstandard error:\n{}",
            self.child.id(),
            self.stdout(),
            self.stderr()
        )
    }
}

/// A process that a signal has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}
