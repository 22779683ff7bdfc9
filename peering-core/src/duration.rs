//! Durations as Go writes them: `90s`, `1h30m`, `1.5h`, `100ms`.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::foreign::echo;

/// Nanoseconds in a second, the unit from which Go prints hours, minutes and seconds.
const SECOND_NANOS: u64 = 1_000_000_000;

/// Largest magnitude while a text is being read: one more than `i64::MAX`, because `-2562047h47m16.854775808s` exists.
const MAGNITUDE_MAX: u64 = 1 << 63;

/// Says why a text is not a Go duration. The texts are Go's, with what was given cut at
/// [`ECHO_BYTES_MAX`](crate::foreign::ECHO_BYTES_MAX).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Not of the grammar, or outside the range.
    #[error("time: invalid duration {}", Quoted(.0))]
    Invalid(String),
    /// A number without a unit, such as `10`.
    #[error("time: missing unit in duration {}", Quoted(.0))]
    MissingUnit(String),
    /// A number with a unit that Go does not know, such as `3d`.
    #[error("time: unknown unit {} in duration {}", Quoted(.unit), Quoted(.duration))]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// The whole text.
        duration: String,
    },
}

/// A span of time in Go's notation and range.
///
/// # Shape
/// An optional sign, then one or more decimal numbers, each with an optional fraction and a unit (`ns`, `us`, `µs`,
/// `μs`, `ms`, `s`, `m`, `h`), in any order; or `0` alone. There are no blanks and no days.
///
/// # Units
/// Signed 64-bit nanoseconds, about 292 years either way.
///
/// # Source
/// `time.ParseDuration` and `Duration.String` of Go 1.22.
///
/// # Examples
/// ```
/// use peering_core::duration::GoDuration;
/// assert_eq!(GoDuration::parse("1h30m")?.as_nanos(), 5_400_000_000_000);
/// assert_eq!(GoDuration::parse("90m")?.to_string(), "1h30m0s");
/// assert!(GoDuration::parse("1h 30m").is_err());
/// # Ok::<(), peering_core::duration::DurationError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GoDuration(i64);

impl GoDuration {
    /// Wraps a number of nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Reads a duration.
    ///
    /// # Errors
    /// [`DurationError`] with Go's text for a text outside the grammar or the range.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let shown = || echo(text).to_owned();
        let invalid = || DurationError::Invalid(shown());
        let (is_negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (whole, after_whole) = split_digits(rest);
            let (fraction, after_number) = match after_whole.strip_prefix('.') {
                Some(after_point) => split_digits(after_point),
                None => ("", after_whole),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(invalid());
            }
            let unit_end = after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
            let (unit, after_unit) = after_number.split_at(unit_end);
            let unit_nanos = match unit {
                "ns" => 1,
                // U+00B5 is the micro sign, U+03BC the Greek letter; keyboards have one or the other.
                "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
                "ms" => 1_000_000,
                "s" => SECOND_NANOS,
                "m" => 60 * SECOND_NANOS,
                "h" => 3600 * SECOND_NANOS,
                "" => return Err(DurationError::MissingUnit(shown())),
                _ => {
                    return Err(DurationError::UnknownUnit { unit: echo(unit).to_owned(), duration: shown() });
                }
            };
            total = scale(whole, fraction, unit_nanos)
                .and_then(|nanos| total.checked_add(nanos))
                .filter(|total| *total <= MAGNITUDE_MAX)
                .ok_or_else(invalid)?;
            rest = after_unit;
        }
        let nanos = if is_negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
        nanos.map(Self).ok_or_else(invalid)
    }

    /// Returns the nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns the span as an unsigned one, or nothing if it is negative.
    #[must_use]
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl From<Duration> for GoDuration {
    /// Takes as much of a span as Go has.
    fn from(span: Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// Splits leading ASCII digits from the rest.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Multiplies `whole.fraction` by a unit.
fn scale(whole: &str, fraction: &str, unit_nanos: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    whole.checked_mul(unit_nanos)?.checked_add(fraction_nanos(fraction, unit_nanos)).filter(|n| *n <= MAGNITUDE_MAX)
}

/// Multiplies `0.fraction` by a unit in floating point, as Go does, so that `0.3333333333333333333h` is 20 minutes.
fn fraction_nanos(fraction: &str, unit_nanos: u64) -> u64 {
    let (mut numerator, mut denominator) = (0_u64, 1_f64);
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        // Digits that no longer fit are too small to matter, and are dropped.
        let longer = numerator.checked_mul(10).and_then(|tenfold| tenfold.checked_add(digit));
        let Some(longer) = longer.filter(|longer| *longer <= MAGNITUDE_MAX) else { break };
        numerator = longer;
        denominator *= 10.0;
    }
    (numerator as f64 * (unit_nanos as f64 / denominator)) as u64
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if nanos < SECOND_NANOS {
            let (unit, unit_nanos) = match nanos {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("\u{b5}s", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write_decimal(f, nanos, unit_nanos, unit);
        }
        let (hours, in_hour) = (nanos / (3600 * SECOND_NANOS), nanos % (3600 * SECOND_NANOS));
        let (minutes, in_minute) = (in_hour / (60 * SECOND_NANOS), in_hour % (60 * SECOND_NANOS));
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write_decimal(f, in_minute, SECOND_NANOS, "s")
    }
}

/// Writes a decimal number of units, without trailing zeros.
fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit_nanos: u64, unit: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit_nanos)?;
    let below = nanos % unit_nanos;
    if below > 0 {
        let width = usize::try_from(unit_nanos.ilog10()).map_err(|_| fmt::Error)?;
        write!(f, ".{}", format!("{below:0width$}").trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

/// Quotes as Go's package `time` does: bytes outside printable ASCII become `\x..`.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for byte in self.0.bytes() {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_go_reads_is_read() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("-5s", -5_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("-.5s", -500_000_000),
            ("1.004s", 1_004_000_000),
            ("1.00400s", 1_004_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("13ms", 13_000_000),
            ("1m1h", 3_660_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("39h9m14.425s", 140_954_425_000_000),
            ("0.9ns", 0),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.9223372036854775807h", 3_320_413_933_267),
            ("0.830103483285477580700h", 2_988_372_539_827),
            ("9223372036854775807ns", i64::MAX),
            ("9223372036854775.807us", i64::MAX),
            ("9223372036s854ms775us807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("-2562047h47m16.854775808s", i64::MIN),
        ] {
            assert_eq!(GoDuration::parse(text), Ok(GoDuration(nanos)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_its_text() {
        for (text, error) in [
            ("", r#"time: invalid duration """#),
            ("3", r#"time: missing unit in duration "3""#),
            ("1s3", r#"time: missing unit in duration "1s3""#),
            ("-", r#"time: invalid duration "-""#),
            ("s", r#"time: invalid duration "s""#),
            (".", r#"time: invalid duration ".""#),
            (".s", r#"time: invalid duration ".s""#),
            ("+.s", r#"time: invalid duration "+.s""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1h 30m", r#"time: unknown unit "h " in duration "1h 30m""#),
            (" 1h", r#"time: invalid duration " 1h""#),
            ("1h-5m", r#"time: unknown unit "h-" in duration "1h-5m""#),
            ("\u{e9}", r#"time: invalid duration "\xc3\xa9""#),
            ("\"\\", r#"time: invalid duration "\"\\""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("9223372036854775.808us", r#"time: invalid duration "9223372036854775.808us""#),
            ("-9223372036854775809ns", r#"time: invalid duration "-9223372036854775809ns""#),
            ("3000000h", r#"time: invalid duration "3000000h""#),
            ("99999999999999999999s", r#"time: invalid duration "99999999999999999999s""#),
        ] {
            assert_eq!(GoDuration::parse(text).map_err(|e| e.to_string()), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_long_text_is_cut_in_the_answer() {
        use crate::foreign::ECHO_BYTES_MAX;

        for text in ["x", "1", "1x"].map(|begin| format!("{begin}{}", begin.repeat(500_000))) {
            let answer = GoDuration::parse(&text).unwrap_err().to_string();
            assert!(answer.len() <= 2 * ECHO_BYTES_MAX + 64, "{} bytes", answer.len());
        }
    }

    #[test]
    fn printing_is_go_s() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_500_000_000, "-1.5s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(GoDuration(nanos).to_string(), text);
            assert_eq!(GoDuration::parse(text), Ok(GoDuration(nanos)));
        }
    }

    #[test]
    fn a_negative_span_has_no_unsigned_form() {
        assert_eq!(GoDuration(-1).to_std(), None);
        assert_eq!(GoDuration(1_500).to_std(), Some(Duration::from_nanos(1_500)));
    }
}
