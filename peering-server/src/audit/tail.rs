//! The lines of a file, from the last one back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes read at once.
const BLOCK_BYTES: u64 = 64 << 10;
/// Longest line that is read: more than any of ours, so that a file of something else does not fill the memory.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Reads lines, the last one first.
pub(super) struct Backwards<'a> {
    file: &'a File,
    /// Where what was read begins.
    at: u64,
    /// What was read and not returned.
    kept: Vec<u8>,
    is_over: bool,
}

impl<'a> Backwards<'a> {
    /// Begins with the line that ends at `end`.
    pub(super) const fn new(file: &'a File, end: u64) -> Self {
        Self { file, at: end, kept: Vec::new(), is_over: false }
    }

    /// Returns the line before, without its newline; `None` at the beginning of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(newline) = self.kept.iter().rposition(|byte| *byte == b'\n') {
                let line = self.kept.split_off(newline + 1);
                self.kept.pop();
                return Ok(Some(line));
            }
            if self.at == 0 {
                let is_over = std::mem::replace(&mut self.is_over, true);
                return Ok((!is_over).then(|| std::mem::take(&mut self.kept)));
            }
            if self.kept.len() > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any of an audit trail"));
            }
            let bytes = self.at.min(BLOCK_BYTES);
            self.at -= bytes;
            let mut block = vec![0; usize::try_from(bytes).unwrap_or_default()];
            self.file.read_exact_at(&mut block, self.at)?;
            block.append(&mut self.kept);
            self.kept = block;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backwards(text: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        std::fs::write(&path, text).unwrap();
        let file = File::open(path).unwrap();
        let mut lines = Backwards::new(&file, text.len() as u64);
        let mut read = Vec::new();
        while let Some(line) = lines.next()? {
            read.push(line);
        }
        assert!(lines.next().unwrap().is_none());
        Ok(read)
    }

    #[test]
    fn lines_come_back_from_the_last_to_the_first_over_every_border() {
        let mut text = Vec::new();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for length in 0..1_000 {
            lines.push(vec![b'x'; length % 700]);
        }
        text.extend(lines.join(&b'\n'));
        assert!(text.len() as u64 > 4 * BLOCK_BYTES);
        lines.reverse();
        assert_eq!(backwards(&text).unwrap(), lines);
        assert_eq!(backwards(b"").unwrap(), [b""]);
        assert_eq!(backwards(b"\n").unwrap(), [b"", b""]);
    }

    #[test]
    fn a_line_of_a_mebibyte_is_no_line_of_a_trail() {
        let refused = backwards(&vec![b'x'; LINE_BYTES_MAX + 2 * 64 * 1_024]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}
