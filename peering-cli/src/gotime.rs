//! Times as Go prints them.

use jiff::Timestamp;

/// Prints a time in Go's default form, or `<nil>` for none.
///
/// # Shape
/// `2023-12-13 06:31:28.227392 +0000 UTC`, trailing zeros of the fraction cut; the zero time is
/// `0001-01-01 00:00:00 +0000 UTC`.
///
/// # Source
/// `Time.String` of Go 1.22, and its formatting of a nil pointer.
pub(crate) fn default_form(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "<nil>".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string())
}

/// Prints a time as RFC 3339 with whole seconds, such as `2024-01-02T03:04:05Z`.
pub(crate) fn rfc3339_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_lose_their_trailing_zeros() {
        for (given, printed) in [
            ("2023-12-13T06:31:28.227392Z", "2023-12-13 06:31:28.227392 +0000 UTC"),
            ("2023-12-13T06:31:28.120Z", "2023-12-13 06:31:28.12 +0000 UTC"),
            ("2023-12-13T06:31:28.000000001Z", "2023-12-13 06:31:28.000000001 +0000 UTC"),
            ("2023-12-13T06:31:28Z", "2023-12-13 06:31:28 +0000 UTC"),
            ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"),
        ] {
            assert_eq!(default_form(Some(given.parse().unwrap())), printed);
        }
        assert_eq!(default_form(None), "<nil>");
    }

    #[test]
    fn a_deletion_time_has_whole_seconds() {
        assert_eq!(rfc3339_seconds("2024-01-02T03:04:05.9Z".parse().unwrap()), "2024-01-02T03:04:05Z");
    }
}
