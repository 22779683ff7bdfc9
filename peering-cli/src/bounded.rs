//! Reads files and standard input up to a bound, since neither says how much it holds.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads everything, or one byte more than `bytes_max` if there is more.
///
/// # Errors
/// Whatever the reader fails with.
pub(crate) fn read_one_more(reader: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads everything, or nothing if there are more than `bytes_max` bytes.
///
/// # Errors
/// Whatever the reader fails with.
pub(crate) fn read(reader: impl Read, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let bytes = read_one_more(reader, bytes_max)?;
    Ok(u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max).then_some(bytes))
}

/// Reads a text, or nothing if it is longer than `bytes_max` bytes.
///
/// # Errors
/// Those of [`read`], and `InvalidData` if the bytes are not UTF-8.
pub(crate) fn read_text(reader: impl Read, bytes_max: u64) -> io::Result<Option<String>> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "not valid UTF-8");
    read(reader, bytes_max)?.map(|bytes| String::from_utf8(bytes).map_err(not_text)).transpose()
}

/// Reads a file of text, or nothing if it is longer than `bytes_max` bytes.
///
/// # Errors
/// Those of [`read_text`], and whatever keeps the file from being opened.
pub(crate) fn read_text_file(path: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    read_text(File::open(path)?, bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_itself_is_read_and_one_more_is_not() {
        assert_eq!(read(&b"abc"[..], 3).unwrap().unwrap(), b"abc");
        assert_eq!(read(&b"abcd"[..], 3).unwrap(), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error() {
        assert_eq!(read_text(&[0xff][..], 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
