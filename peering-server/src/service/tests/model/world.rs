//! A state of the world: what is durable, what is in memory, what is on the network, what was promised.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use peering_core::id::PeeringId;
use peering_core::secret::SecretHash;
use peering_core::secrets::Record;
use uuid::Uuid;

use super::promises::Promises;
use crate::store::record::encode;

/// Which dialer.
pub(super) type Who = usize;
/// Which token, counted in the order of issue.
pub(super) type Which = usize;

/// How a dialer asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Manners {
    /// With a redemption, so that it may ask again.
    Ours,
    /// Without.
    Consul,
}

/// How large a world is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Who dials. Each of them holds every token.
    pub(super) dialers: [Manners; 2],
    /// Tokens that are issued at most.
    pub(super) tokens: usize,
    /// Deletions, on either side, and revocations at most.
    pub(super) ends: usize,
    /// Requests that the acceptor works on at the same time.
    pub(super) at_once: usize,
    /// Whether the time for asking again may run out.
    pub(super) waits: bool,
}

/// A record as the store has it, compared by its stored bytes. One commit replaces it; a crash leaves it.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) record: Arc<Record>,
    bytes: u64,
}

/// A stream secret, known by its hash.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    pub(super) hash: SecretHash,
    sorted_by: u64,
}

/// What the acceptor is asked, over the network or by its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Request {
    Generate,
    Exchange(Question),
    Open { who: Who, remote_id: PeeringId, secret: Stream },
    Revoke(Which),
    Delete,
    FinishDelete,
    Terminated { admitted_by: Stream },
}

/// A question for a stream secret; `asker` is the dialer's own id of its peering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Question {
    pub(super) who: Who,
    pub(super) asker: PeeringId,
    pub(super) token: Which,
}

/// What the acceptor has decided and not committed. A crash forgets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Work {
    pub(super) request: Request,
    /// What a question that cannot be repeated would be answered with.
    pub(super) drawn: u8,
    /// The record as it was read.
    pub(super) read: Kept,
    /// The record as it is to be.
    pub(super) next: Kept,
    /// The stream secret that would be answered.
    pub(super) answer: Option<Stream>,
}

/// A dialer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Dialer {
    pub(super) kept: Kept,
    /// Peerings that it has made so far: each has another id.
    pub(super) made: u8,
    /// The call that waits for an answer. A crash forgets it.
    pub(super) call: Option<Question>,
    /// Whether an answer of the acceptor was lost on it, as far as anybody remembers.
    pub(super) has_lost: bool,
}

/// A state of the world. What was once on the network stays there: it may arrive again, late, or never.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) acceptor: Kept,
    /// In no order, hence sorted.
    pub(super) under_way: BTreeSet<Work>,
    pub(super) dialers: [Dialer; 2],
    pub(super) asked: BTreeSet<Request>,
    pub(super) answered: BTreeSet<(Question, Stream)>,
    /// Ids of peerings whose dialer the acceptor told of their end.
    pub(super) farewells: BTreeSet<PeeringId>,
    /// The one stream that the acceptor serves, both ends in memory.
    pub(super) stream: Option<(Who, Stream)>,
    pub(super) promises: Promises,
    /// Deletions and revocations so far.
    pub(super) ends: usize,
    /// Whether the time for asking again is over.
    pub(super) is_late: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let dialer = || Dialer { kept: Kept::default(), made: 0, call: None, has_lost: false };
        Self {
            acceptor: Kept::default(),
            under_way: BTreeSet::new(),
            dialers: [dialer(), dialer()],
            asked: BTreeSet::new(),
            answered: BTreeSet::new(),
            farewells: BTreeSet::new(),
            stream: None,
            promises: Promises::default(),
            ends: 0,
            is_late: false,
        }
    }
}

impl Kept {
    pub(super) fn new(record: Record) -> Self {
        let mut hasher = DefaultHasher::new();
        let bytes = record.peering.as_ref().map(|peering| encode("", peering, Uuid::nil()).unwrap());
        (bytes, encode("", &record.secrets, Uuid::nil()).unwrap()).hash(&mut hasher);
        for (token, issued) in &record.tokens {
            (token, encode("", issued, Uuid::nil()).unwrap()).hash(&mut hasher);
        }
        Self { record: Arc::new(record), bytes: hasher.finish() }
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::new(Record::default())
    }
}

impl Stream {
    pub(super) fn of(hash: SecretHash) -> Self {
        Self { hash, sorted_by: u64::from_str_radix(&hash.to_hex()[..16], 16).unwrap() }
    }
}

/// Compares by one number, which is the value's for every purpose of a model.
macro_rules! compared_by {
    ($name:ty, $field:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.$field == other.$field
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.$field.cmp(&other.$field)
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, hasher: &mut H) {
                self.$field.hash(hasher);
            }
        }
    };
}

compared_by!(Kept, bytes);
compared_by!(Stream, sorted_by);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = &self.record.secrets;
        let state = self.record.peering.as_ref().map(|peering| peering.state);
        write!(f, "{state:?}")?;
        for (letter, is_kept) in
            [("E", secrets.establishment.is_some()), ("P", secrets.pending.is_some()), ("A", secrets.active.is_some())]
        {
            if is_kept {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.sorted_by >> 48)
    }
}
