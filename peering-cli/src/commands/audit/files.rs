//! The files of an audit trail, line by line, the oldest first.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use peering_core::audit::{LINE_BYTES_MAX, Line};

use crate::commands::audit::error::AuditError;
use crate::world::World;

/// What a file that gzip made begins with.
const GZIP_BEGINS: [u8; 2] = [0x1f, 0x8b];

/// A file that was opened.
struct Opened<'a> {
    place: String,
    lines: Lines<'a>,
    /// Its first line, and whether that was a whole one.
    first: Option<(Vec<u8>, bool)>,
}

/// Reads every line of these files, and tells with it where it stands and whether it ended in a newline. Files come in the
/// order of their first lines, so that they may be named in any: `audit.log*` gives the newest first.
pub(super) fn each_line(
    paths: &[PathBuf],
    world: &mut World<'_>,
    mut file: impl FnMut(Event<'_>),
) -> Result<(), AuditError> {
    if paths.is_empty() {
        return Err(AuditError::NoFile);
    }
    let mut stdin = Some(&mut *world.stdin);
    let mut opened: Vec<Opened<'_>> = Vec::new();
    for path in paths {
        let place = path.display().to_string();
        let failed = |source| AuditError::File { place: place.clone(), source };
        let reader: Box<dyn Read + '_> = match stdin.take_if(|_| path == Path::new("-")) {
            Some(stdin) => Box::new(stdin),
            None => Box::new(File::open(path).map_err(failed)?),
        };
        let mut lines = Lines(BufReader::new(reader));
        if lines.0.fill_buf().map_err(failed)?.starts_with(&GZIP_BEGINS) {
            return Err(AuditError::Compressed(place));
        }
        let first = lines.next().map_err(failed)?;
        opened.push(Opened { place, lines, first });
    }
    let seq = |opened: &Opened<'_>| opened.first.as_ref().and_then(|(line, _)| Some(Line::parse(line).ok()?.seq));
    // One whose first line cannot be read stays at the end, where it was most likely cut.
    opened.sort_by_key(|opened| seq(opened).unwrap_or(u64::MAX));
    for Opened { place, mut lines, mut first } in opened {
        file(Event::File(&place));
        while let Some((line, is_whole)) = first.take() {
            file(Event::Line(&line, is_whole));
            first = lines.next().map_err(|source| AuditError::File { place: place.clone(), source })?;
        }
    }
    Ok(())
}

/// What [`each_line`] tells.
pub(super) enum Event<'a> {
    /// The next file begins.
    File(&'a str),
    /// A line, and whether it was a whole one.
    Line(&'a [u8], bool),
}

struct Lines<'a>(BufReader<Box<dyn Read + 'a>>);

impl Lines<'_> {
    /// Reads a line. Of one that is longer than any of a trail, only the beginning is kept.
    fn next(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let mut line = Vec::new();
        let bytes_max = LINE_BYTES_MAX as u64 + 2;
        if self.0.by_ref().take(bytes_max).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let is_cut = line.len() as u64 == bytes_max && line.last() != Some(&b'\n');
        let is_whole = line.pop_if(|byte| *byte == b'\n').is_some();
        Ok(Some((line, is_whole || (is_cut && self.skip()?))))
    }

    /// Passes over the rest of a line; says whether it ends in a newline.
    fn skip(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.0.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let bytes = newline.map_or(buffer.len(), |at| at + 1);
            self.0.consume(bytes);
            if newline.is_some() {
                return Ok(true);
            }
        }
    }
}
