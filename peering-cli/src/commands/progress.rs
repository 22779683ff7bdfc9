//! What `-wait` shows meanwhile on standard error: on a terminal one line that is written over, elsewhere a line for
//! each change.

use std::time::Duration;

use peering_core::api::detail::LastError;
use peering_core::api::v1::Peering;
use peering_core::duration::GoDuration;

use crate::commands::detail;
use crate::output::Output;
use crate::output::escape::line;

/// What was shown last.
pub(crate) struct Progress {
    name: String,
    state: Option<String>,
    code: Option<String>,
}

impl Progress {
    /// Begins with nothing.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: line(name).into_owned(), state: None, code: None }
    }

    /// Says that the peer is called, which takes as long as its servers let us wait: on a terminal alone, since nothing has
    /// happened yet.
    pub(crate) fn begin(&self, output: &mut Output<'_>) {
        if output.terminals().stderr {
            output.progress(&format!("calling the servers of {}", self.name));
        }
    }

    /// Shows a peering. What is as it should be is told by the result: a first state without an error, and ACTIVE, are
    /// no lines.
    pub(crate) fn see(&mut self, output: &mut Output<'_>, peering: &Peering, elapsed: Duration) {
        let error = peering.detail.as_ref().and_then(|detail| detail.last_error.as_ref());
        let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        let head = format!("{} is {} after {}", self.name, line(&peering.state), GoDuration::from_nanos(seconds));
        if output.terminals().stderr {
            return output
                .progress(&error.map_or(head.clone(), |error| format!("{head}: {}", detail::error_line(error))));
        }
        let code = error.map(|error| error.code.clone());
        let is_new_state = self.state.as_ref().is_some_and(|state| *state != peering.state);
        let is_new_error = code.is_some() && code != self.code;
        if (is_new_state || is_new_error) && peering.state != "ACTIVE" {
            output.message(&format!("{head}{}", error.map_or_else(String::new, with_remedy)));
        }
        (self.state, self.code) = (Some(peering.state.clone()), code);
    }

    /// Takes the line away.
    pub(crate) fn end(&self, output: &mut Output<'_>) {
        if output.terminals().stderr {
            output.progress("");
        }
    }
}

fn with_remedy(error: &LastError) -> String {
    format!(": {}; {}", detail::error_line(error), line(&error.remedy))
}
