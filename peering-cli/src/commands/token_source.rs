//! Where a peering token is given: a file or standard input, rather than an argument that other users can see.

use std::io;
use std::path::Path;

use peering_core::token::paste::clean;
use peering_core::token::{TOKEN_BYTES_MAX, UnverifiedToken};

use crate::args::hidden::HiddenText;
use crate::bounded;
use crate::commands::error::CommandError;
use crate::world::World;

/// Most bytes that are read: twice the longest token, which leaves room for line ends and for UTF-16.
pub(crate) const TOKEN_FILE_BYTES_MAX: u64 = 2 * TOKEN_BYTES_MAX as u64;

/// Reads what is in a file, or on standard input for `-`: as much as is looked at, and one byte by which more is known.
///
/// # Errors
/// [`CommandError::TokenFile`] if it cannot be read.
pub(crate) fn read_bytes(path: &Path, world: &mut World<'_>) -> Result<Vec<u8>, CommandError> {
    let bytes = if path == Path::new("-") {
        bounded::read_one_more(&mut *world.stdin, TOKEN_FILE_BYTES_MAX)
    } else {
        std::fs::File::open(path).and_then(|file| bounded::read_one_more(file, TOKEN_FILE_BYTES_MAX))
    };
    bytes.map_err(|source| CommandError::TokenFile { place: name(path), source })
}

/// Reads the peering token in a file, or on standard input for `-`, as [`meant`] has it.
///
/// # Errors
/// Those of [`read_bytes`], and [`CommandError`] for what is too long, empty or no text.
pub(crate) fn read(path: &Path, world: &mut World<'_>) -> Result<HiddenText, CommandError> {
    let (bytes, place) = (read_bytes(path, world)?, name(path));
    if u64::try_from(bytes.len()).is_ok_and(|length| length > TOKEN_FILE_BYTES_MAX) {
        return Err(CommandError::TokenTooLarge { place, bytes_max: TOKEN_FILE_BYTES_MAX });
    }
    if bytes.trim_ascii().is_empty() {
        return Err(CommandError::TokenMissing { place });
    }
    meant(&bytes).or_else(|| String::from_utf8(bytes).ok().map(|text| text.trim().to_owned().into())).ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "not valid UTF-8");
        CommandError::TokenFile { place, source }
    })
}

/// Returns the peering token in a text, without what was pasted around it; nothing if that leaves no peering token. What
/// is wrong with a text is for the server to say.
pub(crate) fn meant(bytes: &[u8]) -> Option<HiddenText> {
    let pasted = clean(bytes).ok()?;
    UnverifiedToken::decode(pasted.text()).ok().map(|_| pasted.text().to_owned().into())
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}
