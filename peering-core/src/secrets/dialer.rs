//! Rules of the side that uses a token: begin, complete, and the addresses that the acceptor sends later.

use jiff::Timestamp;

use super::apply::Draft;
use super::{BeginEstablish, CompleteEstablish, PeeringSecrets, Record, Refusal};
use crate::address::ServerAddress;
use crate::peering::{PeerDomain, Peering, Side, Stored};
use crate::remote::RemoteInfo;
use crate::transition::{Transition, What};

/// Refuses names that are not ours to dial; makes the record of a new one. A live record is left as it is until the
/// exchange has succeeded, so that a token that does not work does no harm.
pub(super) fn begin(record: &Record, command: BeginEstablish, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    let mut draft = Draft::of(record, now);
    match &record.peering {
        None => {
            let details = command.details;
            let peering = Peering {
                local_id: command.candidate_id,
                name: command.name,
                state: Stored::Pending,
                deleted_at: None,
                meta: details.meta,
                remote: details.remote,
                roots: details.roots,
                domain: PeerDomain { current: trust_domain(&details.dialed), ..PeerDomain::default() },
                side: Side::Dialer(details.dialed),
            };
            draft.tell(&peering, What::EstablishBegun { token: details.token });
            draft.next.peering = Some(peering);
        }
        Some(peering) if peering.dialed().is_none() => return Err(Refusal::ExpectsDialing(peering.name.clone())),
        Some(peering) => match peering.state {
            Stored::Deleting => return Err(Refusal::MarkedForDeletion),
            Stored::Terminated => draft.next.secrets = PeeringSecrets::default(),
            Stored::Pending | Stored::Establishing => {}
        },
    }
    Ok(draft.finish())
}

pub(super) fn complete(
    record: &Record,
    command: CompleteEstablish,
    now: Timestamp,
) -> Result<Transition<Record>, Refusal> {
    let peering = match &record.peering {
        Some(peering) if peering.local_id == command.id => peering,
        _ => return Err(Refusal::DeletedMeanwhile),
    };
    let Some(known) = peering.dialed() else { return Err(Refusal::ExpectsDialing(peering.name.clone())) };
    if peering.state == Stored::Deleting {
        return Err(Refusal::MarkedForDeletion);
    }
    let mut draft = Draft::of(record, now);
    let mut dialed = command.details.dialed;
    if command.is_connected && known.remote_id == dialed.remote_id {
        dialed.server_addresses.clone_from(&known.server_addresses);
    }
    let remote =
        if command.details.remote == RemoteInfo::default() { peering.remote.clone() } else { command.details.remote };
    let established = Peering {
        state: Stored::Establishing,
        meta: command.details.meta,
        remote,
        roots: command.details.roots,
        domain: PeerDomain { current: trust_domain(&dialed), ..PeerDomain::default() },
        side: Side::Dialer(dialed),
        ..peering.clone()
    };
    draft.next.secrets =
        PeeringSecrets { active: Some(command.secret), own: Some(command.sealed), ..PeeringSecrets::default() };
    draft.tell(&established, What::Established { token: command.details.token });
    draft.touch();
    draft.next.peering = Some(established);
    Ok(draft.finish())
}

fn trust_domain(dialed: &crate::peering::Dialed) -> Option<String> {
    dialed.trust_domain().map(str::to_ascii_lowercase)
}

pub(super) fn store_addresses(
    record: &Record,
    addresses: Vec<ServerAddress>,
    now: Timestamp,
) -> Result<Transition<Record>, Refusal> {
    let peering = record.peering.as_ref().ok_or(Refusal::NoPeering)?;
    if !peering.is_live() {
        return Err(Refusal::MarkedForDeletion);
    }
    let Side::Dialer(known) = &peering.side else { return Err(Refusal::DialingMode { from: false, to: true }) };
    if addresses.is_empty() {
        return Err(Refusal::DialingMode { from: true, to: false });
    }
    let mut draft = Draft::of(record, now);
    let mut dialed = known.clone();
    draft.tell(peering, What::ServerAddressesStored { addresses: addresses.len() });
    dialed.server_addresses = addresses;
    draft.next.peering = Some(Peering { side: Side::Dialer(dialed), ..peering.clone() });
    draft.touch();
    Ok(draft.finish())
}
