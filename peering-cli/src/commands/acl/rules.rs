//! Texts that a flag names rather than holds: a file, standard input, or the value itself.

use std::io;
use std::path::Path;

use super::error::SourceError;
use crate::args::hidden::HiddenText;
use crate::bounded;
use crate::world::World;

/// Most bytes that are read: more than the body of any request may have.
const SOURCE_BYTES_MAX: u64 = 2 << 20;

/// Reads rules: `@` and a file, `-` for standard input, or the rules themselves.
///
/// # Errors
/// [`SourceError`] if they cannot be read.
pub(super) fn read(value: &str, world: &mut World<'_>) -> Result<String, SourceError> {
    match value.strip_prefix('@') {
        Some(path) => read_file(Path::new(path)),
        None if value == "-" => read_stdin(world),
        None => Ok(value.to_owned()),
    }
}

/// Reads a secret from a file, or standard input for `-`, without the blanks around it.
///
/// # Errors
/// [`SourceError`] if it cannot be read.
pub(super) fn read_secret(place: &Path, world: &mut World<'_>) -> Result<HiddenText, SourceError> {
    let text = match place.as_os_str().as_encoded_bytes() {
        b"" => return Err(SourceError::Unnamed),
        b"-" => read_stdin(world)?,
        _ => read_file(place)?,
    };
    Ok(text.trim().to_owned().into())
}

/// Reads a file.
///
/// # Errors
/// [`SourceError`] if it cannot be read.
pub(super) fn read_file(path: &Path) -> Result<String, SourceError> {
    let text = bounded::read_text_file(path, SOURCE_BYTES_MAX);
    within_bound(text, |source| SourceError::File { path: path.to_owned(), source })
}

fn read_stdin(world: &mut World<'_>) -> Result<String, SourceError> {
    within_bound(bounded::read_text(&mut *world.stdin, SOURCE_BYTES_MAX), SourceError::Stdin)
}

fn within_bound(
    text: io::Result<Option<String>>,
    unread: impl FnOnce(io::Error) -> SourceError,
) -> Result<String, SourceError> {
    text.map_err(unread)?.ok_or(SourceError::TooLarge { bytes_max: SOURCE_BYTES_MAX })
}
