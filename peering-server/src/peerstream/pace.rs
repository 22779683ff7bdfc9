//! When the streams of a server do what is due: dials one after the other, heartbeats together.
//!
//! A server with thousands of peerings would otherwise begin thousands of handshakes in one moment, after its start or
//! its peer's, and wake hundreds of times a second for one small frame each.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between the beginnings of two dials. Less than a handshake costs, so that a few peerings notice nothing; five
/// thousand begin within ten seconds.
const DIAL_SPACING: Duration = Duration::from_millis(2);
/// What is due within this much time is done at its end, all at once. Small beside the 15 s between heartbeats and the
/// 120 s after which a peer counts as lost.
const BEAT: Duration = Duration::from_millis(100);

/// Times that all streams of a server share.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    next_dial: Mutex<Instant>,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { begun: now, next_dial: Mutex::new(now) }
    }

    /// Takes the next time at which a dial may begin.
    pub(super) fn dial_at(&self, now: Instant) -> Instant {
        let mut next = self.next_dial.lock().unwrap_or_else(PoisonError::into_inner);
        let at = now.max(*next);
        *next = at + DIAL_SPACING;
        at
    }

    /// Moves a time that lies ahead to the next beat. What is due already stays so.
    pub(super) fn on_beat(&self, at: Instant, now: Instant) -> Instant {
        let since = at.saturating_duration_since(self.begun);
        let past = Duration::from_nanos((since.as_nanos() % BEAT.as_nanos()) as u64);
        if at <= now || past.is_zero() { at } else { at + (BEAT - past) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn dials_begin_one_after_the_other_and_at_once_after_a_quiet_time() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let begun: Vec<_> = (0..3).map(|_| pace.dial_at(start) - start).collect();
        assert_eq!(begun, [Duration::ZERO, DIAL_SPACING, 2 * DIAL_SPACING]);
        let later = start + Duration::from_secs(1);
        assert_eq!(pace.dial_at(later), later);
    }

    #[test]
    fn what_lies_ahead_waits_for_the_beat_and_what_is_due_does_not() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let moved = |at: u32, now: u32| pace.on_beat(start + at * MILLISECOND, start + now * MILLISECOND) - start;
        assert_eq!(moved(15_001, 0), 15_100 * MILLISECOND);
        assert_eq!(moved(15_100, 0), 15_100 * MILLISECOND);
        assert_eq!(moved(15_001, 15_001), 15_001 * MILLISECOND);
    }
}
