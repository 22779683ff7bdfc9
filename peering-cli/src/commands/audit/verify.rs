//! `peering audit verify`: whether an audit trail is as it was written, and who vouches for it.

use std::path::PathBuf;

use clap::Args;
use peering_core::audit::{HeadCheck, Verifier};

use crate::commands::audit::error::AuditError;
use crate::commands::audit::files::{self, Event};
use crate::commands::audit::keys::Keys;
use crate::commands::audit::page::{self, Given};
use crate::world::World;

/// Flags of `audit verify`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering audit verify [options] FILE...",
    about = "Say whether an audit trail is as it was written",
    long_about = "  Say whether an audit trail is as it was written, and how far signatures vouch
  for it. Nobody is asked. Files that were rotated away can be given too, in any
  order; - is standard input.

  Whatever was changed, removed, put in or moved before the last checkpoint is
  found and named. Lines after it are chained, and not yet signed. Lines that were
  cut off at the end are found with -head alone.

  If the first line is not number 1, nobody can tell from these files whether
  earlier ones were taken away, and the trail is in doubt: say with -from where
  the files that are kept begin, and lines that are missing there are found too.

  The exit code is 0 if nothing is wrong and a key vouches for it, 4 if nothing is
  wrong and it is in doubt: no key vouches for it, a key that signed was not given,
  lines wait too long for a signature, the head is older than the first line, or
  that is not number 1 and -from is not given; 5 if something is wrong, 1 if it
  could not be found out.

  Example:

    $ peering audit verify -key audit-key.pem audit.log.1 audit.log",
    args_override_self = true
)]
pub(crate) struct Verify {
    #[arg(
        long,
        value_name = "key",
        help = "A `key` that may have signed: a file of public keys in PEM, as peering audit key prints them, or the \
                base64 of one. Can be given many times."
    )]
    key: Vec<String>,
    #[arg(
        long,
        value_name = "SEQ:HASH",
        help = "Where the trail must at least reach, `SEQ:HASH` as peering audit head prints it."
    )]
    head: Option<String>,
    #[arg(
        long,
        value_name = "SEQ",
        help = "The number of the line with which the trail must begin at the latest: `SEQ`, 1 for all of it."
    )]
    from: Option<String>,
    #[arg(hide = true)]
    files: Vec<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AuditError> {
        let keys = Keys::read(&self.key)?;
        let head = self.head.as_deref().map(str::parse).transpose().map_err(AuditError::BadHead)?;
        let from = self.from.as_deref().map(line_number).transpose()?;
        let signed = |key: &str, message: &[u8], signature: &[u8]| keys.signer(key, message, signature);
        let mut verifier = Verifier::new((!keys.is_empty()).then_some(&signed), head);
        if let Some(seq) = from {
            verifier = verifier.beginning_at(seq);
        }
        let mut names = Vec::new();
        files::each_line(&self.files, world, |event| match event {
            Event::File(name) => {
                names.push(name.to_owned());
                verifier.begin_file(name);
            }
            Event::Line(line, is_whole) => verifier.line(line, is_whole),
        })?;
        let report = verifier.finish();
        world.output.result(&page::lay_out(
            &report,
            &names,
            &Given { keys: !keys.is_empty(), from: from.is_some() },
        ))?;
        if !report.is_whole() {
            return Err(AuditError::Changed);
        }
        let late = report.first.map(|first| first.head.seq).filter(|seq| *seq > 1 && from.is_none());
        if let Some(keys) = page::unknown_keys(&report) {
            Err(AuditError::UnknownKeys(keys))
        } else if report.vouched.is_none() {
            Err(AuditError::Unvouched)
        } else if report.is_overdue() {
            Err(AuditError::Overdue)
        } else if report.head == HeadCheck::Before {
            Err(AuditError::HeadBefore)
        } else {
            late.map_or(Ok(()), |seq| Err(AuditError::BeginsLate(seq)))
        }
    }
}

/// Lines are numbered from 1.
fn line_number(text: &str) -> Result<u64, AuditError> {
    text.parse().ok().filter(|seq| *seq > 0).ok_or_else(|| AuditError::From(text.to_owned()))
}
