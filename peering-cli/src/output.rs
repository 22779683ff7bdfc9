//! The only room that prints: results on standard output, everything else on standard error.
//!
//! Whatever is printed passes through [`escape`], since names, metadata and messages come from other people's servers.

pub(crate) mod escape;
#[cfg(feature = "server")]
pub(crate) mod log;
pub(crate) mod table;

use std::io::{self, Write};

use peering_core::gojson;
use serde::Serialize;
use thiserror::Error;

/// Moves to the top left corner and clears the screen.
///
/// # Source
/// ECMA-48: CUP and ED.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";
/// Moves to the beginning of the line and clears it.
///
/// # Source
/// ECMA-48: CR and EL.
const LINE_AGAIN: &str = "\r\u{1b}[K";
/// Characters of a line that is written over: one less than the narrowest terminal in use has, since a line that wraps
/// cannot be taken back.
const PROGRESS_COLUMNS: usize = 79;

/// Says why a result could not be printed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The reader went away, as `head` does. Nobody is left to tell.
    #[error("standard output was closed by its reader")]
    Closed,
    /// Standard output cannot be written, for instance because a disk is full.
    #[error("cannot write to standard output: {0}")]
    Write(#[source] io::Error),
    /// A result has no YAML form.
    #[error("cannot print the result as YAML: {0}")]
    Yaml(#[source] serde_saphyr::ser_error::Error),
    /// A result has no JSON form.
    #[error("cannot print the result as JSON: {0}")]
    Json(#[source] serde_json::Error),
}

/// Standard output and standard error, or what a test puts in their place.
pub struct Output<'a> {
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    terminals: Terminals,
}

/// Which of the two are looked at by a person while they are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminals {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

impl<'a> Output<'a> {
    /// Prints to these two writers, neither of which is a terminal.
    pub fn new(stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Self {
        Self { stdout, stderr, terminals: Terminals::default() }
    }

    /// Says which of them are terminals.
    #[must_use]
    pub fn on(self, terminals: Terminals) -> Self {
        Self { terminals, ..self }
    }

    /// Tells which of them are terminals.
    #[must_use]
    pub fn terminals(&self) -> Terminals {
        self.terminals
    }

    /// Clears the terminal on standard output and prints a result at its top.
    ///
    /// # Errors
    /// Those of [`Output::result`].
    pub fn redraw(&mut self, text: &str) -> Result<(), OutputError> {
        self.write_result(&format!("{CLEAR}{}", escape::block(text)))
    }

    /// Writes a line over the last such line on the terminal of standard error; an empty one takes it away.
    pub fn progress(&mut self, text: &str) {
        let shown: String = escape::line(text).chars().take(PROGRESS_COLUMNS).collect();
        // As for messages.
        let _ = write!(self.stderr, "{LINE_AGAIN}{shown}").and_then(|()| self.stderr.flush());
    }

    /// Prints a result and a newline on standard output.
    ///
    /// # Errors
    /// [`OutputError::Closed`] if the reader is gone, [`OutputError::Write`] for any other cause.
    pub fn result(&mut self, text: &str) -> Result<(), OutputError> {
        self.write_result(&escape::block(text))
    }

    /// Prints a result as one line of JSON, escaped as Go does.
    ///
    /// # Errors
    /// Those of [`Output::result`], and [`OutputError::Json`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        let text = gojson::to_string(value).map_err(OutputError::Json)?;
        self.write_result(&escape::json(&text))
    }

    /// Prints a result as JSON indented by four spaces, escaped as Go does.
    ///
    /// # Errors
    /// Those of [`Output::json`].
    pub fn json_indented(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        let text = gojson::to_string_pretty(value).map_err(OutputError::Json)?;
        let lines: Vec<_> = text.split('\n').map(escape::json).collect();
        self.write_result(&lines.join("\n"))
    }

    /// Prints a result as YAML. What may deceive is escaped: in a quoted value that means the same, elsewhere it is shown.
    ///
    /// # Errors
    /// Those of [`Output::result`], and [`OutputError::Yaml`].
    pub fn yaml(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let text = serde_saphyr::to_string_with_options(value, options).map_err(OutputError::Yaml)?;
        self.result(text.trim_end())
    }

    /// Prints a message and a newline on standard error.
    pub fn message(&mut self, text: &str) {
        // A message that nobody can read is lost; the exit code still tells.
        let _ = writeln!(self.stderr, "{}", escape::block(text)).and_then(|()| self.stderr.flush());
    }

    fn write_result(&mut self, text: &str) -> Result<(), OutputError> {
        let written = writeln!(self.stdout, "{text}").and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => OutputError::Closed,
            _ => OutputError::Write(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails every write with one kind of error.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn results_and_messages_go_their_own_ways_escaped() {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut stdout, &mut stderr);
        output.result("a\u{1b}b\nc").unwrap();
        output.json(&"\u{202e}").unwrap();
        output.message("bad\u{7}");
        assert_eq!(String::from_utf8(stdout).unwrap(), "a\\x1bb\nc\n\"\\u202e\"\n");
        assert_eq!(String::from_utf8(stderr).unwrap(), "bad\\x07\n");
    }

    #[test]
    fn a_closed_pipe_is_told_apart_from_a_full_disk() {
        let mut stderr = Vec::new();
        for (kind, is_closed) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut stdout = Broken(kind);
            let error = Output::new(&mut stdout, &mut stderr).result("x").unwrap_err();
            assert_eq!(matches!(error, OutputError::Closed), is_closed);
        }
    }

    #[test]
    fn a_message_without_a_reader_is_dropped() {
        let (mut stdout, mut stderr) = (Vec::new(), Broken(io::ErrorKind::BrokenPipe));
        Output::new(&mut stdout, &mut stderr).message("x");
    }
}
