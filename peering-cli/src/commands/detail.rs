//! What explains a peering's state, for people: a page under that of Consul, and one line of an error.

use std::fmt::{self, Write as _};

use peering_core::api::detail::{Detail, LastError};

use crate::gotime;
use crate::output::escape::line;
use crate::output::table;

/// Lays out the part of the page that only servers of ours have something to say for; a newline ends each line.
pub(crate) fn page(detail: &Detail) -> String {
    let mut text = "Detail:\n".to_owned();
    // A `String` takes every write.
    let _ = write_page(&mut text, detail);
    text
}

fn write_page(out: &mut String, detail: &Detail) -> fmt::Result {
    if let Some(age) = &detail.last_receive_age {
        writeln!(out, "    Last Frame Received: {} ago", line(age))?;
    }
    if let Some(age) = &detail.last_send_age {
        writeln!(out, "    Last Frame Sent:     {} ago", line(age))?;
    }
    if let Some(error) = &detail.last_error {
        writeln!(out, "    Last Error:          {} {}", gotime::rfc3339_seconds(error.time), error_line(error))?;
        writeln!(out, "    What To Do:          {}", line(&error.remedy))?;
    }
    if let Some(redial) = &detail.next_redial {
        let failures = if redial.failures == 1 { "failure" } else { "failures" };
        writeln!(out, "    Next Redial:         in {}, after {} {failures}", line(&redial.after), redial.failures)?;
    }
    if detail.transitions.is_empty() {
        return Ok(());
    }
    writeln!(out, "    Transitions:")?;
    let rows: Vec<[String; 3]> = detail
        .transitions
        .iter()
        .map(|told| {
            let change = format!("{} → {}", line(&told.from), line(&told.to));
            [gotime::rfc3339_seconds(told.time), change, line(&told.cause).into_owned()]
        })
        .collect();
    table::lay_out(&rows).lines().try_for_each(|row| writeln!(out, "        {row}"))
}

/// Says what went wrong: the code and the words.
pub(crate) fn error_line(error: &LastError) -> String {
    format!("{}: {}", line(&error.code), line(&error.text))
}
