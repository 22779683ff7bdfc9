//! No secret reaches a report: of whole tokens, of tokens cut at every byte, and of tokens with a byte changed.

use proptest::prelude::*;

use super::*;

/// Fewest characters of a secret that count as that secret: less can be found anywhere.
const PIECE_CHARS: usize = 8;

/// Returns everything that anybody may see of a report.
fn seen(bytes: &[u8]) -> String {
    let report = inspect(bytes, at(NOW));
    format!("{} {report:?}", serde_json::to_string(&report).unwrap())
}

/// Says whether a piece of a secret is in a text.
fn shows(seen: &str, secret: &str) -> bool {
    let piece = PIECE_CHARS.min(secret.len());
    (0..=secret.len() - piece).any(|at| seen.contains(&secret[at..at + piece]))
}

fn tokens() -> Vec<(String, Vec<String>)> {
    let mut tokens: Vec<(String, Vec<String>)> = samples::OTHERS
        .iter()
        .map(|text| ((*text).to_owned(), samples::SECRETS.iter().map(|&secret| secret.to_owned()).collect()))
        .collect();
    for sample in samples::ALL {
        let token = UnverifiedToken::decode(sample.text).unwrap();
        tokens.push((sample.text.to_owned(), vec![token.claims().establishment_secret.expose().to_owned()]));
    }
    tokens
}

#[test]
fn no_secret_is_in_a_report_of_a_token_that_was_cut_at_any_byte() {
    for (text, secrets) in tokens() {
        // Of long tokens every seventh byte: neighbours say the same.
        let step = if text.len() > 400 { 7 } else { 1 };
        for end in (0..=text.len()).step_by(step).chain([text.len()]) {
            let seen = seen(&text.as_bytes()[..end]);
            for secret in &secrets {
                assert!(!shows(&seen, secret), "{end} of {text}\n{seen}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_secret_is_in_a_report_of_a_token_with_changes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        (before, after) in (".{0,12}", ".{0,12}"),
    ) {
        let tokens = tokens();
        let (text, secrets) = &tokens[which.index(tokens.len())];
        let mut bytes = text.trim().as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let seen = seen(&[before.as_bytes(), &bytes, after.as_bytes()].concat());
        for secret in secrets {
            prop_assert!(!shows(&seen, secret), "{}", seen);
        }
    }
}
