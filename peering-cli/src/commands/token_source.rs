//! Where a peering token is given: a file or standard input, rather than an argument that other users can see.

use std::path::Path;

use peering_core::token::TOKEN_BYTES_MAX;

use crate::args::hidden::HiddenText;
use crate::bounded;
use crate::commands::error::CommandError;
use crate::world::World;

/// Most bytes that are read: twice the longest token, which leaves room for line ends.
pub(crate) const TOKEN_FILE_BYTES_MAX: u64 = 2 * TOKEN_BYTES_MAX as u64;

/// Reads the token in a file, or on standard input for `-`, without the blanks around it.
///
/// # Errors
/// [`CommandError`] if it cannot be read, is too long, or there is none.
pub(crate) fn read(path: &Path, world: &mut World<'_>) -> Result<HiddenText, CommandError> {
    let is_stdin = path == Path::new("-");
    let place = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let text = if is_stdin {
        bounded::read_text(&mut *world.stdin, TOKEN_FILE_BYTES_MAX)
    } else {
        bounded::read_text_file(path, TOKEN_FILE_BYTES_MAX)
    };
    let text = match text {
        Ok(Some(text)) => text,
        Ok(None) => return Err(CommandError::TokenTooLarge { place, bytes_max: TOKEN_FILE_BYTES_MAX }),
        Err(source) => return Err(CommandError::TokenFile { place, source }),
    };
    let token = text.trim();
    if token.is_empty() { Err(CommandError::TokenMissing { place }) } else { Ok(token.to_owned().into()) }
}
