//! Counts refusals in memory, so that strangers can fill neither the store nor the log.
//!
//! Each source has one line a minute for each cause; the next line tells how many there were meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::bounds::{REFUSAL_LOG_PAUSE, REFUSAL_SOURCES_MAX};

/// Refusals by source and cause.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    counts: Mutex<HashMap<(Option<IpAddr>, &'static str), Count>>,
}

#[derive(Debug)]
struct Count {
    told: Instant,
    untold: u64,
}

impl Refusals {
    /// Counts one refusal; returns how many there were since the last line if one is due now.
    pub(crate) fn note(&self, source: Option<IpAddr>, cause: &'static str) -> Option<u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(count) = counts.get_mut(&(source, cause)) {
            count.untold += 1;
            if now.duration_since(count.told) < REFUSAL_LOG_PAUSE {
                return None;
            }
            let count = std::mem::replace(count, Count { told: now, untold: 0 });
            return Some(count.untold);
        }
        if counts.len() >= REFUSAL_SOURCES_MAX {
            counts.retain(|_, count| now.duration_since(count.told) < REFUSAL_LOG_PAUSE);
        }
        if counts.len() >= REFUSAL_SOURCES_MAX {
            // More sources than anybody can look at: the lines that there are tell enough.
            return None;
        }
        counts.insert((source, cause), Count { told: now, untold: 0 });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_source_has_one_line_a_minute_for_each_cause() {
        let refusals = Refusals::default();
        let source = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(refusals.note(source, "spent"), Some(1));
        assert_eq!(refusals.note(source, "unknown"), Some(1));
        for _ in 0..100 {
            assert_eq!(refusals.note(source, "spent"), None);
        }
        tokio::time::advance(REFUSAL_LOG_PAUSE).await;
        assert_eq!(refusals.note(source, "spent"), Some(101));
    }

    #[tokio::test(start_paused = true)]
    async fn sources_are_bounded_and_make_room_after_a_while() {
        let refusals = Refusals::default();
        let source = |number: usize| Some(IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap())));
        for number in 0..REFUSAL_SOURCES_MAX {
            assert_eq!(refusals.note(source(number), "spent"), Some(1));
        }
        assert_eq!(refusals.note(source(REFUSAL_SOURCES_MAX), "spent"), None);
        tokio::time::advance(REFUSAL_LOG_PAUSE).await;
        assert_eq!(refusals.note(source(REFUSAL_SOURCES_MAX), "spent"), Some(1));
    }
}
