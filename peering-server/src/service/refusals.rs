//! Counts refusals in memory, so that strangers can fill neither the store nor the log nor the audit trail.
//!
//! In the log, each source, which is an IPv4 address or an IPv6 /64, has one line a minute for each cause; the next line tells how many there were meanwhile. The
//! audit trail has a line a minute for each source and cause that there were, and for each actor, token and peering, where
//! those are known: then somebody presented what is real.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use peering_core::audit::{Entry, Outcome, event};
use peering_core::id::{PeeringId, TokenId};
use peering_core::transition::Origin;
use tokio::time::Instant;

use crate::bounds::{REFUSAL_LOG_PAUSE, REFUSAL_SOURCES_MAX};
use crate::listen::gate::source_of;

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

/// What was refused, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Refused {
    /// Why, in one word.
    pub(crate) cause: &'static str,
    /// What was tried and did not succeed; a refusal of a secret or a right, if nothing is said.
    pub(crate) failed: Option<&'static str>,
    /// Address of the caller.
    pub(crate) source: Option<IpAddr>,
    /// User of this machine who called.
    pub(crate) user: Option<u32>,
    /// Accessor of the caller's ACL token, which exists.
    pub(crate) actor: Option<uuid::Uuid>,
    /// The peering token whose secret was presented, which exists.
    pub(crate) token: Option<TokenId>,
    /// The peering concerned, which exists.
    pub(crate) peering: Option<PeeringId>,
    /// Its name.
    pub(crate) peer: Option<String>,
}

/// The cause under which those are counted that are too many to be told apart.
const TOO_MANY: &str = "others";

impl Refused {
    /// A refusal of a caller at an address.
    pub(crate) fn of(cause: &'static str, origin: Origin) -> Self {
        let Origin { actor, source, user } = origin;
        Self { cause, source, user, actor, ..Self::default() }
    }

    /// Says whether something was presented that exists, which strangers cannot do.
    const fn names_what_is_real(&self) -> bool {
        self.actor.is_some() || self.token.is_some() || self.peering.is_some()
    }
}

/// How often something was refused since the last line.
#[derive(Debug, Clone, Copy)]
struct Tally {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Refusals that are not in the audit trail yet.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<Kinds>);

#[derive(Debug, Default)]
struct Kinds {
    /// Of those who presented nothing that exists.
    strangers: HashMap<Refused, Tally>,
    /// Of those who presented what is real: however many strangers there are, these are told apart.
    known: HashMap<Refused, Tally>,
}

impl Tallies {
    /// Counts one refusal.
    pub(crate) fn note(&self, refused: Refused, now: Timestamp) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kinds { strangers, known } = &mut *kinds;
        let (kind, kinds) = if refused.names_what_is_real() {
            // Whoever holds what is real may call from many addresses, and still what he holds is named.
            let from_anywhere = Refused { source: None, user: None, ..refused.clone() };
            let fitting = [(refused, REFUSAL_SOURCES_MAX), (from_anywhere, 2 * REFUSAL_SOURCES_MAX)];
            let fitting = fitting.into_iter().find(|(kind, room)| known.contains_key(kind) || known.len() < *room);
            (fitting.map(|(kind, _)| kind), known)
        } else {
            let refused = Refused { source: refused.source.map(counted_as), ..refused };
            let fits = strangers.contains_key(&refused) || strangers.len() < REFUSAL_SOURCES_MAX;
            (fits.then_some(refused), strangers)
        };
        let kind = kind.unwrap_or_else(|| Refused { cause: TOO_MANY, ..Refused::default() });
        let tally = kinds.entry(kind).or_insert(Tally { count: 0, first: now, last: now });
        tally.count += 1;
        tally.last = now;
    }

    /// Takes what there is as lines, the oldest first.
    pub(crate) fn take(&self, now: Timestamp) -> Vec<Entry> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut taken: Vec<(Refused, Tally)> = taken.strangers.into_iter().chain(taken.known).collect();
        taken.sort_by_key(|(refused, tally)| (tally.first, refused.source, refused.cause));
        taken.into_iter().map(|(refused, tally)| line(refused, tally, now)).collect()
    }
}

/// Reduces an address as the listener does: whoever has one address of an IPv6 network has all of them. Log and audit trail
/// count by this alike.
fn counted_as(address: IpAddr) -> IpAddr {
    if address.is_loopback() { address } else { source_of(address) }
}

fn line(refused: Refused, tally: Tally, now: Timestamp) -> Entry {
    let Refused { cause, failed, source, user, actor, token, peering, peer } = refused;
    let outcome = if failed.is_some() { Outcome::Failed } else { Outcome::Refused };
    let Tally { count, first, last } = tally;
    let entry = Entry::new(now, failed.unwrap_or(event::REFUSED)).asked_by(Origin { actor, source, user });
    let (count, first, last) = (Some(count), Some(first), Some(last));
    Entry { outcome, cause: Some(cause.into()), count, first, last, token, peering, peer, ..entry }
}

impl Refusals {
    /// Counts one refusal; returns how many there were since the last line if one is due now.
    pub(crate) fn note(&self, source: Option<IpAddr>, cause: &'static str) -> Option<u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let source = source.map(counted_as);
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

    #[test]
    fn the_trail_has_a_line_for_each_source_and_cause_and_one_for_those_beyond_the_bound() {
        let (tallies, at) = (Tallies::default(), |second| Timestamp::from_second(second).unwrap());
        let from = |number: usize| Refused {
            source: Some(IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap()))),
            ..Refused::of("spent", Origin::default())
        };
        for number in 0..REFUSAL_SOURCES_MAX + 3 {
            tallies.note(from(number), at(1));
        }
        tallies.note(from(0), at(5));
        let lines = tallies.take(at(60));
        assert_eq!(lines.len(), REFUSAL_SOURCES_MAX + 1);
        let others: Vec<&Entry> = lines.iter().filter(|line| line.source.is_none()).collect();
        assert_eq!((others[0].count, others[0].cause.as_deref()), (Some(3), Some(TOO_MANY)));
        let first = lines.iter().find(|line| line.count == Some(2)).unwrap();
        assert_eq!((first.time, first.first, first.last), (at(60), Some(at(1)), Some(at(5))));
        assert_eq!((first.event.as_ref(), first.outcome), (event::REFUSED, Outcome::Refused));
        assert!(tallies.take(at(60)).is_empty());
    }

    #[test]
    fn a_stranger_with_a_network_has_one_line_and_hides_nobody_who_presents_what_is_real() {
        let (tallies, at) = (Tallies::default(), Timestamp::UNIX_EPOCH);
        let in_network = |network: u64, host: u64| {
            let source = IpAddr::V6((u128::from(network) << 64 | u128::from(host)).into());
            Refused { source: Some(source), ..Refused::of("unknown", Origin::default()) }
        };
        let network = 0x2001_0db8_0000_0000;
        for host in 0..10_000 {
            tallies.note(in_network(network, host), at);
        }
        let lines = tallies.take(at);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].count, lines[0].source), (Some(10_000), Some("2001:db8::".parse().unwrap())));
        // A flood from many networks, and one who presents a token that exists from many addresses.
        for number in 0..2 * REFUSAL_SOURCES_MAX as u64 {
            tallies.note(in_network(network + number, 1), at);
        }
        let token = |number| Some(TokenId::from_uuid(uuid::Uuid::from_u128(number)));
        for host in 0..2 * REFUSAL_SOURCES_MAX as u64 {
            tallies.note(Refused { token: token(1), ..in_network(network, host) }, at);
        }
        tallies.note(Refused { token: token(2), ..in_network(network, 7) }, at);
        let lines = tallies.take(at);
        let counted = |token: Option<TokenId>| {
            let of = lines.iter().filter(|line| line.token == token && line.cause.as_deref() == Some("unknown"));
            of.filter_map(|line| line.count).sum::<u64>()
        };
        assert_eq!(counted(token(1)), 2 * REFUSAL_SOURCES_MAX as u64);
        assert_eq!(counted(token(2)), 1);
        assert!(lines.len() <= 3 * REFUSAL_SOURCES_MAX + 2, "{}", lines.len());
        let others: Vec<&Entry> = lines.iter().filter(|line| line.cause.as_deref() == Some(TOO_MANY)).collect();
        assert_eq!((others.len(), others[0].count), (1, Some(REFUSAL_SOURCES_MAX as u64)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_has_one_line_a_minute_in_the_log_as_in_the_trail() {
        let refusals = Refusals::default();
        let network = 0x2001_0db8_0000_0000_u128 << 64;
        let address = |host: usize| Some(IpAddr::V6((network | u128::try_from(host).unwrap()).into()));
        assert_eq!(refusals.note(address(0), "unknown"), Some(1));
        for host in 1..=REFUSAL_SOURCES_MAX {
            assert_eq!(refusals.note(address(host), "unknown"), None);
        }
        // The same IPv4 address in either of its forms is one source, and this machine is told from what maps to nothing.
        assert_eq!(refusals.note(Some("192.0.2.1".parse().unwrap()), "unknown"), Some(1));
        assert_eq!(refusals.note(Some("::ffff:192.0.2.1".parse().unwrap()), "unknown"), None);
        assert_eq!(refusals.note(Some("::1".parse().unwrap()), "unknown"), Some(1));
        assert_eq!(refusals.note(Some("::2".parse().unwrap()), "unknown"), Some(1));
        tokio::time::advance(REFUSAL_LOG_PAUSE).await;
        assert_eq!(refusals.note(address(7), "unknown"), Some(REFUSAL_SOURCES_MAX as u64 + 1));
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
