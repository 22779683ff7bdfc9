//! The file of an audit trail: opened with care, appended to, cut back to its last whole line after a crash.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use peering_core::audit::{Head, Line, LineHash, event};
use rustix::process::geteuid;
use tracing::warn;

use super::back::look_back;
use super::error::AuditError;
use super::tail::Backwards;

/// Only the owner may read; the operator may let others read, never write.
const FILE_MODE: u32 = 0o600;
/// Permission bits that nobody but the owner may have.
const OTHERS_WRITE: u32 = 0o022;
/// What every line begins with; half a line begins so too, or with a part of it.
const LINE_BEGINS: &[u8] = b"{\"v\":";
/// Lines at the end of a file that are looked at for one that is a line of a trail: whoever wrote so many others did not
/// do it by accident.
const FOREIGN_LINES_MAX: usize = 1_024;

/// An open file.
#[derive(Debug)]
pub(super) struct TrailFile {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
    /// Its length, as far as we know.
    bytes: u64,
    /// Whether what is behind that is half of a batch, which could not be cut off yet.
    is_torn: bool,
    /// Whether somebody else left half a line at the end.
    lacks_newline: bool,
}

/// The last line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastLine {
    pub(super) head: Head,
    pub(super) is_checkpoint: bool,
}

/// What was found in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its last line, if it has any.
    pub(super) last: Option<LastLine>,
    /// Bytes of half a line that were cut off.
    pub(super) dropped_bytes: u64,
}

impl TrailFile {
    /// Opens a file, or makes it. No link is followed.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let failed = |operation| move |source| AuditError::of_io(operation, path, source);
        match fs::symlink_metadata(path) {
            // Opening a pipe would wait for whoever reads it.
            Ok(found) => check(path, &found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at")(error)),
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path);
        let file = opened.map_err(failed("open"))?;
        // Of the open file, so that what is checked is what is written; and that no link came between.
        let metadata = file.metadata().map_err(failed("look at"))?;
        check(path, &metadata)?;
        let named = fs::symlink_metadata(path).map_err(failed("look at"))?;
        if identity(&named) != identity(&metadata) {
            return Err(AuditError::NotAFile { path: path.to_owned() });
        }
        lock(path, &file)?;
        File::open(directory_of(path)).and_then(|parent| parent.sync_all()).map_err(failed("sync the directory of"))?;
        let (identity, bytes) = (identity(&metadata), metadata.len());
        Ok(Self { path: path.to_owned(), file, identity, bytes, is_torn: false, lacks_newline: false })
    }

    /// Opens a file that was rotated away, if it is one of ours, to look at its end.
    fn open_rotated(path: &Path) -> Option<Self> {
        check(path, &fs::symlink_metadata(path).ok()?).ok()?;
        let file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        check(path, &metadata).ok()?;
        let (identity, bytes) = (identity(&metadata), metadata.len());
        let mut opened = Self { path: path.to_owned(), file, identity, bytes, is_torn: false, lacks_newline: false };
        if bytes > 0 && !opened.ends_with_newline().ok()? {
            let half = opened.backwards(bytes).next().ok()??;
            opened.bytes -= half.len() as u64;
        }
        Some(opened)
    }

    /// Finds where the trail ended that was moved away from a path while nobody wrote: of the files whose name begins so and
    /// that have the line `kept`, or follow one that has it, the one that goes furthest.
    pub(super) fn predecessor(path: &Path, kept: Head) -> Option<LastLine> {
        let candidates = Self::beside(path).filter_map(|file| {
            let last = file.last_line().ok()??;
            (last.head.seq > kept.seq && look_for(path, &file, last.head, kept).ok()?).then_some(last)
        });
        candidates.max_by_key(|last| last.head.seq)
    }

    /// Finds the file that was moved away from a path and ends with a line.
    pub(super) fn ending_with(path: &Path, end: Head) -> Option<Self> {
        Self::beside(path).find(|file| file.last_line().is_ok_and(|last| last.is_some_and(|last| last.head == end)))
    }

    /// Opens the trails whose name begins with that of a path.
    fn beside(path: &Path) -> impl Iterator<Item = Self> {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let others =
            fs::read_dir(directory_of(path)).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let others = others.filter(move |other| {
            let other = other.file_name().map(|other| other.as_encoded_bytes());
            other.is_some_and(|other| other != name && other.starts_with(&name))
        });
        others.filter_map(|other| Self::open_rotated(&other))
    }

    /// Says whether this file, which ends with the line `last`, has a line as it was written, or follows a file that has it.
    pub(super) fn follows(&self, last: Head, wanted: Head) -> io::Result<bool> {
        look_for(&self.path, self, last, wanted)
    }

    /// Finds the last line. Half a line behind it, which a crash left, is cut off.
    pub(super) fn recover(&mut self) -> Result<Found, AuditError> {
        let mut found = Found::default();
        let not_a_trail = || AuditError::NotATrail { path: self.path.clone() };
        if self.bytes > 0 && !self.ends_with_newline()? {
            let half = self.backwards(self.bytes).next().map_err(|error| self.failed("read", error))?;
            let half = half.ok_or_else(not_a_trail)?;
            let begins = half.len().min(LINE_BEGINS.len());
            if half[..begins] != LINE_BEGINS[..begins] && half.iter().any(|byte| *byte != 0) {
                return Err(not_a_trail());
            }
            found.dropped_bytes = half.len() as u64;
            self.bytes -= found.dropped_bytes;
            let cut = self.file.set_len(self.bytes).and_then(|()| self.file.sync_all());
            cut.map_err(|error| self.failed("cut half a line off", error))?;
        }
        if self.bytes == 0 {
            return Ok(found);
        }
        let last = self.last_line().map_err(|error| self.failed("read", error))?;
        found.last = Some(last.ok_or_else(not_a_trail)?);
        Ok(found)
    }

    fn last_line(&self) -> io::Result<Option<LastLine>> {
        let mut lines = self.lines();
        for foreign in 0..FOREIGN_LINES_MAX {
            let Some(line) = lines.next()? else { break };
            if let Ok(parsed) = Line::parse(&line) {
                if foreign > 0 {
                    warn!(path = %self.path.display(), lines = foreign, "the audit log ends with lines that are not ours");
                }
                let head = Head { seq: parsed.seq, hash: LineHash::of(&line) };
                let is_checkpoint = parsed.entry.event == event::CHECKPOINT;
                return Ok(Some(LastLine { head, is_checkpoint }));
            }
        }
        Ok(None)
    }

    /// Reads lines from the last one back.
    pub(super) fn lines(&self) -> Backwards<'_> {
        // The newline at the end begins no line.
        self.backwards(self.bytes.saturating_sub(1))
    }

    fn backwards(&self, end: u64) -> Backwards<'_> {
        Backwards::new(&self.file, end)
    }

    /// Says whether the path leads to another file now, or nowhere: then this one was moved away.
    pub(super) fn is_moved(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => identity(&found) != self.identity,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Says whether nobody can read what is added to this file any more.
    pub(super) fn is_unlinked(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds whole lines. When this returns they are on the disk; after an error nothing of them is.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), AuditError> {
        self.settle()?;
        let mut written = Ok(());
        if self.lacks_newline {
            written = self.file.write_all(b"\n");
        }
        let written = written.and_then(|()| self.file.write_all(lines)).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.bytes += lines.len() as u64 + u64::from(self.lacks_newline);
                self.lacks_newline = false;
                Ok(())
            }
            Err(error) => {
                self.is_torn = self.file.set_len(self.bytes).is_err();
                Err(self.failed("write", error))
            }
        }
    }

    /// Looks whether the file is as we left it.
    fn settle(&mut self) -> Result<(), AuditError> {
        if self.is_torn {
            self.file.set_len(self.bytes).map_err(|error| self.failed("cut half a line off", error))?;
            self.is_torn = false;
        }
        let bytes = self.file.metadata().map_err(|error| self.failed("look at", error))?.len();
        if bytes == self.bytes {
            return Ok(());
        }
        let (path, before) = (self.path.display(), self.bytes);
        if bytes < before {
            warn!(
                %path, before, bytes,
                "the audit log was cut: lines are lost that were not copied before, as logrotate's copytruncate does; the chain goes \
                 on in it"
            );
        } else {
            warn!(%path, before, bytes, "somebody else wrote to the audit log");
        }
        self.bytes = bytes;
        self.lacks_newline = bytes > 0 && !self.ends_with_newline()?;
        Ok(())
    }

    fn ends_with_newline(&self) -> Result<bool, AuditError> {
        let mut last = [0];
        let read = self.file.read_exact_at(&mut last, self.bytes.saturating_sub(1));
        read.map_err(|error| self.failed("read", error))?;
        Ok(last == *b"\n")
    }

    pub(super) fn failed(&self, operation: &'static str, error: io::Error) -> AuditError {
        AuditError::of_io(operation, &self.path, error)
    }
}

fn look_for(path: &Path, file: &TrailFile, last: Head, wanted: Head) -> io::Result<bool> {
    let found = look_back(path, Some(file), last, |line, hash| {
        // A line that names the wanted one is as good: the file that had it may be elsewhere by now.
        match line.seq.checked_sub(wanted.seq) {
            Some(0) => ControlFlow::Break(hash == wanted.hash),
            Some(1) if line.prev == wanted.hash => ControlFlow::Break(true),
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(false),
        }
    });
    Ok(found?.unwrap_or(false))
}

/// Refuses a place where no trail can be, without making or locking anything. `will_be` is a directory that is made first.
pub(crate) fn check_place(path: &Path, will_be: Option<&Path>) -> Result<(), AuditError> {
    match fs::symlink_metadata(path) {
        Ok(found) => return check(path, &found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(AuditError::of_io("look at", path, error)),
    }
    let directory = directory_of(path);
    if will_be.is_some_and(|will_be| will_be.starts_with(directory)) {
        return Ok(());
    }
    fs::metadata(directory).map(drop).map_err(|error| AuditError::of_io("open", path, error))
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), AuditError> {
    let path = || path.to_owned();
    if !metadata.is_file() {
        return Err(AuditError::NotAFile { path: path() });
    }
    let (found, expected) = (metadata.uid(), geteuid().as_raw());
    if found != expected {
        return Err(AuditError::WrongOwner { path: path(), found, expected });
    }
    let found = metadata.permissions().mode() & 0o777;
    if found & OTHERS_WRITE != 0 { Err(AuditError::Writable { path: path(), found }) } else { Ok(()) }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Keeps other servers away: two chains in one file are none.
fn lock(path: &Path, file: &File) -> Result<(), AuditError> {
    crate::lock::lock(file).map_err(|error| match error {
        TryLockError::WouldBlock => AuditError::InUse { path: path.to_owned() },
        TryLockError::Error(error) => AuditError::of_io("lock", path, error),
    })
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
