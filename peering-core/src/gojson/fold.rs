//! Keys in any case.

/// Finds the field that a key names: exactly, or else with case folded as Go folds it.
///
/// Field names are ASCII. Two letters outside ASCII fold into it: U+017F is an `s` and U+212A is a `k`.
pub(super) fn field(fields: &[&'static str], key: &str) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    exact.or_else(|| fields.iter().find(|field| folds_to(key, field))).copied()
}

fn folds_to(key: &str, field: &str) -> bool {
    let letters = key.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    letters.eq(field.chars().map(|c| c.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_the_two_foreign_letters_are_folded() {
        const FIELDS: &[&str] = &["ServerName", "Token"];
        for key in ["ServerName", "servername", "SERVERNAME", "\u{17f}erverName"] {
            assert_eq!(field(FIELDS, key), Some("ServerName"), "{key}");
        }
        assert_eq!(field(FIELDS, "To\u{212a}en"), Some("Token"));
        for key in ["", "server_name", "ServerNam", "ServerNameX", "ServerNamé", "Server\u{130}ame"] {
            assert_eq!(field(FIELDS, key), None, "{key}");
        }
    }
}
