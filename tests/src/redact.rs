//! Replaces what differs from run to run by marks, so that the rest can be compared to the character.
//!
//! | printed | mark |
//! |---|---|
//! | a UUID | `<id>` |
//! | a time of RFC 3339 or as Go prints it | `<time>` |
//! | a peering token | `<token>` |
//! | a PEM certificate, also with escaped line ends | `<certificate>` |
//! | a loopback address with port | `<address>` |
//! | a span before ` ago` or after `in ` | `<age>` |
//! | the text of a key that ends in `Age` | `<age>` |
//! | the number after `Index: ` or `Index":` | `<index>` |

/// Lengths of the groups of hexadecimal digits in a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
/// Shortest text that counts as a token; a real one has more than a thousand characters.
const TOKEN_CHARS_MIN: usize = 200;
/// What each certificate begins with.
const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
/// What each certificate ends with.
const PEM_END: &str = "-----END CERTIFICATE-----";

/// Returns the text with marks in it.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_inside_word = redacted.ends_with(|last: char| last.is_ascii_alphanumeric());
        let found = (!is_inside_word).then(|| marked(rest)).flatten();
        let length = match found {
            Some((length, mark)) => {
                redacted.push_str(mark);
                length
            }
            None if is_span(&redacted, rest) => {
                redacted.push_str("<age>");
                span(rest)
            }
            None if is_after_index(&redacted) && digits(rest) > 0 => {
                redacted.push_str("<index>");
                digits(rest)
            }
            None => {
                redacted.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    redacted
}

/// Returns the length and the mark of what the text begins with, if that is one of the above.
fn marked(text: &str) -> Option<(usize, &'static str)> {
    let found = |length: Option<usize>, mark| length.map(|length| (length, mark));
    found(uuid(text), "<id>")
        .or_else(|| found(time(text), "<time>"))
        .or_else(|| found(token(text), "<token>"))
        .or_else(|| found(certificate(text), "<certificate>"))
        .or_else(|| found(address(text), "<address>"))
}

fn is_after_index(text: &str) -> bool {
    text.ends_with("Index\":") || text.ends_with(' ') && text.trim_end_matches(' ').ends_with("Index:")
}

/// Says whether a span of time follows that differs from run to run.
fn is_span(before: &str, text: &str) -> bool {
    let after = &text[span(text)..];
    span(text) > 0
        && (after.starts_with(" ago") || before.ends_with("Redial:         in ") || before.ends_with("Age\":\""))
}

/// Returns the length of a span as Go writes it, `1m4.2s`.
fn span(text: &str) -> usize {
    let length = text.bytes().take_while(|byte| byte.is_ascii_digit() || b".hms".contains(byte)).count();
    if digits(text) > 0 && text[..length].ends_with(['h', 'm', 's']) { length } else { 0 }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn uuid(text: &str) -> Option<usize> {
    let mut length = 0;
    for (place, group) in UUID_GROUPS.into_iter().enumerate() {
        let separator = usize::from(place > 0);
        let part = text.get(length..length + separator + group)?;
        let is_hex = part[separator..].bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || separator == 1 && !part.starts_with('-') {
            return None;
        }
        length += separator + group;
    }
    Some(length)
}

/// Matches `2026-11-22 01:30:21.15 +0000 UTC` and `2026-11-22T01:30:21.15Z`, with or without a fraction.
fn time(text: &str) -> Option<usize> {
    const SHAPES: [&str; 2] = ["0000-00-00 00:00:00", "0000-00-00T00:00:00"];
    let shown = text.get(..19)?;
    let shape: String = shown.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    let is_year_one = shown.starts_with("0001-");
    if is_year_one || !SHAPES.contains(&shape.as_str()) {
        return None;
    }
    let after = &text[19..];
    let fraction = after.strip_prefix('.').map_or(0, |fraction| 1 + digits(fraction));
    let zone = [" +0000 UTC", "Z"].into_iter().find(|zone| after[fraction..].starts_with(zone))?;
    Some(19 + fraction + zone.len())
}

fn token(text: &str) -> Option<usize> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let length = text.bytes().take_while(is_base64).count();
    (text.starts_with("eyJ") && length >= TOKEN_CHARS_MIN).then_some(length)
}

fn certificate(text: &str) -> Option<usize> {
    if !text.starts_with(PEM_BEGIN) {
        return None;
    }
    text.find(PEM_END).map(|end| end + PEM_END.len())
}

fn address(text: &str) -> Option<usize> {
    let length = text.bytes().take_while(|byte| byte.is_ascii_digit() || b".:".contains(byte)).count();
    // What follows may be punctuation of the sentence.
    let shown = text[..length].trim_end_matches(['.', ':']);
    let address: std::net::SocketAddr = shown.parse().ok()?;
    address.ip().is_loopback().then_some(shown.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_becomes_a_mark() {
        let token = format!("eyJ{}=", "A".repeat(TOKEN_CHARS_MIN));
        for (printed, redacted) in [
            ("ID: d0253ff6-7554-4402-b6a0-e1e0d74210e9.", "ID: <id>."),
            ("server.dc1.peering.d0253ff6-7554-4402-b6a0-e1e0d74210e9.consul", "server.dc1.peering.<id>.consul"),
            ("at 2026-11-22 01:30:21.15578016 +0000 UTC\n", "at <time>\n"),
            ("\"2026-11-22T01:30:21Z\"", "\"<time>\""),
            (token.as_str(), "<token>"),
            ("-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----\\n", "<certificate>\\n"),
            ("on 127.0.0.1:33981: ", "on <address>: "),
            ("Create Index: 12\n", "Create Index: <index>\n"),
            ("\"ModifyIndex\":7,", "\"ModifyIndex\":<index>,"),
            ("Sent: 1m4.2s ago, 300ms ago, 0s ago", "Sent: <age> ago, <age> ago, <age> ago"),
            ("Next Redial:         in 3.1s, after", "Next Redial:         in <age>, after"),
            ("\"LastSendAge\":\"1.2s\"", "\"LastSendAge\":\"<age>\""),
        ] {
            assert_eq!(redact(printed), redacted);
        }
    }

    #[test]
    fn everything_else_stays() {
        for printed in [
            "0001-01-01 00:00:00 +0000 UTC",
            "10.0.0.1:8503",
            "127.0.0.1",
            "eyJzaG9ydA==",
            "d0253ff6-7554",
            "Index of nothing",
            "long ago, after 30s",
            "5 ago",
            "größer → 3",
            "",
        ] {
            assert_eq!(redact(printed), printed);
        }
    }
}
