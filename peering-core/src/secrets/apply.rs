//! The one door through which a peering record changes.

use jiff::Timestamp;

use super::{Command, Record, Refusal, acceptor, dialer, lifecycle};
use crate::peering::Peering;
use crate::transition::{Event, Origin, Transition, What};

/// Decides what a command does to a record at `now`.
///
/// # Errors
/// [`Refusal`]; the record is then as it was.
///
/// # Examples
/// ```
/// use peering_core::id::{PeeringId, TokenId};
/// use peering_core::meta::Meta;
/// use peering_core::name::PeerName;
/// use peering_core::secret::EstablishmentSecret;
/// use peering_core::secrets::{Command, GenerateToken, Record, apply};
/// use uuid::Uuid;
///
/// let generate = Command::GenerateToken(GenerateToken {
///     candidate_id: PeeringId::from_uuid(Uuid::from_u128(1)),
///     name: PeerName::parse("cluster-02")?,
///     meta: Meta::default(),
///     token: TokenId::from_uuid(Uuid::from_u128(2)),
///     secret: EstablishmentSecret::from_random([3; 16]).hash(),
///     expires: None,
///     by: None,
/// });
/// let transition = apply(&Record::default(), generate, "2026-01-01T00:00:00Z".parse()?)?;
/// assert!(transition.next.secrets.establishment.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn apply(record: &Record, command: Command, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    match command {
        Command::GenerateToken(generate) => acceptor::generate(record, generate, now),
        Command::ExchangeSecret(exchange) => acceptor::exchange(record, &exchange, now),
        Command::Open(open) => acceptor::open(record, open, now),
        Command::RevokeToken { token, reason } => acceptor::revoke(record, token, reason, now),
        Command::ForgetExpired(token) => Ok(acceptor::forget_expired(record, token, now)),
        Command::BeginEstablish(begin) => dialer::begin(record, begin, now),
        Command::CompleteEstablish(complete) => dialer::complete(record, complete, now),
        Command::StoreServerAddresses(addresses) => dialer::store_addresses(record, addresses, now),
        Command::StoreTrustBundle { admitted_by, trust_domain, roots } => {
            lifecycle::store_trust_bundle(record, admitted_by, trust_domain, roots, now)
        }
        Command::Delete => Ok(lifecycle::delete(record, now)),
        Command::FinishDelete => Ok(lifecycle::finish_delete(record, now)),
        Command::PeerTerminated { admitted_by } => Ok(lifecycle::terminate(record, admitted_by, now)),
    }
}

/// Collects what a rule changes, then turns into a [`Transition`].
pub(super) struct Draft {
    pub(super) next: Record,
    touched: bool,
    superseded: Vec<crate::id::TokenId>,
    events: Vec<Event>,
    now: Timestamp,
}

impl Draft {
    pub(super) fn of(record: &Record, now: Timestamp) -> Self {
        Self { next: record.clone(), touched: false, superseded: Vec::new(), events: Vec::new(), now }
    }

    /// Makes the peering's index move even if its content stays.
    pub(super) const fn touch(&mut self) {
        self.touched = true;
    }

    pub(super) fn tell(&mut self, peering: &Peering, what: What) {
        if let What::TokenSuperseded { token, .. } = &what {
            self.superseded.push(*token);
        }
        let (peering, name) = (peering.local_id, peering.name.clone());
        self.events.push(Event { at: self.now, peering, name, what, origin: Origin::default() });
    }

    pub(super) fn finish(self) -> Transition<Record> {
        Transition { next: self.next, touched: self.touched, superseded: self.superseded, events: self.events }
    }
}
