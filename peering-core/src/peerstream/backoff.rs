//! When to dial again: a delay from the kind of failure and the number of failures so far.

use std::time::Duration;

use super::status::StatusCode;

/// A stream that was ACTIVE this long makes earlier failures count no more: the peer is well, something else broke it.
pub const FAILURES_RESET_AFTER: Duration = Duration::from_secs(10);
/// Largest share by which a delay is lengthened or shortened, so that peers of one restarted cluster spread out.
pub const JITTER_MAX: f64 = 0.1;

/// Delay of the first tries after "not the leader": another address is likely to be right.
const FAST_DELAY: Duration = Duration::from_millis(8);
/// Tries at [`FAST_DELAY`] before it doubles.
const FAST_FAILURES: u32 = 5;
/// Doublings from [`FAST_DELAY`] to the longest such delay, 8,192 ms.
const FAST_DOUBLINGS_MAX: u32 = 10;
/// Delay when the peer says that it is overloaded or that a message was too large.
const OVERLOADED_DELAY: Duration = Duration::from_millis(8192);
/// Delay after the first ordinary failure.
const BASE_DELAY: Duration = Duration::from_secs(2);
/// Doublings from [`BASE_DELAY`] to the longest delay, 64 s.
const BASE_DOUBLINGS_MAX: u32 = 5;

/// Counts the failures of one peering's dial loop and says how long to wait.
///
/// | ended with | delay |
/// |---|---|
/// | 9 | five times 8 ms, then doubling to 8,192 ms |
/// | 8 | 8,192 ms |
/// | 3, 7 | 64 s: nothing changes until an operator acts, but one may |
/// | 10 | none, the peering was deleted there |
/// | anything else | 2, 4, 8 … 64 s |
///
/// # Source
/// The schedule of Consul 1.21, with the exponent capped, the count reset, jitter, and the pace after 3 and 7.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use peering_core::peerstream::{Redial, StatusCode};
///
/// let mut redial = Redial::default();
/// assert_eq!(redial.after(StatusCode::Unavailable, Duration::ZERO, 0.0), Some(Duration::from_secs(2)));
/// assert_eq!(redial.after(StatusCode::Unavailable, Duration::ZERO, 0.0), Some(Duration::from_secs(4)));
/// assert_eq!(redial.after(StatusCode::Aborted, Duration::ZERO, 0.0), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redial {
    failures: u32,
}

impl Redial {
    /// Counts one more failure and returns how long to wait, or `None` if the peering is over.
    ///
    /// `active_for` is how long the stream was ACTIVE, zero if it never was. `jitter` is a random share between minus
    /// and plus [`JITTER_MAX`], drawn by the caller; more is cut.
    #[must_use]
    pub fn after(&mut self, code: StatusCode, active_for: Duration, jitter: f64) -> Option<Duration> {
        if active_for >= FAILURES_RESET_AFTER {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let delay = match code {
            StatusCode::Aborted => return None,
            StatusCode::FailedPrecondition => {
                FAST_DELAY * (1 << self.failures.saturating_sub(FAST_FAILURES).min(FAST_DOUBLINGS_MAX))
            }
            StatusCode::ResourceExhausted => OVERLOADED_DELAY,
            StatusCode::InvalidArgument | StatusCode::PermissionDenied => BASE_DELAY * (1 << BASE_DOUBLINGS_MAX),
            _ => BASE_DELAY * (1 << (self.failures - 1).min(BASE_DOUBLINGS_MAX)),
        };
        let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(-JITTER_MAX, JITTER_MAX) };
        Some(delay.mul_f64(1.0 + jitter))
    }

    /// Returns the failures that count now.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(code: StatusCode, count: usize) -> Vec<u128> {
        let mut redial = Redial::default();
        let after = |_| redial.after(code, Duration::ZERO, 0.0).unwrap().as_millis();
        (0..count).map(after).collect()
    }

    #[test]
    fn ordinary_failures_double_from_two_seconds_to_sixty_four() {
        for code in [StatusCode::Unknown, StatusCode::Internal, StatusCode::Unavailable, StatusCode::Other(1)] {
            assert_eq!(delays(code, 8), [2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000, 64_000]);
        }
    }

    #[test]
    fn a_follower_is_left_at_once_at_first_and_then_ever_more_slowly() {
        let expected = [8, 8, 8, 8, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 8192];
        assert_eq!(delays(StatusCode::FailedPrecondition, 16), expected);
    }

    #[test]
    fn an_overloaded_peer_is_left_alone_for_eight_seconds() {
        assert_eq!(delays(StatusCode::ResourceExhausted, 3), [8192, 8192, 8192]);
    }

    #[test]
    fn a_refusal_that_only_an_operator_can_mend_falls_to_the_slowest_pace() {
        assert_eq!(delays(StatusCode::PermissionDenied, 2), [64_000, 64_000]);
        assert_eq!(delays(StatusCode::InvalidArgument, 2), [64_000, 64_000]);
    }

    #[test]
    fn a_deleted_peering_is_not_dialed_again() {
        assert_eq!(Redial::default().after(StatusCode::Aborted, Duration::ZERO, 0.0), None);
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        for (code, cap) in [(StatusCode::Unavailable, 64_000), (StatusCode::FailedPrecondition, 8192)] {
            assert!(delays(code, 1000)[20..].iter().all(|&delay| delay == cap));
        }
        let mut redial = Redial { failures: u32::MAX };
        assert_eq!(redial.after(StatusCode::Unknown, Duration::ZERO, 0.0), Some(Duration::from_secs(64)));
    }

    #[test]
    fn ten_seconds_of_health_forgive_earlier_failures() {
        let mut redial = Redial { failures: 9 };
        let almost = FAILURES_RESET_AFTER - Duration::from_millis(1);
        assert_eq!(redial.after(StatusCode::Unknown, almost, 0.0), Some(Duration::from_secs(64)));
        assert_eq!(redial.after(StatusCode::Unknown, FAILURES_RESET_AFTER, 0.0), Some(Duration::from_secs(2)));
        assert_eq!(redial.failures(), 1);
    }

    #[test]
    fn kinds_of_failures_share_one_count() {
        let mut redial = Redial::default();
        for _ in 0..3 {
            let _ = redial.after(StatusCode::FailedPrecondition, Duration::ZERO, 0.0);
        }
        assert_eq!(redial.after(StatusCode::Unavailable, Duration::ZERO, 0.0), Some(Duration::from_secs(16)));
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for (jitter, millis) in [(0.1, 2200), (-0.1, 1800), (7.0, 2200), (f64::NEG_INFINITY, 1800), (f64::NAN, 2000)] {
            let delay = Redial::default().after(StatusCode::Unknown, Duration::ZERO, jitter).unwrap();
            assert_eq!(delay.as_millis(), millis, "{jitter}");
        }
    }
}
