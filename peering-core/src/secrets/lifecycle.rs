//! Rules that both sides share: trust bundles, deletion, and the peer's own ending.

use jiff::Timestamp;

use super::apply::Draft;
use super::{PeeringSecrets, Record, Refusal};
use crate::life::{RevokeReason, TokenState};
use crate::meta::Meta;
use crate::peering::{PeerDomain, Peering, Stored};
use crate::secret::SecretHash;
use crate::transition::{Transition, What};

/// Says whether the stream that speaks was admitted by a secret that is void by now: its peer was replaced.
fn is_superseded(record: &Record, admitted_by: Option<SecretHash>) -> bool {
    admitted_by.is_some_and(|secret| record.secrets.active != Some(secret))
}

pub(super) fn store_trust_bundle(
    record: &Record,
    admitted_by: Option<SecretHash>,
    trust_domain: String,
    roots: Vec<String>,
    now: Timestamp,
) -> Result<Transition<Record>, Refusal> {
    let peering = record.peering.as_ref().ok_or(Refusal::NoPeering)?;
    if !peering.is_live() {
        return Err(Refusal::MarkedForDeletion);
    }
    if is_superseded(record, admitted_by) {
        return Err(Refusal::Stream);
    }
    let got = trust_domain.to_ascii_lowercase();
    let mut domain = peering.domain.clone();
    let mut draft = Draft::of(record, now);
    match &domain.current {
        Some(expected) if *expected != got => {
            return Err(Refusal::ForeignTrustDomain { expected: expected.clone(), got });
        }
        Some(_) => {}
        None => {
            let changed = domain.previous.take().filter(|previous| *previous != got);
            if let Some(previous) = &changed {
                draft.tell(peering, What::TrustDomainChanged { from: previous.clone(), to: got.clone() });
            }
            domain.changed_from = changed;
            domain.current = Some(got);
        }
    }
    draft.tell(peering, What::TrustBundleStored { roots: roots.len() });
    draft.next.peering = Some(Peering { roots, domain, ..peering.clone() });
    draft.touch();
    Ok(draft.finish())
}

/// Marks the peering for deletion and erases every secret in the same write. Deleting twice, or what is not there, is
/// no error.
pub(super) fn delete(record: &Record, now: Timestamp) -> Transition<Record> {
    let peering = match &record.peering {
        Some(peering) if peering.state != Stored::Deleting => peering,
        _ => return Transition::unchanged(record.clone()),
    };
    let mut draft = Draft::of(record, now);
    if let Some(kept) = draft.next.secrets.establishment.take()
        && let Some(issued) = draft.next.tokens.get_mut(&kept.token)
        && matches!(issued.life.state_at(now), TokenState::Unused | TokenState::Expired)
    {
        issued.life.revoke(now, RevokeReason::PeeringDeleted);
        draft.tell(peering, What::TokenRevoked { token: kept.token, reason: RevokeReason::PeeringDeleted });
    }
    draft.next.secrets = PeeringSecrets::default();
    let mut side = peering.side.clone();
    if let crate::peering::Side::Dialer(dialed) = &mut side {
        dialed.remote_id.clear();
        dialed.server_name.clear();
    }
    draft.tell(peering, What::Deleted);
    draft.next.peering = Some(Peering {
        state: Stored::Deleting,
        deleted_at: Some(now),
        meta: Meta::default(),
        roots: Vec::new(),
        domain: PeerDomain::default(),
        side,
        ..peering.clone()
    });
    draft.touch();
    draft.finish()
}

pub(super) fn finish_delete(record: &Record, now: Timestamp) -> Transition<Record> {
    match &record.peering {
        Some(peering) if peering.state == Stored::Deleting => {
            let mut draft = Draft::of(record, now);
            draft.tell(peering, What::Removed);
            draft.next = Record::default();
            draft.finish()
        }
        _ => Transition::unchanged(record.clone()),
    }
}

/// Notes that the peer ended the peering. One that we are deleting goes on being deleted.
pub(super) fn terminate(record: &Record, admitted_by: Option<SecretHash>, now: Timestamp) -> Transition<Record> {
    match &record.peering {
        Some(peering) if peering.is_live() && !is_superseded(record, admitted_by) => {
            let mut draft = Draft::of(record, now);
            draft.tell(peering, What::Terminated);
            draft.next.peering = Some(Peering { state: Stored::Terminated, ..peering.clone() });
            draft.touch();
            draft.finish()
        }
        _ => Transition::unchanged(record.clone()),
    }
}
