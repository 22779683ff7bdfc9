//! The page that `inspect` prints for people.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};

use peering_core::token::inspect::{CertificateReport, Contents, Finding, Severity};
use peering_core::token::{ADDRESSES_MAX, CA_ENTRIES_MAX, Report};

use crate::gotime::rfc3339_seconds;
use crate::output::escape;

/// Most characters of one text of a token that are shown: the longest metadata value. The page is there to show what is
/// in a token, so that it shows more than a log line would.
const SHOWN_CHARACTERS_MAX: usize = 512;

/// Most entries of one list that are shown: as many as a usable token may have addresses or pairs of metadata.
const ENTRIES_SHOWN_MAX: usize = ADDRESSES_MAX;

/// Lays a report out. Texts of the token are escaped and cut.
pub(super) fn lay_out(report: &Report) -> String {
    let mut page = String::new();
    // A `String` takes every write.
    let _ = write_report(&mut page, report);
    page.truncate(page.trim_end().len());
    page
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    field(out, "Kind", report.kind)?;
    match &report.refusal {
        _ if report.is_usable => field(out, "Usable", "yes")?,
        Some(refusal) => field(out, "Usable", format_args!("no: {}", shown(refusal)))?,
        None => field(out, "Usable", "no")?,
    }
    if let Some(contents) = &report.contents {
        writeln!(out)?;
        write_contents(out, contents)?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "\nFindings:")?;
    }
    report.findings.iter().try_for_each(|finding| write_finding(out, finding))
}

fn write_contents(out: &mut String, contents: &Contents) -> fmt::Result {
    for (label, text) in [("Peer Name", &contents.peer_name), ("Token ID", &contents.token_id)] {
        if let Some(text) = text {
            field(out, label, shown(text))?;
        }
    }
    match contents.expires_at {
        Some(time) => field(out, "Expires At", rfc3339_seconds(time))?,
        None => field(out, "Expires At", "never")?,
    }
    field(out, "Peer ID", shown(&contents.peer_id))?;
    field(out, "Server Name", shown(&contents.server_name))?;
    for (label, text) in [
        ("Datacenter", &contents.datacenter),
        ("Partition", &contents.partition),
        ("Region", &contents.region),
        ("Zone", &contents.zone),
    ] {
        if !text.is_empty() {
            field(out, label, shown(text))?;
        }
    }
    let secret = if contents.has_establishment_secret { "present, not shown" } else { "missing" };
    field(out, "Secret", secret)?;
    let pairs: Vec<String> = contents.meta.iter().map(|(key, value)| format!("{key}={value}")).collect();
    list(out, "Meta", &pairs)?;
    list(out, "Manual Server Addresses", &contents.manual_server_addresses)?;
    list(out, "Server Addresses", &contents.server_addresses)?;
    for (index, certificate) in contents.certificates.iter().take(CA_ENTRIES_MAX).enumerate() {
        writeln!(out, "\nCA entry {index}:")?;
        write_certificate(out, certificate)?;
    }
    match contents.certificates.len().checked_sub(CA_ENTRIES_MAX) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "\n{more} more CA entries are not shown."),
    }
}

fn write_certificate(out: &mut String, certificate: &CertificateReport) -> fmt::Result {
    let valid = certificate.not_before.zip(certificate.not_after);
    let valid = valid.map(|(from, to)| format!("{} to {}", rfc3339_seconds(from), rfc3339_seconds(to)));
    for (label, text) in [
        ("Subject", &certificate.subject),
        ("Issuer", &certificate.issuer),
        ("Valid", &valid),
        ("Key", &certificate.key),
        ("SHA-256", &certificate.fingerprint),
        ("Trust Domain", &certificate.trust_domain),
        ("Problem", &certificate.problem),
    ] {
        if let Some(text) = text {
            write!(out, "    ")?;
            field(out, label, shown(text))?;
        }
    }
    Ok(())
}

fn write_finding(out: &mut String, finding: &Finding) -> fmt::Result {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "info",
    };
    writeln!(out, "    {severity}: {} ({})", shown(&finding.message), finding.code)?;
    writeln!(out, "        What to do: {}", finding.next_step)
}

fn field(out: &mut String, label: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "{:<14}{value}", format!("{label}:"))
}

fn list(out: &mut String, label: &str, items: &[String]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "{label}:")?;
    items.iter().take(ENTRIES_SHOWN_MAX).try_for_each(|item| writeln!(out, "    {}", shown(item)))?;
    match items.len().checked_sub(ENTRIES_SHOWN_MAX) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "    ({more} more are not shown)"),
    }
}

/// Escapes a text and cuts it, saying so.
fn shown(text: &str) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(SHOWN_CHARACTERS_MAX) else {
        return escape::line(text);
    };
    let count = text.chars().count();
    format!("{} ({SHOWN_CHARACTERS_MAX} of {count} characters)", escape::line(&text[..end])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_shown_up_to_the_bound() {
        let lines = |count: usize| {
            let mut out = String::new();
            list(&mut out, "Meta", &vec!["a=b".to_owned(); count]).unwrap();
            out.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(64).len(), 65);
        assert_eq!(lines(10_000).len(), 66);
        assert_eq!(lines(65).last().unwrap(), "    (1 more are not shown)");
    }

    #[test]
    fn long_and_hostile_texts_are_cut_and_escaped() {
        assert_eq!(shown("a\u{1b}\n"), r"a\x1b\n");
        assert_eq!(shown(&"ä".repeat(512)), "ä".repeat(512));
        assert_eq!(shown(&"ä".repeat(513)), format!("{} (512 of 513 characters)", "ä".repeat(512)));
    }
}
