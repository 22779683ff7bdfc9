//! Which line comes next in an audit trail, and where it is written: the chain over rotations, crashes and full disks.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use peering_core::audit::{Entry, Head, checkpoint_message, event};
use peering_core::foreign::{SHOWN_CHARACTERS_MAX, escaped};
use tracing::{error, info, warn};

use super::back::look_back;
use super::error::AuditError;
use super::file::{Found, TrailFile};
use super::printer::Printer;
use crate::causes::chain;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, Label};

/// Why a start goes on in a new file: the one with the line that the store knows is not there.
const FILE_MISSING: &str = "file_missing";

/// What a trail works with.
pub(crate) struct Means {
    /// Signs checkpoints.
    pub(crate) keyring: Arc<Keyring>,
    /// Whether the keyring outlives the process, so that a trail which it did not sign is not ours.
    pub(crate) keeps_keys: bool,
    /// Tells the time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Draws the name of a new trail.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Name of this server.
    pub(crate) node: String,
    /// Standard output, if lines go there.
    pub(crate) stdout: Option<Arc<Mutex<dyn Write + Send>>>,
}

/// A trail that is being written. Its calls wait for the disk.
pub(crate) struct Trail {
    means: Means,
    path: Option<PathBuf>,
    file: Option<TrailFile>,
    /// The last line that was made.
    head: Head,
    /// The last line that is in a file.
    filed: Head,
    /// The last line that is on the disk, or, with no file, on standard output.
    written: Head,
    /// The last checkpoint that was made.
    signed: u64,
    /// Whether lines from before the start wait for a signature.
    leaves_unsigned: bool,
    for_file: Vec<u8>,
    printer: Option<Printer>,
}

/// A waiting row of the outbox, as a trail knows it.
pub(super) struct Waiting {
    /// Its name.
    pub(super) row: String,
    /// The revision that it came with.
    pub(super) revision: u64,
}

impl Trail {
    /// Opens a trail where it ended: at the last line of its file, or, if that is gone, at the head that the store keeps.
    /// What is to be said about this stands in lines that [`Trail::flush`] writes first.
    ///
    /// # Errors
    /// [`AuditError`] if the file cannot be opened or is no trail.
    pub(crate) fn open(means: Means, path: Option<PathBuf>, kept: Option<Head>) -> Result<Self, AuditError> {
        let mut file = path.as_deref().map(TrailFile::open).transpose()?;
        let found = file.as_mut().map(TrailFile::recover).transpose()?.unwrap_or_default();
        let Found { mut last, dropped_bytes } = found;
        if let (Some(file), Some(last), None, true) = (&file, last, kept, means.keeps_keys)
            && let Some(of) = whose(&means, file, last.head).map_err(|error| file.failed("read", error))?
        {
            return Err(AuditError::Foreign { path: file.path().to_owned(), of });
        }
        let mut is_missing = false;
        if let (None, Some(path), Some(kept)) = (last, &path, kept) {
            last = TrailFile::predecessor(path, kept);
            is_missing = last.is_none() && TrailFile::ending_with(path, kept).is_none();
            if is_missing {
                let advice = "if it was moved, or lines went elsewhere until now, keep it for `peering audit verify`; after a \
                    restore it is put back before the start; else look for who could remove it";
                let path = path.display();
                error!(%path, expected = kept.seq, advice, "the audit log is not there; the chain goes on in a new one");
            }
        }
        let head = match (&file, last, kept) {
            (Some(file), Some(last), Some(kept)) => where_it_goes_on(file, last.head, kept)?,
            (_, last, kept) => kept.or(last.map(|last| last.head)).unwrap_or(Head::BEGINNING),
        };
        // A trail whose last checkpoint is elsewhere is signed anew.
        let signed = last.filter(|last| last.is_checkpoint && last.head == head).map_or(0, |last| last.head.seq);
        let printer = means.stdout.clone().map(Printer::new).transpose()?;
        let for_file = Vec::new();
        let leaves_unsigned = signed < head.seq;
        let filed = last.map_or(head, |last| last.head);
        let mut trail =
            Self { means, path, file, head, filed, written: head, signed, leaves_unsigned, for_file, printer };
        let mut first = Vec::new();
        let now = trail.means.clock.now();
        let node = Some(trail.means.node.clone());
        if head == Head::BEGINNING {
            let name = Some(trail.means.entropy.uuid());
            first.push(Entry { trail: name, node: node.clone(), ..Entry::new(now, event::TRAIL_BEGUN) });
        }
        if dropped_bytes > 0 {
            first.push(recovered(dropped_bytes, now));
        }
        let cause = is_missing.then_some(Cow::Borrowed(FILE_MISSING));
        first.push(Entry { node, cause, ..Entry::new(now, event::STARTED) });
        trail.make(&first)?;
        Ok(trail)
    }

    /// Says whether lines from before the start wait for a signature.
    pub(super) const fn leaves_unsigned(&self) -> bool {
        self.leaves_unsigned
    }

    /// Returns the last line that is on the disk, or, with no file, on standard output.
    pub(super) const fn written(&self) -> Head {
        self.written
    }

    /// Finds out which of these rows have their line already, in the file or in one that was moved away: it was written,
    /// and then a crash came before the row was removed. Lines stand in the order of their revisions, so that looking back
    /// ends soon.
    pub(super) fn told_before(&self, waiting: &[Waiting]) -> Result<HashSet<String>, AuditError> {
        let mut told = HashSet::new();
        let (Some(path), Some(oldest)) = (&self.path, waiting.iter().map(|row| row.revision).min()) else {
            return Ok(told);
        };
        let wanted: HashSet<&str> = waiting.iter().map(|row| row.row.as_str()).collect();
        let looked = look_back(path, self.file.as_ref(), self.filed, |line, _| {
            let is_older = line.entry.revision.is_some_and(|revision| revision < oldest);
            match line.entry.row.filter(|row| wanted.contains(row.as_str())) {
                Some(row) => drop(told.insert(row)),
                None if is_older => return ControlFlow::Break(()),
                None => {}
            }
            if told.len() < wanted.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        looked.map_err(|error| AuditError::of_io("read", path, error))?;
        Ok(told)
    }

    /// Makes lines, which [`Trail::flush`] writes. If the file was moved away, it is signed off first; says whether it was.
    ///
    /// # Errors
    /// [`AuditError::Line`], and then no line was made.
    pub(super) fn add(&mut self, entries: &[Entry]) -> Result<bool, AuditError> {
        let is_moved = self.follow_moves();
        self.make(entries)?;
        Ok(is_moved)
    }

    fn make(&mut self, entries: &[Entry]) -> Result<(), AuditError> {
        let (mut head, mut lines) = (self.head, Vec::new());
        for entry in entries {
            head.append(entry, &mut lines)?;
        }
        self.head = head;
        if let Some(printer) = &mut self.printer {
            printer.add(&lines, entries.len(), self.path.is_some());
        }
        if self.path.is_some() {
            self.for_file.append(&mut lines);
        }
        Ok(())
    }

    /// Makes a checkpoint if there is anything that none covers; says whether it did.
    ///
    /// # Errors
    /// [`AuditError::Sign`].
    pub(super) fn sign(&mut self) -> Result<bool, AuditError> {
        if self.head.seq <= self.signed {
            return Ok(false);
        }
        let time = self.means.clock.now();
        let message = checkpoint_message(self.head.seq.saturating_add(1), self.head.hash, time);
        let (signature, key) = self.means.keyring.sign(Label::AuditCheckpoint, message.as_bytes())?;
        let (key, signature) = (Some(key.to_string()), Some(STANDARD.encode(signature)));
        self.make(&[Entry { key, signature, ..Entry::new(time, event::CHECKPOINT) }])?;
        self.signed = self.head.seq;
        Ok(true)
    }

    /// If somebody moved the file away, signs it off and goes on in a new one; says whether it was so.
    pub(super) fn follow_moves(&mut self) -> bool {
        let Some(file) = self.file.as_ref().filter(|file| file.is_moved()) else { return false };
        // What is added to a file that has no name any more, nobody reads.
        if file.is_unlinked() {
            warn!(path = %file.path().display(), "the audit log was removed while the server wrote to it; the lines in it are lost");
        } else {
            info!(path = %file.path().display(), "the audit log was moved away");
            let signed_off = self.sign().and_then(|_| self.write_file());
            if let Err(cause) = signed_off {
                warn!(cause = chain(&cause), "the audit log that was moved away could not be signed off");
            }
        }
        self.file = None;
        true
    }

    /// Writes what was made. When this returns it is on the disk; after an error it waits to be written. Standard output
    /// is waited for in vain only where there is no file.
    ///
    /// # Errors
    /// [`AuditError`].
    pub(super) fn flush(&mut self) -> Result<(), AuditError> {
        if self.file.as_ref().is_some_and(TrailFile::is_moved) {
            self.file = None;
        }
        self.write_file()?;
        if let Some(printer) = &mut self.printer {
            match (printer.print(), &self.path) {
                // Events wait for standard output where it is all there is, and never where there is a file.
                (Err(cause), None) => return Err(cause),
                (Err(cause), Some(_)) => printer.complain(&cause),
                (Ok(()), _) => {}
            }
        }
        self.written = self.head;
        Ok(())
    }

    /// Says whether standard output has all that it will have.
    #[cfg(test)]
    pub(super) fn is_printed(&self) -> bool {
        self.printer.as_ref().is_none_or(Printer::is_idle)
    }

    fn write_file(&mut self) -> Result<(), AuditError> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.file.is_none() {
            let mut file = TrailFile::open(path)?;
            let dropped_bytes = file.recover()?.dropped_bytes;
            self.file = Some(file);
            info!(path = %path.display(), "the audit log goes on in a new file");
            if dropped_bytes > 0 {
                self.make(&[recovered(dropped_bytes, self.means.clock.now())])?;
            }
        }
        if let Some(file) = self.file.as_mut().filter(|_| !self.for_file.is_empty()) {
            file.append(&self.for_file)?;
            self.for_file.clear();
            self.filed = self.head;
        }
        Ok(())
    }
}

fn recovered(dropped_bytes: u64, now: Timestamp) -> Entry {
    info!(dropped_bytes, "half a line at the end of the audit log was cut off");
    Entry { dropped_bytes: Some(dropped_bytes), ..Entry::new(now, event::RECOVERED) }
}

/// Says whose a trail is, if it is another server's, for a store that knows of none: by the key of its last checkpoint, or,
/// if nothing is signed yet, by the name of the server that wrote it.
fn whose(means: &Means, file: &TrailFile, last: Head) -> io::Result<Option<String>> {
    let mut node = None;
    let key = look_back(file.path(), Some(file), last, |line, _| {
        node = node.take().or(line.entry.node);
        if line.entry.event == event::CHECKPOINT {
            ControlFlow::Break(line.entry.key)
        } else {
            ControlFlow::Continue(())
        }
    })?;
    let shown = |name: &str| escaped(name, SHOWN_CHARACTERS_MAX);
    Ok(match (key, node) {
        (Some(key), _) => {
            let key = key.unwrap_or_default();
            let is_ours = means.keyring.ids().any(|id| id.as_str() == key);
            (!is_ours).then(|| format!("its last checkpoint is signed with the key {}", shown(&key)))
        }
        (None, Some(node)) if node != means.node => Some(format!("it is of the server {}", shown(&node))),
        (None, _) => None,
    })
}

/// Decides where a trail goes on. The file wins if it is ahead and has the line that the store knows, itself or in a file
/// that it follows: then the store is an older one, that of a crash or one that was put back. Else the head that the store
/// keeps does, so that whoever verifies the file sees what is missing from it or was changed: a chain that went on from
/// other lines would vouch for them.
fn where_it_goes_on(file: &TrailFile, last: Head, kept: Head) -> Result<Head, AuditError> {
    let advice = "verify it with `peering audit verify` and look for who could write to it";
    if last.seq < kept.seq {
        error!(ends_at = last.seq, expected = kept.seq, advice, "lines at the end of the audit log are missing");
        return Ok(kept);
    }
    if file.follows(last, kept).map_err(|error| file.failed("read", error))? {
        return Ok(last);
    }
    error!(
        seq = kept.seq,
        ends_at = last.seq,
        advice,
        "a line of the audit log is not the one that was written, or is in no file beside it; the chain goes on from the one that \
         was written"
    );
    Ok(kept)
}
