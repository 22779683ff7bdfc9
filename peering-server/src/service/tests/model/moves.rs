//! What may happen next.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use peering_core::id::PeeringId;
use peering_core::peering::Stored;
use peering_core::secret::EstablishmentSecret;
use peering_core::secrets::{Command, REDEMPTION_WINDOW, Record, Refusal, apply};
use peering_core::transition::Transition;
use stateright::{Model, Property};

use super::memory::Memory;
use super::promises::Fate;
use super::rules;
use super::world::{Bounds, Kept, Manners, Request, Which, Who, Work, World};
use crate::entropy::SeededEntropy;
use crate::keyring::Keyring;

/// A function like `apply`.
pub(super) type Apply = fn(&Record, Command, Timestamp) -> Result<Transition<Record>, Refusal>;

/// What is explored: a world's size, its rules, and the keys on each side.
pub(super) struct Exploration {
    pub(super) bounds: Bounds,
    pub(super) apply: Apply,
    /// Whether commits look at what was read.
    pub(super) has_preconditions: bool,
    pub(super) acceptor: Keyring,
    pub(super) dialers: [Keyring; 2],
    pub(super) met: Met,
    /// What the acceptor decides.
    pub(super) decisions: Memory<Option<Work>>,
    /// What becomes of a dialer's record.
    pub(super) records: Memory<Option<Kept>>,
    /// What the rules say.
    pub(super) verdicts: Memory<bool>,
}

/// Counts of what has no place in a state.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    pub(super) conflicts: Arc<AtomicUsize>,
    pub(super) repetitions: Arc<AtomicUsize>,
    pub(super) refusals: Arc<AtomicUsize>,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// A request reaches the acceptor, which reads and decides.
    Decide(Request),
    /// The acceptor commits what it decided, and answers; the work is counted in the order of the set.
    Commit(usize),
    /// An operator gives a dialer a token.
    Use(Who, Which),
    /// The answer to a dialer's call arrives.
    Hear(Who),
    /// A dialer's loop opens a stream.
    Dial(Who),
    /// A dialer's operator ends the peering.
    Delete(Who),
    /// A dialer removes what it was deleting.
    FinishDelete(Who),
    /// A dialer is told that its peer ended the peering.
    HearEnd(Who, PeeringId),
    /// A process is killed and starts again. How long it is down makes no difference: meanwhile nothing arrives.
    Crash(Option<Who>),
    /// The time for asking again runs out.
    Wait,
}

impl Exploration {
    pub(super) fn of(bounds: Bounds) -> Self {
        let keyring = |seed| Keyring::ephemeral(Arc::new(SeededEntropy::new(seed)));
        Self {
            bounds,
            apply,
            has_preconditions: true,
            acceptor: keyring(0),
            dialers: [keyring(1), keyring(2)],
            met: Met::default(),
            decisions: Memory::new(),
            records: Memory::new(),
            verdicts: Memory::new(),
        }
    }

    pub(super) fn now(world: &World) -> Timestamp {
        let start = Timestamp::UNIX_EPOCH;
        if world.is_late { start + SignedDuration::try_from(REDEMPTION_WINDOW).unwrap() } else { start }
    }

    pub(super) fn establishment(token: Which) -> EstablishmentSecret {
        EstablishmentSecret::from_random([u8::try_from(token).unwrap(); 16])
    }

    /// Says whether a dialer sends a redemption.
    pub(super) fn may_repeat(&self, who: Who) -> bool {
        self.bounds.dialers[who] == Manners::Ours
    }

    /// Lists what the acceptor's operator, its network and its own work bring.
    fn requests(&self, world: &World, moves: &mut Vec<Move>) {
        let mut requests = Vec::new();
        let issued = world.promises.tokens.len();
        if issued < self.bounds.tokens {
            requests.push(Request::Generate);
        }
        if world.ends < self.bounds.ends {
            requests.push(Request::Delete);
            let may_be_revoked = |which: &Which| world.promises.tokens[*which].fate != Fate::Void;
            requests.extend((0..issued).filter(may_be_revoked).map(Request::Revoke));
        }
        if world.acceptor.record.peering.as_ref().is_some_and(|peering| peering.state == Stored::Deleting) {
            requests.push(Request::FinishDelete);
        }
        if world.under_way.len() < self.bounds.at_once {
            let is_new = |request: &&Request| !world.under_way.iter().any(|work| work.request == **request);
            requests.extend(world.asked.iter().filter(is_new));
        }
        moves.extend(requests.into_iter().map(Move::Decide));
    }
}

impl Model for Exploration {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        self.requests(world, moves);
        moves.extend((0..world.under_way.len()).map(Move::Commit));
        moves.push(Move::Crash(None));
        for (who, dialer) in world.dialers.iter().enumerate() {
            if dialer.call.is_some() {
                moves.push(Move::Hear(who));
            } else {
                moves.extend((0..world.promises.tokens.len()).map(|which| Move::Use(who, which)));
            }
            moves.push(Move::Crash(Some(who)));
            let Some(peering) = &dialer.kept.record.peering else { continue };
            moves.extend([Move::Dial(who), Move::FinishDelete(who)]);
            if world.ends < self.bounds.ends {
                moves.push(Move::Delete(who));
            }
            if peering.is_live() {
                moves.extend(world.farewells.iter().map(|id| Move::HearEnd(who, *id)));
            }
        }
        if self.bounds.waits && !world.is_late {
            moves.push(Move::Wait);
        }
    }

    fn next_state(&self, world: &World, next: Move) -> Option<World> {
        let mut after = world.clone();
        match next {
            Move::Decide(request) => self.decide(&mut after, request)?,
            Move::Commit(at) => self.commit(&mut after, at),
            Move::Use(who, which) => self.use_token(&mut after, who, which)?,
            Move::Hear(who) => self.hear(&mut after, who)?,
            Move::Dial(who) => Self::dial(&mut after, who)?,
            Move::Delete(who) => self.delete(&mut after, who)?,
            Move::FinishDelete(who) => self.finish_delete(&mut after, who)?,
            Move::HearEnd(who, id) => self.hear_end(&mut after, who, id)?,
            Move::Crash(None) => {
                after.under_way.clear();
                after.stream = None;
            }
            Move::Crash(Some(who)) => Self::crash(&mut after, who),
            Move::Wait => after.is_late = true,
        }
        (after != *world).then_some(after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        rules::properties(self.bounds)
    }
}

impl Met {
    /// Fails if the exploration never met what it is about.
    pub(super) fn assert_all(&self) {
        for count in [&self.conflicts, &self.repetitions, &self.refusals] {
            assert!(count.load(Ordering::Relaxed) > 0, "{self}");
        }
    }

    pub(super) fn one_more(count: &AtomicUsize) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [conflicts, repetitions, refusals] =
            [&self.conflicts, &self.repetitions, &self.refusals].map(|count| count.load(Ordering::Relaxed));
        write!(f, "{conflicts} conflicts, {repetitions} answers given again, {refusals} refusals")
    }
}
