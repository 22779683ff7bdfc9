//! Looks back over the lines of a trail, from a file into the one that it follows.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use peering_core::audit::{Head, Line, LineHash};

use super::file::TrailFile;

/// Shows lines, the last one first, until `look` breaks off or no file has the line before. A file without lines follows
/// the one that ends with `end`. Lines that are not ours are passed over.
///
/// # Errors
/// [`io::Error`] if the file cannot be read.
pub(super) fn look_back<T>(
    path: &Path,
    file: Option<&TrailFile>,
    end: Head,
    mut look: impl FnMut(Line, LineHash) -> ControlFlow<T>,
) -> io::Result<Option<T>> {
    let mut before = end;
    let mut moved: Option<TrailFile> = None;
    // Each file ends before the last one: what somebody wrote may lead in a circle.
    let mut ended = u64::MAX;
    loop {
        if let Some(file) = moved.as_ref().or(file) {
            let mut lines = file.lines();
            while let Some(bytes) = lines.next()? {
                let Ok(line) = Line::parse(&bytes) else { continue };
                let follows = Head { seq: line.seq.saturating_sub(1), hash: line.prev };
                if let ControlFlow::Break(found) = look(line, LineHash::of(&bytes)) {
                    return Ok(Some(found));
                }
                before = follows;
            }
        }
        let is_earlier = before.seq > 0 && before.seq < ended;
        let Some(found) = is_earlier.then(|| TrailFile::ending_with(path, before)).flatten() else { return Ok(None) };
        ended = before.seq;
        moved = Some(found);
    }
}
