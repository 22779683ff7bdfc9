//! Counts the connections of one listener, in all and per source, and refuses those past the bounds.
//!
//! On the peer listener a connection stops counting while a peer stream with an accepted Open runs on it: strangers
//! share the bounds, known peers are outside of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::Limits;
use super::activity::{Activity, InProgress};

/// Length of the prefix that counts as one IPv6 source: what one site is commonly given.
const IPV6_SOURCE_PREFIX_BITS: u32 = 64;

/// Says which bound a connection met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GateRefusal {
    /// The listener is full.
    #[error("{limit} connections are open, the most this listener takes")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// The source has its share.
    #[error("{limit} connections are open from this source, the most this listener takes")]
    SourceFull {
        /// The bound.
        limit: usize,
    },
}

/// Admits connections to one listener.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Sources without a connection are removed, so it never holds more than `total` keys.
    by_source: HashMap<IpAddr, usize>,
}

impl Counts {
    fn add(&mut self, source: Option<IpAddr>) {
        self.total += 1;
        if let Some(source) = source {
            *self.by_source.entry(source).or_default() += 1;
        }
    }

    fn remove(&mut self, source: Option<IpAddr>) {
        self.total -= 1;
        if let Some(source) = source
            && let Some(count) = self.by_source.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

impl Gate {
    /// Makes a gate without connections.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// Admits a connection, or says which bound it met. It counts until the admission is dropped.
    ///
    /// # Errors
    /// [`GateRefusal`].
    pub fn admit(self: &Arc<Self>, source: Option<IpAddr>) -> Result<Admission, GateRefusal> {
        let source = source.map(source_of);
        let mut counts = self.counts();
        let limit = self.limits.connections.get();
        if counts.total >= limit {
            return Err(GateRefusal::Full { limit });
        }
        let from_source = source.and_then(|source| counts.by_source.get(&source).copied()).unwrap_or(0);
        if let Some(limit) = self.limits.connections_per_source
            && from_source >= limit
        {
            return Err(GateRefusal::SourceFull { limit });
        }
        counts.add(source);
        drop(counts);
        let slot = Slot {
            gate: Arc::clone(self),
            source,
            state: Mutex::new(SlotState { open: true, accepted: 0 }),
            streams: Activity::new(),
        };
        Ok(Admission(ConnectionGuard(Arc::new(slot))))
    }

    /// Returns how many connections count at present.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.counts().total
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts are changed without a way to panic half-way, so a poisoned lock holds good ones.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, given back when this is dropped. Its owner is the task that serves the connection.
#[derive(Debug)]
pub struct Admission(ConnectionGuard);

impl Admission {
    /// Returns a handle for those who serve requests on the connection.
    #[must_use]
    pub fn guard(&self) -> ConnectionGuard {
        self.0.clone()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let slot = &self.0.0;
        let mut state = slot.state();
        state.open = false;
        if state.accepted == 0 {
            slot.gate.counts().remove(slot.source);
        }
    }
}

/// Stands for a connection among those that serve requests on it; it does not keep its place.
#[derive(Debug, Clone)]
pub struct ConnectionGuard(Arc<Slot>);

impl ConnectionGuard {
    /// Notes that an Open was accepted on this connection. It counts no longer, until the last of the returned values
    /// is dropped; then it counts again, even past the bounds, so that a finished stream cannot be used to stay.
    #[must_use]
    pub fn accept_open(&self) -> AcceptedOpen {
        let slot = &self.0;
        let mut state = slot.state();
        if state.open && state.accepted == 0 {
            slot.gate.counts().remove(slot.source);
        }
        state.accepted += 1;
        drop(state);
        AcceptedOpen { slot: Arc::clone(slot), _stream: slot.streams.begin() }
    }

    /// Returns the streams on this connection whose Open was accepted.
    pub(super) fn streams(&self) -> Activity {
        self.0.streams.clone()
    }
}

/// A peer stream whose Open was accepted. Held as long as the stream runs.
#[derive(Debug)]
pub struct AcceptedOpen {
    slot: Arc<Slot>,
    _stream: InProgress,
}

impl Drop for AcceptedOpen {
    fn drop(&mut self) {
        let mut state = self.slot.state();
        state.accepted -= 1;
        if state.open && state.accepted == 0 {
            self.slot.gate.counts().add(self.slot.source);
        }
    }
}

/// Counts exactly while `open && accepted == 0`. Locks are taken in the order slot, gate.
#[derive(Debug)]
struct Slot {
    gate: Arc<Gate>,
    source: Option<IpAddr>,
    state: Mutex<SlotState>,
    streams: Activity,
}

#[derive(Debug)]
struct SlotState {
    open: bool,
    accepted: usize,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reduces an address to what counts as one source: an IPv4 address, mapped or not, or an IPv6 /64.
pub(crate) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - IPV6_SOURCE_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gate(connections: usize, per_source: Option<usize>) -> Arc<Gate> {
        Gate::new(Limits {
            connections: connections.into(),
            connections_per_source: per_source,
            handshake: Duration::MAX,
        })
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_bound_in_all_is_met_exactly_and_a_closed_connection_makes_room() {
        let gate = gate(2, None);
        let first = gate.admit(ip("192.0.2.1")).unwrap();
        let _second = gate.admit(None).unwrap();
        assert_eq!(gate.admit(ip("192.0.2.3")).unwrap_err(), GateRefusal::Full { limit: 2 });
        drop(first);
        assert!(gate.admit(ip("192.0.2.3")).is_ok());
    }

    #[test]
    fn the_bound_per_source_is_met_exactly_and_others_are_served() {
        let gate = gate(10, Some(2));
        let _held = [gate.admit(ip("192.0.2.1")).unwrap(), gate.admit(ip("::ffff:192.0.2.1")).unwrap()];
        assert_eq!(gate.admit(ip("192.0.2.1")).unwrap_err(), GateRefusal::SourceFull { limit: 2 });
        assert!(gate.admit(ip("192.0.2.2")).is_ok());
    }

    #[test]
    fn an_ipv6_source_is_a_64_bit_prefix() {
        let gate = gate(10, Some(1));
        let _held = gate.admit(ip("2001:db8:0:1::1")).unwrap();
        assert!(gate.admit(ip("2001:db8:0:1:ffff:ffff:ffff:ffff")).is_err());
        assert!(gate.admit(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn an_accepted_open_stops_counting_and_its_end_counts_again() {
        let gate = gate(1, Some(1));
        let admission = gate.admit(ip("192.0.2.1")).unwrap();
        let guard = admission.guard();
        let one = guard.accept_open();
        let other = guard.clone().accept_open();
        assert_eq!(gate.counted(), 0);
        let stranger = gate.admit(ip("192.0.2.1")).unwrap();
        drop(one);
        assert_eq!(gate.counted(), 1, "another stream still runs on the first connection");
        drop(other);
        assert_eq!(gate.counted(), 2, "past the bound, but counted");
        drop((admission, stranger));
        assert_eq!(gate.counted(), 0);
        assert!(gate.counts().by_source.is_empty());
    }

    #[test]
    fn a_stream_that_outlives_its_connection_counts_nothing() {
        let gate = gate(1, Some(1));
        let admission = gate.admit(ip("192.0.2.1")).unwrap();
        let guard = admission.guard();
        let open = guard.accept_open();
        drop(admission);
        drop(open);
        assert_eq!(gate.counted(), 0);
        drop(guard.accept_open());
        assert_eq!(gate.counted(), 0);
    }

    #[test]
    fn a_handle_alone_keeps_no_place() {
        let gate = gate(1, None);
        let admission = gate.admit(None).unwrap();
        let _guard = admission.guard();
        drop(admission);
        assert_eq!(gate.counted(), 0);
    }
}
