//! The log's way to standard error: whatever a library or a peer puts into an event leaves as one line that deceives
//! nobody.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::escape;

/// Makes writers of one event each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guarded {
    escape: fn(&str) -> Cow<'_, str>,
}

impl Guarded {
    /// For lines of text.
    pub(crate) const fn text() -> Self {
        Self { escape: escape::line }
    }

    /// For lines of JSON, whose strings keep their meaning.
    pub(crate) const fn json() -> Self {
        Self { escape: escape::json }
    }

    /// Makes one line of what a formatter made of one event.
    fn line(self, event: &[u8]) -> String {
        let text = String::from_utf8_lossy(event);
        let mut line = (self.escape)(text.strip_suffix('\n').unwrap_or(&text)).into_owned();
        line.push('\n');
        line
    }
}

impl<'a> MakeWriter<'a> for Guarded {
    type Writer = Guard<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Guard { guarded: *self, out: io::stderr() }
    }
}

/// Writes events, each of which the formatter hands over whole.
#[derive(Debug)]
pub(crate) struct Guard<W> {
    guarded: Guarded,
    out: W,
}

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.out.write_all(self.guarded.line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use peering_core::foreign::may_deceive;
    use tracing_subscriber::fmt::SubscriberBuilder;

    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\nb\u{0}\u{7f}\u{9b}\u{202e}\u{200b}\u{e0041}";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs hostile text in every place of an event.
    fn log_something() {
        tracing::info!(text = HOSTILE, shown = %HOSTILE, debugged = ?HOSTILE, "{HOSTILE}");
        let error: &(dyn std::error::Error + 'static) = &io::Error::other(HOSTILE);
        tracing::warn!(error, "a failure");
    }

    fn checked(kept: &Kept) -> Vec<String> {
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "one line for each event: {text:?}");
        assert!(!lines.concat().chars().any(may_deceive), "{text:?}");
        lines
    }

    #[test]
    fn no_event_moves_the_cursor_or_forges_a_line() {
        let kept = Kept::default();
        let out = kept.clone();
        let make = move || Guard { guarded: Guarded::text(), out: out.clone() };
        let log = SubscriberBuilder::default().with_ansi(false).with_writer(make).finish();
        tracing::subscriber::with_default(log, log_something);
        let lines = checked(&kept);
        assert!(lines[0].contains("\\u202e") && lines[0].contains("\\U000e0041"), "{lines:?}");
    }

    #[test]
    fn a_line_of_json_means_what_was_logged() {
        let kept = Kept::default();
        let out = kept.clone();
        let make = move || Guard { guarded: Guarded::json(), out: out.clone() };
        let log = SubscriberBuilder::default().json().with_writer(make).finish();
        tracing::subscriber::with_default(log, log_something);
        let lines = checked(&kept);
        let event: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(event["fields"]["text"], HOSTILE);
        assert_eq!(event["fields"]["message"], HOSTILE);
        serde_json::from_str::<serde_json::Value>(&lines[1]).unwrap();
    }
}
