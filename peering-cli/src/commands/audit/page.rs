//! The page that `audit verify` prints.

use std::fmt::{self, Write as _};

use peering_core::audit::{HeadCheck, Report};

use crate::gotime::rfc3339_seconds;
use crate::output::escape;

/// What a verification was given beside the files.
pub(super) struct Given {
    /// Whether there were keys.
    pub(super) keys: bool,
    /// Whether it was said where the trail must begin.
    pub(super) from: bool,
}

/// Lays a report out.
pub(super) fn lay_out(report: &Report, files: &[String], given: &Given) -> String {
    let mut page = String::new();
    // A `String` takes every write.
    let _ = write_report(&mut page, report, files, given);
    page.truncate(page.trim_end().len());
    page
}

fn write_report(out: &mut String, report: &Report, files: &[String], given: &Given) -> fmt::Result {
    let files: Vec<_> = files.iter().map(|file| escape::line(file)).collect();
    writeln!(out, "Files:        {}", files.join(", "))?;
    match (report.first, report.last) {
        (Some(first), Some(last)) => {
            let (from, to) = (first.head.seq, last.head.seq);
            writeln!(out, "Lines:        {}, seq {from} to {to}", report.lines)?;
            let (earliest, latest) = report.times.unwrap_or((first.time, last.time));
            writeln!(out, "Time:         {} to {}", rfc3339_seconds(earliest), rfc3339_seconds(latest))?;
        }
        _ => writeln!(out, "Lines:        none")?,
    }
    let chain = match (report.is_whole(), report.first) {
        (false, _) => "broken, see below".to_owned(),
        (true, Some(first)) if first.head.seq > 1 => {
            let seq = first.head.seq;
            let before = if given.from {
                "none that should be here is missing".to_owned()
            } else {
                let are = if seq == 2 { "seq 1 is".to_owned() } else { format!("seq 1 to {} are", seq - 1) };
                format!("{are} not here: give -from {seq} if they are kept elsewhere")
            };
            format!("whole from seq {seq} on; {before}")
        }
        (true, _) => "whole".to_owned(),
    };
    writeln!(out, "Chain:        {chain}")?;
    writeln!(out, "Vouched for:  {}", vouched(report, given.keys))?;
    if let Some(since) = report.unsigned_since.filter(|_| report.vouched.is_some()) {
        let (lines, are) = if report.unsigned == 1 { ("line", "is") } else { ("lines", "are") };
        let is_known = report.unknown_keys.is_empty();
        let signed = if is_known { "not yet signed" } else { "not signed with a key that was given" };
        writeln!(out, "Not signed:   {} {lines} after that {are} chained, and {signed}", report.unsigned)?;
        if is_known && report.is_overdue() {
            let since = rfc3339_seconds(since);
            writeln!(
                out,
                "              since {since}: a server signs every minute, so that checkpoints may have been removed"
            )?;
        }
    }
    writeln!(
        out,
        "Head:         {}",
        match report.head {
            HeadCheck::NotGiven => "not given: if lines were cut off at the end, nobody can tell",
            HeadCheck::Reached => "reached, nothing is cut off",
            HeadCheck::Before => "older than the first line here, says nothing about the end",
            _ => "not reached, see below",
        }
    )?;
    if !report.is_whole() {
        writeln!(out, "\nWhat is wrong:")?;
        for fault in &report.faults {
            writeln!(out, "  * {}", escape::line(&fault.to_string()))?;
        }
        if report.faults_untold > 0 {
            writeln!(out, "  * and {} more", report.faults_untold)?;
        }
    }
    Ok(())
}

/// Names the keys that signed and were not given.
pub(super) fn unknown_keys(report: &Report) -> Option<String> {
    match report.unknown_keys.as_slice() {
        [] => None,
        [key] => Some(format!("key {key}, which was not given")),
        [keys @ .., last] => Some(format!("keys {} and {last}, which were not given", keys.join(", "))),
    }
}

fn vouched(report: &Report, has_keys: bool) -> String {
    let unknown = unknown_keys(report);
    let Some(vouched) = report.vouched else {
        if let (Some(keys), 0) = (unknown, report.checkpoints_good) {
            return format!("nothing: signed with {keys}");
        }
        return match (has_keys, report.checkpoints, report.checkpoints_good) {
            (false, ..) => "nothing: no key was given, see `peering audit key`".to_owned(),
            (true, 0, _) => "nothing: there is no checkpoint".to_owned(),
            (true, _, 0) => "nothing: no checkpoint is signed by a key that was given".to_owned(),
            (true, ..) => "nothing: what the good checkpoints signed is not what stands before them".to_owned(),
        };
    };
    let (seq, time) = (vouched.head.seq, rfc3339_seconds(vouched.time));
    let count = match report.checkpoints_good {
        1 => "1 checkpoint".to_owned(),
        count => format!("{count} checkpoints"),
    };
    if report.is_whole() {
        let first = report.first.map_or(1, |first| first.head.seq);
        let others = unknown.map(|keys| format!("; others are signed with {keys}")).unwrap_or_default();
        format!("seq {first} to {seq}, until {time}, by {count}{others}")
    } else {
        format!("nothing as a whole; the last good one of {count} is seq {seq}, of {time}")
    }
}
