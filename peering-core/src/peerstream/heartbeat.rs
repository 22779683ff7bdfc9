//! Heartbeats: when to send one, and when a peer that sends none is lost.

use std::time::{Duration, Instant};

/// Time between two heartbeats that we send, as in Consul.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// Time without a heartbeat after which the peer counts as lost, as in Consul.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(120);

/// What a deadline of [`Heartbeat`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Nothing yet.
    Wait,
    /// Send a heartbeat.
    Send,
    /// The peer is lost.
    TimedOut,
}

/// The two timers of a running stream.
///
/// Ours fires at once and then every [`HEARTBEAT_INTERVAL`]. The peer's is reset by a heartbeat frame and by nothing
/// else: other frames prove that its bytes flow, not that its loop turns. It stands still while we do not read, because
/// heartbeats then wait behind what our own store has not taken yet.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    send_at: Instant,
    lost_at: Instant,
    paused_at: Option<Instant>,
}

impl Heartbeat {
    /// Starts both timers.
    #[must_use]
    pub fn start(now: Instant) -> Self {
        Self { send_at: now, lost_at: now + HEARTBEAT_TIMEOUT, paused_at: None }
    }

    /// Notes that a heartbeat frame arrived.
    pub fn received(&mut self, now: Instant) {
        self.lost_at = now + HEARTBEAT_TIMEOUT;
        self.paused_at = self.paused_at.map(|_| now);
    }

    /// Says whether frames are read. Time during which they are not is not held against the peer.
    pub fn set_reading(&mut self, is_reading: bool, now: Instant) {
        match (is_reading, self.paused_at) {
            (true, Some(since)) => {
                self.lost_at += now.saturating_duration_since(since);
                self.paused_at = None;
            }
            (false, None) => self.paused_at = Some(now),
            _ => {}
        }
    }

    /// Returns the time at which [`Heartbeat::on_deadline`] has something to say.
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        if self.paused_at.is_some() { self.send_at } else { self.send_at.min(self.lost_at) }
    }

    /// Says what is due. Beats that were missed are not made up for.
    #[must_use]
    pub fn on_deadline(&mut self, now: Instant) -> Beat {
        if self.paused_at.is_none() && now >= self.lost_at {
            Beat::TimedOut
        } else if now >= self.send_at {
            // Keeping the pace, not the distance, stops small delays from adding up.
            let next = self.send_at + HEARTBEAT_INTERVAL;
            self.send_at = if next > now { next } else { now + HEARTBEAT_INTERVAL };
            Beat::Send
        } else {
            Beat::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peerstream::virtual_time::start_of_time;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_beat_is_sent_at_once_and_then_every_fifteen_seconds() {
        let start = start_of_time();
        let mut heartbeat = Heartbeat::start(start);
        let mut sent = vec![];
        for millisecond in 0..=60_000 {
            let now = start + Duration::from_millis(millisecond);
            if heartbeat.on_deadline(now) == Beat::Send {
                sent.push(millisecond);
            }
        }
        assert_eq!(sent, [0, 15_000, 30_000, 45_000, 60_000]);
    }

    #[test]
    fn a_late_beat_does_not_shift_the_next() {
        let start = start_of_time();
        let mut heartbeat = Heartbeat::start(start);
        assert_eq!(heartbeat.on_deadline(start + SECOND), Beat::Send);
        assert_eq!(heartbeat.next_deadline(), start + HEARTBEAT_INTERVAL);
    }

    #[test]
    fn missed_beats_are_not_made_up_for() {
        let start = start_of_time();
        let mut heartbeat = Heartbeat::start(start);
        let late = start + 100 * SECOND;
        heartbeat.received(late);
        assert_eq!(heartbeat.on_deadline(late), Beat::Send);
        assert_eq!(heartbeat.on_deadline(late), Beat::Wait);
        assert_eq!(heartbeat.next_deadline(), late + HEARTBEAT_INTERVAL);
    }

    #[test]
    fn a_silent_peer_is_lost_after_exactly_two_minutes() {
        let start = start_of_time();
        let mut heartbeat = Heartbeat::start(start);
        assert_eq!(heartbeat.on_deadline(start), Beat::Send);
        assert_ne!(heartbeat.on_deadline(start + 120 * SECOND - Duration::from_nanos(1)), Beat::TimedOut);
        assert_eq!(heartbeat.on_deadline(start + 120 * SECOND), Beat::TimedOut);
    }

    #[test]
    fn a_heartbeat_received_resets_the_timer() {
        let start = start_of_time();
        let mut heartbeat = Heartbeat::start(start);
        heartbeat.received(start + 119 * SECOND);
        assert_ne!(heartbeat.on_deadline(start + 238 * SECOND), Beat::TimedOut);
        assert_eq!(heartbeat.on_deadline(start + 239 * SECOND), Beat::TimedOut);
    }

    #[test]
    fn time_without_reading_is_not_held_against_the_peer() {
        let start = start_of_time();
        let mut heartbeat = Heartbeat::start(start);
        heartbeat.set_reading(false, start + 100 * SECOND);
        heartbeat.set_reading(false, start + 110 * SECOND);
        assert_eq!(heartbeat.on_deadline(start + 500 * SECOND), Beat::Send);
        assert_eq!(heartbeat.next_deadline(), start + 515 * SECOND);
        heartbeat.set_reading(true, start + 500 * SECOND);
        assert_ne!(heartbeat.on_deadline(start + 520 * SECOND - Duration::from_nanos(1)), Beat::TimedOut);
        assert_eq!(heartbeat.on_deadline(start + 520 * SECOND), Beat::TimedOut);
    }
}
