//! Replaces what Go reads and serde_json refuses: broken UTF-8, lone surrogates, and numbers too large for a float.

/// Rewrites a well-formed JSON text so that every reader takes it. Nobody reads the numbers, so each becomes a zero.
pub(super) fn tame(json: &[u8]) -> Vec<u8> {
    let mut tame = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(&byte) = rest.first() {
        let taken = match byte {
            b'"' => string(rest, &mut tame),
            b'-' | b'0'..=b'9' => {
                tame.push(b'0');
                rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count()
            }
            other => {
                tame.push(other);
                1
            }
        };
        rest = &rest[taken..];
    }
    tame
}

/// Copies a string with its quotes and returns its length.
fn string(text: &[u8], tame: &mut Vec<u8>) -> usize {
    let mut at = 1;
    tame.push(b'"');
    let mut plain = at;
    while at < text.len() && text[at] != b'"' {
        if text[at] != b'\\' {
            at += 1;
            continue;
        }
        push_utf8(&text[plain..at], tame);
        let (length, is_lone) = escape(&text[at..]);
        tame.extend_from_slice(if is_lone { b"\\ufffd" } else { &text[at..at + length] });
        at += length;
        plain = at;
    }
    push_utf8(&text[plain..at], tame);
    tame.push(b'"');
    (at + 1).min(text.len())
}

/// Returns the length of the escape at the start, a pair of surrogates counting as one, and whether it is half a pair.
fn escape(text: &[u8]) -> (usize, bool) {
    const HALF: usize = 6;
    match unit(text) {
        Some(0xd800..0xdc00) => match unit(text.get(HALF..).unwrap_or_default()) {
            Some(0xdc00..0xe000) => (2 * HALF, false),
            _ => (HALF, true),
        },
        Some(0xdc00..0xe000) => (HALF, true),
        Some(_) => (HALF, false),
        None => (text.len().min(2), false),
    }
}

/// Reads `\uXXXX`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Copies text, each byte that is no UTF-8 becoming one U+FFFD.
fn push_utf8(text: &[u8], tame: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        tame.extend_from_slice(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            tame.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broken_byte_and_each_half_pair_becomes_one_replacement() {
        for (wild, read) in [
            (&b"\"a\xff\xe2\x82b\""[..], "a\u{fffd}\u{fffd}\u{fffd}b"),
            (br#""\ud83d\ude00""#, "😀"),
            (br#""\ud83dx""#, "\u{fffd}x"),
            (br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (br#""\ud83d\n\\ud83d""#, "\u{fffd}\n\\ud83d"),
            (br#""\"\\""#, "\"\\"),
        ] {
            assert_eq!(serde_json::from_slice::<String>(&tame(wild)).unwrap(), read);
        }
    }

    #[test]
    fn numbers_outside_strings_become_zero() {
        assert_eq!(tame(br#"{"1e999":[1e999,-0.5E+9,12]}"#), br#"{"1e999":[0,0,0]}"#);
    }
}
