//! Renewal: a server always has a leaf that is in the first half of its life.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use peering_core::name::Datacenter;
use tokio_util::sync::CancellationToken;

use super::{Authority, CaError, Leaf, Validity};
use crate::bounds::LEAF_CHECK_INTERVAL;
use crate::tls::{self, KeySlot};

/// Tells whether a leaf must be renewed: half of its life is over, or the clock was set back before its beginning.
///
/// In the second case our own clock says that peers with the same time would refuse the leaf.
#[must_use]
pub fn is_due(leaf: &Validity, now: Timestamp) -> bool {
    now < leaf.not_before || now >= leaf.half()
}

/// What a look at the clock led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Tick {
    /// The leaf is good.
    Kept,
    /// A new leaf is served from now on; connections made with the old one go on.
    Renewed(Validity),
}

/// Tells when the leaf that is served ends; it stays true over renewals.
#[derive(Debug, Clone)]
pub struct LeafEnd(Arc<AtomicI64>);

impl LeafEnd {
    fn new(validity: Validity) -> Self {
        Self(Arc::new(AtomicI64::new(validity.not_after.as_second())))
    }

    fn set(&self, validity: Validity) {
        self.0.store(validity.not_after.as_second(), Ordering::Relaxed);
    }

    /// Returns the last second of the leaf's life.
    #[must_use]
    pub fn get(&self) -> Timestamp {
        // It came from a time.
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }
}

/// Keeps the leaf of a peering server fresh in the slot that its TLS listener serves from.
#[derive(Debug)]
pub struct LeafKeeper {
    authority: Arc<Authority>,
    datacenter: Datacenter,
    validity: Validity,
    end: LeafEnd,
    slot: Arc<KeySlot>,
}

impl LeafKeeper {
    /// Issues the first leaf, so that there is never a listener without one.
    ///
    /// # Errors
    /// As [`Leaf::for_peering_server`].
    pub fn start(authority: Arc<Authority>, datacenter: Datacenter, now: Timestamp) -> Result<Self, CaError> {
        let leaf = Leaf::for_peering_server(&authority, &datacenter, now)?;
        let slot = Arc::new(KeySlot::new(leaf.certified_key(tls::provider())?));
        let end = LeafEnd::new(leaf.validity());
        Ok(Self { authority, datacenter, validity: leaf.validity(), end, slot })
    }

    /// Returns where the leaf is served from; it stays the same over renewals.
    #[must_use]
    pub fn slot(&self) -> Arc<KeySlot> {
        Arc::clone(&self.slot)
    }

    /// Returns what tells when the leaf that is served ends.
    #[must_use]
    pub fn end(&self) -> LeafEnd {
        self.end.clone()
    }

    /// Returns the life of the present leaf.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Renews the leaf if that is due.
    ///
    /// # Errors
    /// As [`Leaf::for_peering_server`]; the old leaf is served on, and the next tick tries again.
    pub fn tick(&mut self, now: Timestamp) -> Result<Tick, CaError> {
        if !is_due(&self.validity, now) {
            return Ok(Tick::Kept);
        }
        let leaf = Leaf::for_peering_server(&self.authority, &self.datacenter, now)?;
        self.slot.replace(leaf.certified_key(tls::provider())?);
        self.validity = leaf.validity();
        self.end.set(self.validity);
        Ok(Tick::Renewed(self.validity))
    }
}

/// Ticks until the shutdown.
///
/// It looks at `clock` every ten seconds instead of sleeping until the renewal, because a timer does not notice a clock
/// that was set, nor the time that a machine was suspended.
pub async fn keep<C>(mut keeper: LeafKeeper, clock: C, shutdown: CancellationToken)
where
    C: Fn() -> Timestamp + Send,
{
    let mut has_failed = false;
    while shutdown.run_until_cancelled(tokio::time::sleep(LEAF_CHECK_INTERVAL)).await.is_some() {
        match keeper.tick(clock()) {
            Ok(Tick::Kept) => has_failed = false,
            Ok(Tick::Renewed(validity)) => {
                has_failed = false;
                tracing::info!(not_after = %validity.not_after, "renewed the certificate for peer streams");
            }
            // One line for a lasting failure, not one for every look.
            Err(error) if !has_failed => {
                has_failed = true;
                tracing::error!(error = &error as &dyn std::error::Error, not_after = %keeper.validity.not_after, "could not renew the certificate for peer streams, serving the old one");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use peering_core::name::TrustDomain;

    use super::*;
    use crate::ca::Purpose;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn keeper() -> LeafKeeper {
        let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap();
        let authority = Authority::create(Purpose::Peering, &domain, now()).unwrap();
        LeafKeeper::start(Arc::new(authority), Datacenter::parse("dc1").unwrap(), now()).unwrap()
    }

    #[test]
    fn a_leaf_is_renewed_at_half_its_life_and_not_a_second_earlier() {
        let mut keeper = keeper();
        let half = keeper.validity().half();
        let second = SignedDuration::from_secs(1);
        assert_eq!(keeper.tick(half - second).unwrap(), Tick::Kept);
        assert!(matches!(keeper.tick(half).unwrap(), Tick::Renewed(fresh) if fresh.contains(half)));
        assert_eq!(keeper.tick(half).unwrap(), Tick::Kept);
    }

    #[test]
    fn a_clock_past_the_leaf_and_then_back_an_hour_renews_both_times() {
        let mut keeper = keeper();
        let first = keeper.slot().load();
        let later = now() + HOUR * 73;
        assert!(matches!(keeper.tick(later).unwrap(), Tick::Renewed(fresh) if fresh.contains(later)));
        let back = later - HOUR;
        assert!(matches!(keeper.tick(back).unwrap(), Tick::Renewed(fresh) if fresh.contains(back)));
        assert_eq!(keeper.tick(back).unwrap(), Tick::Kept);
        assert_ne!(keeper.slot().load().cert, first.cert);
    }

    #[test]
    fn a_clock_set_back_within_the_leaf_keeps_it() {
        let mut keeper = keeper();
        let second = SignedDuration::from_secs(1);
        assert_eq!(keeper.tick(keeper.validity().not_before).unwrap(), Tick::Kept);
        assert!(matches!(keeper.tick(keeper.validity().not_before - second).unwrap(), Tick::Renewed(_)));
    }

    #[test]
    fn a_failed_renewal_serves_the_old_leaf_and_recovers() {
        let mut keeper = keeper();
        let first = keeper.slot().load();
        assert!(keeper.tick(Timestamp::UNIX_EPOCH).is_err());
        assert_eq!(keeper.slot().load().cert, first.cert);
        assert!(matches!(keeper.tick(now() + HOUR * 40).unwrap(), Tick::Renewed(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_renews_by_the_clock_that_it_is_given_and_ends_at_the_shutdown() {
        let keeper = keeper();
        let slot = keeper.slot();
        let seen = slot.load();
        let clock = Arc::new(AtomicI64::new(now().as_second()));
        let shutdown = CancellationToken::new();
        let read = Arc::clone(&clock);
        let task = tokio::spawn(keep(
            keeper,
            move || Timestamp::from_second(read.load(Ordering::Relaxed)).unwrap(),
            shutdown.clone(),
        ));

        tokio::time::sleep(LEAF_CHECK_INTERVAL * 100).await;
        assert_eq!(slot.load().cert, seen.cert, "virtual time alone renews nothing");
        for hours in [73, -1] {
            let seen = slot.load();
            clock.fetch_add(hours * 3_600, Ordering::Relaxed);
            tokio::time::sleep(LEAF_CHECK_INTERVAL * 2).await;
            assert_ne!(slot.load().cert, seen.cert, "after {hours} h");
        }
        shutdown.cancel();
        task.await.unwrap();
    }
}
