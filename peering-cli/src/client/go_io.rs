//! Errors of the operating system in Go's words.

use std::io;
use std::path::Path;

/// Returns the words that Go has for an error of the operating system, such as `connection refused`.
///
/// Go's table is that of the C library in lower case, so Rust's text is taken without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error ").map_or(text.as_str(), |(words, _)| words);
    if error.raw_os_error().is_none() {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Returns the words for a file that cannot be read, such as `open /x: no such file or directory`.
///
/// A directory is the one file that can be opened and not read.
pub(crate) fn file_reason(path: &Path, error: &io::Error) -> String {
    let step = if error.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
    format!("{step} {}: {}", path.display(), reason(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_without_a_number() {
        // Linux: 2 ENOENT, 13 EACCES, 104 ECONNRESET, 111 ECONNREFUSED, 113 EHOSTUNREACH.
        for (number, words) in [
            (2, "no such file or directory"),
            (13, "permission denied"),
            (104, "connection reset by peer"),
            (111, "connection refused"),
            (113, "no route to host"),
        ] {
            assert_eq!(reason(&io::Error::from_raw_os_error(number)), words);
        }
        assert_eq!(reason(&io::Error::other("Kept as it is")), "Kept as it is");
    }

    #[test]
    fn a_directory_is_opened_but_not_read() {
        let words = |number| file_reason(Path::new("/x"), &io::Error::from_raw_os_error(number));
        assert_eq!(words(2), "open /x: no such file or directory");
        assert_eq!(words(21), "read /x: is a directory");
    }
}
