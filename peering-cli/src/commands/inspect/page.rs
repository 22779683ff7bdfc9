//! The page that `inspect` prints for people.

mod contents;

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};

use peering_core::token::inspect::{CertificateReport, Finding};
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
    field(out, "Kind", report.kind.as_str())?;
    if let Some(commands) = report.used_with {
        field(out, "Used With", commands)?;
    }
    match &report.refusal {
        _ if report.is_usable => field(out, "Usable", "yes")?,
        Some(refusal) if report.kind.is_peering() => field(out, "Usable", format_args!("no: {}", shown(refusal)))?,
        _ => field(out, "Usable", "no")?,
    }
    if let Some(contents) = &report.contents {
        writeln!(out)?;
        contents::write(out, contents, &report.findings)?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "\nFindings:")?;
    }
    report.findings.iter().try_for_each(|finding| write_finding(out, finding))
}

fn write_certificates(out: &mut String, certificates: &[CertificateReport]) -> fmt::Result {
    for certificate in certificates.iter().take(CA_ENTRIES_MAX) {
        writeln!(out, "\n{}:", certificate.place)?;
        write_certificate(out, certificate)?;
    }
    Ok(())
}

fn write_certificate(out: &mut String, certificate: &CertificateReport) -> fmt::Result {
    let CertificateReport { digest, pin, is_ca, is_usable_root, .. } = certificate;
    let valid = certificate.not_before.zip(certificate.not_after);
    let valid = valid.map(|(from, to)| format!("{} to {}", rfc3339_seconds(from), rfc3339_seconds(to)));
    let ca = is_ca.zip(*is_usable_root).map(|it| match it {
        (true, true) => "yes, usable as a root now".to_owned(),
        (true, false) => "yes, not usable as a root now".to_owned(),
        (false, _) => "no".to_owned(),
    });
    for (label, text) in [
        ("Subject", &certificate.subject),
        ("Issuer", &certificate.issuer),
        ("Valid", &valid),
        ("Key", &certificate.key),
        ("Signature", &certificate.signature),
        ("CA", &ca),
        ("Digest", &digest.map(|digest| digest.to_string())),
        ("Pin", &pin.map(|pin| pin.to_string())),
        ("Fingerprint", &certificate.fingerprint),
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
    let severity = finding.severity.as_str();
    writeln!(out, "    {severity}: {} ({})", shown(&finding.cause), finding.code.as_str())?;
    writeln!(out, "        What to do: {}", finding.next_step)
}

fn field(out: &mut String, label: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "{:<14}{value}", format!("{label}:"))
}

/// Writes those fields that there are.
fn fields(out: &mut String, fields: &[(&str, Option<&str>)]) -> fmt::Result {
    let there = fields.iter().filter_map(|(label, text)| Some((label, text.filter(|text| !text.is_empty())?)));
    there.into_iter().try_for_each(|(label, text)| field(out, label, shown(text)))
}

fn write_secret(out: &mut String, is_there: bool) -> fmt::Result {
    field(out, "Secret", if is_there { "present, not shown" } else { "missing" })
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
