//! Where a peering token is given: a file or standard input, rather than an argument that other users can see.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use peering_core::token::inspect::{Code, Finding, Severity};
use peering_core::token::paste::{Mended, clean_peering};
use peering_core::token::{TOKEN_BYTES_MAX, UnverifiedToken, inspect};

use crate::args::hidden::HiddenText;
use crate::bounded;
use crate::client::error::ClientError;
use crate::commands::error::CommandError;
use crate::output::escape::line;
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
/// Those of [`read_bytes`] and [`meant`], and [`CommandError`] for what is too long, empty or no text.
pub(crate) fn read(path: &Path, world: &mut World<'_>) -> Result<HiddenText, CommandError> {
    let (bytes, place) = (read_bytes(path, world)?, name(path));
    if u64::try_from(bytes.len()).is_ok_and(|length| length > TOKEN_FILE_BYTES_MAX) {
        return Err(CommandError::TokenTooLarge { place, bytes_max: TOKEN_FILE_BYTES_MAX });
    }
    if bytes.trim_ascii().is_empty() {
        return Err(CommandError::TokenMissing { place });
    }
    let token = meant(&bytes, &place, world)?;
    Ok(token.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned().into()))
}

/// Returns the peering token in a text without what was pasted around it, and tells that on standard error; nothing if
/// that leaves no peering token and the text can be sent as it was given. What is wrong with it is for the server to say.
///
/// # Errors
/// [`CommandError::SeveralTokens`] if there are different peering tokens, [`CommandError::TokenFile`] for what is no text.
pub(crate) fn meant(bytes: &[u8], place: &str, world: &mut World<'_>) -> Result<Option<HiddenText>, CommandError> {
    let pasted = clean_peering(bytes).map_err(|error| CommandError::TokenFile {
        place: place.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    let mended = pasted.mended();
    if mended.contains(&Mended::Several) {
        return Err(CommandError::SeveralTokens { place: place.to_owned() });
    }
    if UnverifiedToken::decode(pasted.text()).is_err() && !mended.contains(&Mended::Utf16) {
        return Ok(None);
    }
    if !mended.is_empty() {
        let told: Vec<String> = mended.iter().map(Mended::to_string).collect();
        world.output.message(&format!("Note: {}", told.join("; ")));
    }
    Ok(Some(pasted.text().to_owned().into()))
}

/// Explains a token that a server has refused, if it can be seen by looking at it that it is none: servers say it in the
/// words of what reads their base64 and JSON.
pub(crate) fn doubt(token: &str, refusal: &ClientError, now: Timestamp) -> Option<String> {
    // Who may not establish, or asks too often, is told so whatever the token is.
    let is_of_token = matches!(refusal, ClientError::Status { code, .. } if !matches!(code, 401 | 403 | 429));
    let report = inspect(token, now);
    // A token without CA is an error unless the server allows it: that it does, or not, it says by itself.
    let is_error = |finding: &&Finding| finding.severity == Severity::Error && finding.code != Code::Plaintext;
    // A token of another kind is explained by that, whatever else is wrong with it.
    let other = report.findings.iter().find(|finding| finding.code == Code::OtherKind);
    let finding = other.or_else(|| report.findings.iter().find(is_error)).filter(|_| is_of_token)?;
    Some(format!("{}: {}; peering inspect tells more", line(&finding.cause), finding.next_step))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}
