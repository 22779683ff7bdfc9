//! Peering tokens taken apart and put together again, as a stranger would.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Returns the JSON text inside a token.
#[must_use]
pub fn text(token: &str) -> String {
    String::from_utf8(STANDARD.decode(token).unwrap()).unwrap()
}

/// Returns what a token says.
#[must_use]
pub fn claims(token: &str) -> Value {
    serde_json::from_str(&text(token)).unwrap()
}

/// Makes a token that says this.
#[must_use]
pub fn of(claims: &Value) -> String {
    STANDARD.encode(claims.to_string())
}

/// Returns the token with something changed in it.
#[must_use]
pub fn changed(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(token);
    change(&mut claims);
    of(&claims)
}

/// Returns the text of a claim.
#[must_use]
pub fn claim(token: &str, key: &str) -> String {
    let claims = claims(token);
    claims[key].as_str().unwrap_or_else(|| panic!("no text {key} in {claims}")).to_owned()
}
