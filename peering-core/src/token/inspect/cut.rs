//! Why a text that begins or ends like a token is none: whether a part of it is missing, and where.

use serde::de::IgnoredAny;

use super::Kind;
use crate::token::paste::decode;

/// Characters that a piece of a token has at least to be taken for one without its beginning.
const PIECE_CHARS_MIN: usize = 40;

/// What can be said of base64 that holds no whole JSON object.
pub(super) struct Damage {
    /// What it would be.
    pub(super) kind: Kind,
    /// Where it ends or begins, or which byte is wrong.
    pub(super) cause: String,
    /// Whether a part is missing; else a part is wrong.
    pub(super) is_cut: bool,
}

/// Looks at a text that is no token for what remains of one.
pub(super) fn look(text: &str) -> Option<Damage> {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if !text.chars().all(is_base64) {
        return None;
    }
    let characters = text.len();
    let decoded = decode(text);
    if decoded.first() != Some(&b'{') {
        return begun_late(text);
    }
    let kind = kind(&decoded);
    let bytes = decoded.len();
    let error = serde_json::from_slice::<IgnoredAny>(&decoded).err();
    let groups = if text.trim_end_matches('=').len() % 4 == 1 { ", and a group of four is not whole" } else { "" };
    let (is_cut, cause) = match error {
        Some(error) if error.is_eof() => {
            let cause = format!(
                "it looks cut off after character {characters}: the JSON inside ends within, after {bytes} bytes{groups}"
            );
            (true, cause)
        }
        Some(error) if error.line() == 1 => {
            let (byte, near) = (error.column(), error.column().div_ceil(3) * 4);
            (false, format!("the JSON inside is damaged at byte {byte}, near character {near} of {characters}"))
        }
        Some(_) => (false, format!("the JSON inside is damaged; the token has {characters} characters")),
        None => (false, format!("its base64 is not whole groups of four; it has {characters} characters")),
    };
    Some(Damage { kind, cause, is_cut })
}

/// A piece of base64 JSON without its beginning can be read at one of four offsets.
fn begun_late(text: &str) -> Option<Damage> {
    if text.len() < PIECE_CHARS_MIN {
        return None;
    }
    let is_readable = |decoded: &[u8]| {
        let texts = decoded.iter().filter(|byte| byte.is_ascii_graphic() || **byte == b' ').count();
        texts == decoded.len() && decoded.contains(&b'"')
    };
    let piece = (0..4).map(|skipped| decode(&text[skipped..])).find(|decoded| is_readable(decoded))?;
    let cause = format!("its beginning is missing: what is left, {} characters, is the rest of a token", text.len());
    Some(Damage { kind: kind(&piece), cause, is_cut: true })
}

/// Says by its keys what a piece of JSON belongs to.
fn kind(json: &[u8]) -> Kind {
    let has = |key: &str| json.windows(key.len()).any(|window| window == key.as_bytes());
    if has("\"TokenID\":") || has("\"PeerName\":") {
        Kind::Peering
    } else if [
        "\"CA\":",
        "ServerAddresses\":",
        "\"ServerName\":",
        "\"PeerID\":",
        "\"EstablishmentSecret\":",
        "\"Remote\":",
        "\"Datacenter\":",
    ]
    .into_iter()
    .any(has)
    {
        Kind::ConsulPeering
    } else if ["\"ver\":", "\"adr\":", "\"fgr\":"].into_iter().any(has) {
        Kind::ElasticsearchEnrollment
    } else {
        Kind::Unknown
    }
}
