//! The program under test: run to its end with an environment of its own, and what it left.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::Process;
use crate::redact::redact;

/// Longest run of a verb that ends by itself: twice the 30 s that a quickstart allows itself.
const RUN_MAX: Duration = Duration::from_secs(60);

/// The program under test.
///
/// # Examples
/// ```no_run
/// # async fn example() {
/// use peering_tests::program::Program;
///
/// let program = Program::at("/path/to/peering");
/// program.run(&["version"]).await.success();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    /// Words that stand before it.
    under: Vec<OsString>,
}

impl Program {
    /// Takes the program at a path, in a test `env!("CARGO_BIN_EXE_peering-under-test")`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), under: Vec::new() }
    }

    /// Has another program start it: one that watches what it does, and hands its words on.
    #[must_use]
    pub fn under(mut self, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.under = words.into_iter().map(Into::into).collect();
        self
    }

    /// Returns where the program is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Prepares a run with these words. Nothing of the test's own environment is handed on.
    #[must_use]
    pub fn call(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Call {
        let mut all = self.under.iter().map(OsString::as_os_str).chain([self.path.as_os_str()]);
        let mut command = Command::new(all.next().unwrap_or_default());
        command.args(all).args(words).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Call { command, stdin: String::new() }
    }

    /// Runs the program with these words to its end.
    pub async fn run(&self, words: &[&str]) -> Finished {
        self.call(words).finish().await
    }
}

/// A run that is being prepared.
#[derive(Debug)]
pub struct Call {
    command: Command,
    stdin: String,
}

impl Call {
    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Puts this text on standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs in this directory.
    #[must_use]
    pub fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Runs as another user and group, which only root may ask for.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.command.uid(id).gid(id);
        self
    }

    /// Runs to the end.
    ///
    /// # Panics
    /// If the program cannot be started or does not end in time.
    pub async fn finish(mut self) -> Finished {
        let mut child = self.command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let give = async {
            // A program that does not read its input may be gone before it is written.
            let _ = stdin.write_all(self.stdin.as_bytes()).await;
            drop(stdin);
        };
        let ended = timeout(RUN_MAX, async { tokio::join!(give, child.wait_with_output()).1 }).await;
        let output = ended.unwrap_or_else(|_| panic!("{:?} still runs after {RUN_MAX:?}", self.command)).unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts what does not end by itself, with its standard output in the test's own hands.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start_printing_to(mut self, stdout: impl Into<Stdio>) -> Process {
        self.command.stdout(stdout);
        self.start()
    }

    /// Starts what does not end by itself.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start(mut self) -> Process {
        Process::of(self.command.stdin(Stdio::null()).spawn().unwrap())
    }
}

/// What a run left: its exit code, none if a signal ended it, and what it printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Returns standard output of a run that succeeded.
    ///
    /// # Panics
    /// If it did not exit with 0.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "often it matters only that the run succeeded")]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Replaces a text that differs from run to run by a mark, before ids, times and the like are redacted.
    #[must_use]
    pub fn marking(self, text: impl AsRef<str>, mark: &str) -> Self {
        let replace = |printed: String| printed.replace(text.as_ref(), mark);
        Self { code: self.code, stdout: replace(self.stdout), stderr: replace(self.stderr) }
    }

    /// Checks exit code and redacted output, to the last character.
    ///
    /// # Panics
    /// With both sides as a person would see them, if they differ.
    #[track_caller]
    pub fn expect(self, code: i32, stdout: &str, stderr: &str) {
        let found = Self { code: self.code, stdout: redact(&self.stdout), stderr: redact(&self.stderr) };
        let expected = Self { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        assert!(found == expected, "\nfound    {found:?}\nexpected {expected:?}");
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {:?}", self.code)?;
        writeln!(f, "standard output:\n{}", self.stdout)?;
        writeln!(f, "standard error:\n{}", self.stderr)
    }
}
