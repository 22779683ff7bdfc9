//! Rules of the side that generates tokens: generate, exchange, open, revoke.

use jiff::Timestamp;

use super::apply::Draft;
use super::{
    Establishment, ExchangeSecret, GenerateToken, IssuedToken, Open, PeeringSecrets, Pending, REDEMPTION_WINDOW,
    Record, Refusal, SecretCause,
};
use crate::id::TokenId;
use crate::life::{RevokeReason, TokenLife, TokenState};
use crate::peering::{PeerDomain, Peering, Side, Stored};
use crate::remote::RemoteInfo;
use crate::secret::SecretHash;
use crate::transition::{Transition, What};

pub(super) fn generate(record: &Record, command: GenerateToken, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    let mut draft = Draft::of(record, now);
    let peering = match &record.peering {
        None => Peering {
            local_id: command.candidate_id,
            name: command.name,
            state: Stored::Pending,
            deleted_at: None,
            meta: command.meta,
            remote: RemoteInfo::default(),
            roots: Vec::new(),
            domain: PeerDomain::default(),
            side: Side::Acceptor,
        },
        Some(peering) if peering.dialed().is_some() => return Err(Refusal::AlreadyDialed(peering.name.clone())),
        Some(peering) => match peering.state {
            Stored::Deleting => return Err(Refusal::MarkedForDeletion),
            Stored::Terminated => {
                // What was agreed before the termination must never be accepted again.
                draft.next.secrets.pending = None;
                draft.next.secrets.active = None;
                Peering { state: Stored::Pending, ..peering.clone() }
            }
            Stored::Pending | Stored::Establishing => peering.clone(),
        },
    };
    if let Some(old) = draft.next.secrets.establishment.take()
        && let Some(issued) = draft.next.tokens.get_mut(&old.token)
    {
        issued.life.supersede(now, command.token);
        draft.tell(&peering, What::TokenSuperseded { token: old.token, by: command.token });
    }
    draft.next.secrets.establishment = Some(Establishment { secret: command.secret, token: command.token });
    let life = TokenLife::issue(command.token, now, command.expires);
    let issued = IssuedToken {
        peering: peering.local_id,
        name: Some(peering.name.clone()),
        secret: command.secret,
        life,
        by: command.by,
    };
    draft.next.tokens.insert(command.token, issued);
    draft.tell(&peering, What::TokenGenerated { token: command.token, expires: command.expires });
    draft.touch();
    draft.next.peering = Some(peering);
    Ok(draft.finish())
}

pub(super) fn exchange(
    record: &Record,
    command: &ExchangeSecret,
    now: Timestamp,
) -> Result<Transition<Record>, Refusal> {
    let refuse = |cause| Err(Refusal::Establishment(cause));
    if command.establishment == SecretHash::of(b"") {
        return refuse(SecretCause::Empty);
    }
    let Some(peering) = &record.peering else {
        // Of a token whose peering is gone there may still be a record, which tells more.
        return refuse(cause_of_refusal(record, &command.establishment, now));
    };
    if !peering.is_live() {
        return refuse(SecretCause::PeeringEnded);
    }
    let fresh = record.secrets.establishment.as_ref().filter(|kept| kept.secret == command.establishment);
    let Some(kept) = fresh else {
        return if may_ask_again(&record.secrets, command, now) {
            Ok(Transition::unchanged(record.clone()))
        } else {
            refuse(cause_of_refusal(record, &command.establishment, now))
        };
    };
    let mut draft = Draft::of(record, now);
    let token = kept.token;
    if let Some(issued) = draft.next.tokens.get_mut(&token) {
        match issued.life.state_at(now) {
            TokenState::Unused => issued.life.redeem(now, command.from),
            TokenState::Expired => return refuse(SecretCause::Expired),
            TokenState::Revoked => return refuse(SecretCause::Revoked),
            TokenState::Redeemed => return refuse(SecretCause::Spent),
            TokenState::Superseded => return refuse(SecretCause::Superseded),
        }
    } else {
        // Every establishment secret has its token's record; without one nobody can say that it may be used.
        return refuse(SecretCause::Unknown);
    }
    draft.next.secrets.establishment = None;
    draft.next.secrets.pending = Some(Pending {
        secret: command.candidate,
        token,
        spent: command.establishment,
        redemption: command.redemption.clone(),
        exchanged_at: now,
    });
    draft.tell(peering, What::TokenRedeemed { token, from: command.from });
    Ok(draft.finish())
}

/// Says whether this is the redeemer of the pending secret asking again, before first use and in time.
fn may_ask_again(secrets: &PeeringSecrets, command: &ExchangeSecret, now: Timestamp) -> bool {
    let Some(pending) = &secrets.pending else { return false };
    let (Some(claim), Some(asked)) = (&pending.redemption, &command.redemption) else { return false };
    // A clock that was set back makes the difference negative; the window then has not even begun.
    let age = now.duration_since(pending.exchanged_at);
    pending.spent == command.establishment
        && claim.hash == asked.hash
        && pending.secret == command.candidate
        && age.as_secs() < REDEMPTION_WINDOW.as_secs().cast_signed()
}

fn cause_of_refusal(record: &Record, presented: &SecretHash, now: Timestamp) -> SecretCause {
    let issued = record.tokens.values().find(|issued| issued.secret == *presented);
    match issued.map(|issued| issued.life.state_at(now)) {
        None | Some(TokenState::Unused) => SecretCause::Unknown,
        Some(TokenState::Redeemed) => SecretCause::Spent,
        Some(TokenState::Superseded) => SecretCause::Superseded,
        Some(TokenState::Expired) => SecretCause::Expired,
        Some(TokenState::Revoked) => SecretCause::Revoked,
    }
}

/// Removes the token that the peering waits with, if it has expired. Nothing is told: its end was its time.
pub(super) fn forget_expired(record: &Record, token: TokenId, now: Timestamp) -> Transition<Record> {
    let mut draft = Draft::of(record, now);
    let is_expired = record.tokens.get(&token).is_some_and(|it| it.life.state_at(now) == TokenState::Expired);
    if draft.next.secrets.establishment.take_if(|kept| is_expired && kept.token == token).is_some() {
        draft.next.tokens.remove(&token);
    }
    draft.finish()
}

pub(super) fn open(record: &Record, command: Open, now: Timestamp) -> Result<Transition<Record>, Refusal> {
    let peering = record.peering.as_ref().ok_or(Refusal::NoPeering)?;
    if !peering.is_live() {
        let by_peer = peering.state == Stored::Terminated;
        return Err(Refusal::Ended { id: peering.local_id, by_peer });
    }
    if record.secrets.is_empty() {
        return Err(Refusal::NoSecrets);
    }
    let is_active = record.secrets.active == Some(command.secret);
    let is_pending = record.secrets.pending.as_ref().is_some_and(|pending| pending.secret == command.secret);
    if !is_active && !is_pending {
        return Err(Refusal::Stream);
    }
    if peering.dialed().is_some() {
        return Err(Refusal::WrongEnd);
    }
    if is_active {
        return Ok(Transition::unchanged(record.clone()));
    }
    let mut draft = Draft::of(record, now);
    let token = draft.next.secrets.pending.take().map(|pending| pending.token);
    draft.next.secrets.active = Some(command.secret);
    let mut promoted = peering.clone();
    promoted.remote = command.remote;
    // The new secret may have gone to a rebuilt cluster: its first trust bundle decides which domain counts.
    if let Some(current) = promoted.domain.current.take() {
        promoted.domain.previous = Some(current);
    }
    draft.tell(&promoted, What::StreamSecretPromoted { token });
    draft.next.peering = Some(promoted);
    draft.touch();
    Ok(draft.finish())
}

/// Takes a token back while there is something to take: the token itself until it is redeemed or expires, then its stream
/// secret until that is first used.
pub(super) fn revoke(
    record: &Record,
    token: TokenId,
    reason: RevokeReason,
    now: Timestamp,
) -> Result<Transition<Record>, Refusal> {
    let mut draft = Draft::of(record, now);
    let issued = draft.next.tokens.get_mut(&token).ok_or(Refusal::NoToken(token))?;
    let state = issued.life.state_at(now);
    // After a restore no clock is trusted yet: one that is put right later must not bring a token back.
    if matches!(state, TokenState::Superseded | TokenState::Revoked)
        || (state == TokenState::Expired && reason != RevokeReason::Restored)
    {
        return Err(Refusal::TokenEnded { token, state });
    }
    let Some(peering) = record.peering.as_ref().filter(|peering| peering.state != Stored::Deleting) else {
        return Err(Refusal::TokenOfDeleted(token));
    };
    let secrets = &mut draft.next.secrets;
    if state == TokenState::Redeemed {
        if secrets.pending.as_ref().is_none_or(|pending| pending.token != token) {
            return Err(Refusal::TokenInUse(token));
        }
        secrets.pending = None;
    } else if secrets.establishment.as_ref().is_some_and(|kept| kept.token == token) {
        secrets.establishment = None;
    }
    issued.life.revoke(now, reason);
    draft.tell(peering, What::TokenRevoked { token, reason });
    Ok(draft.finish())
}
