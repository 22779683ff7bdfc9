//! One test for each row of the supersession table, and for each event that the table has no column for.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::address::ServerAddress;
use crate::life::{RevokeReason, TokenState};
use crate::meta::Meta;
use crate::name::PeerName;
use crate::peering::{Dialed, Stored};
use crate::remote::RemoteInfo;
use crate::transition::{Transition, What};

/// A record that is driven step by step; secrets are named by small numbers.
pub(super) struct Desk {
    pub(super) record: Record,
    pub(super) now: Timestamp,
    drawn: u128,
}

pub(super) fn secret(number: u32) -> SecretHash {
    SecretHash::of(&number.to_be_bytes())
}

pub(super) fn token(number: u32) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(number.into()))
}

pub(super) fn claim(number: u32) -> RedemptionClaim {
    RedemptionClaim { hash: secret(number), key_id: "k".into() }
}

pub(super) fn details(server_name: &str) -> PeerDetails {
    let address = ServerAddress::parse("203.0.113.10:8503").unwrap();
    PeerDetails {
        token: None,
        dialed: Dialed {
            remote_id: "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d".into(),
            server_name: server_name.into(),
            manual_addresses: vec![],
            server_addresses: vec![address.clone()],
            token_addresses: vec![address],
            plaintext: false,
        },
        roots: vec!["root\n".into()],
        remote: RemoteInfo { datacenter: "dc1".into(), ..RemoteInfo::default() },
        meta: Meta::default(),
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        Self { record: Record::default(), now: "2026-01-01T00:00:00Z".parse().unwrap(), drawn: 0 }
    }

    pub(super) fn run(&mut self, command: Command) -> Result<Transition<Record>, Refusal> {
        let transition = apply(&self.record, command, self.now)?;
        self.record = transition.next.clone();
        Ok(transition)
    }

    pub(super) fn generate(&mut self, number: u32) -> Result<Transition<Record>, Refusal> {
        self.generate_until(number, None)
    }

    pub(super) fn generate_until(
        &mut self,
        number: u32,
        expires: Option<Timestamp>,
    ) -> Result<Transition<Record>, Refusal> {
        self.drawn += 1;
        self.run(Command::GenerateToken(GenerateToken {
            candidate_id: PeeringId::from_uuid(Uuid::from_u128(self.drawn)),
            name: PeerName::parse("c2").unwrap(),
            meta: Meta::default(),
            token: token(number),
            secret: secret(number),
            expires,
            by: None,
        }))
    }

    pub(super) fn exchange(
        &mut self,
        establishment: u32,
        candidate: u32,
        redemption: Option<RedemptionClaim>,
    ) -> Result<Transition<Record>, Refusal> {
        self.run(Command::ExchangeSecret(ExchangeSecret {
            establishment: secret(establishment),
            candidate: secret(candidate),
            redemption,
            from: None,
        }))
    }

    pub(super) fn open(&mut self, number: u32) -> Result<Transition<Record>, Refusal> {
        let remote = RemoteInfo { datacenter: "dc2".into(), ..RemoteInfo::default() };
        self.run(Command::Open(Open { secret: secret(number), remote }))
    }

    pub(super) fn revoke(&mut self, number: u32) -> Result<Transition<Record>, Refusal> {
        self.run(Command::RevokeToken { token: token(number), reason: RevokeReason::Operator })
    }

    pub(super) fn begin(&mut self) -> Result<Transition<Record>, Refusal> {
        self.drawn += 1;
        self.run(Command::BeginEstablish(BeginEstablish {
            candidate_id: PeeringId::from_uuid(Uuid::from_u128(self.drawn)),
            name: PeerName::parse("c2").unwrap(),
            details: details("server.dc1.peering.one.consul"),
        }))
    }

    pub(super) fn complete(&mut self, number: u32) -> Result<Transition<Record>, Refusal> {
        let id = self.record.peering.as_ref().map_or(PeeringId::from_uuid(Uuid::nil()), |peering| peering.local_id);
        self.run(Command::CompleteEstablish(CompleteEstablish {
            id,
            details: details("server.dc1.peering.one.consul"),
            sealed: SealedSecret(number.into()),
            secret: secret(number),
            is_connected: false,
        }))
    }

    pub(super) fn bundle(&mut self, domain: &str) -> Result<Transition<Record>, Refusal> {
        self.run(Command::StoreTrustBundle {
            admitted_by: None,
            trust_domain: domain.into(),
            roots: vec!["root\n".into()],
        })
    }

    /// Names which secrets are kept: establishment, pending, active.
    fn kept(&self) -> (Option<SecretHash>, Option<SecretHash>, Option<SecretHash>) {
        let PeeringSecrets { establishment, pending, active, .. } = &self.record.secrets;
        (establishment.as_ref().map(|kept| kept.secret), pending.as_ref().map(|kept| kept.secret), *active)
    }

    fn state(&self) -> Option<Stored> {
        self.record.peering.as_ref().map(|peering| peering.state)
    }
}

/// Tokens are numbered from 1, pending secrets from 11; a secret keeps its number when it becomes active.
fn desk_with(establishment: Option<u32>, pending: Option<u32>, active: Option<u32>) -> Desk {
    let mut desk = Desk::new();
    if let Some(number) = active {
        desk.generate(91).unwrap();
        desk.exchange(91, number, None).unwrap();
        desk.open(number).unwrap();
    }
    if let Some(number) = pending {
        desk.generate(92).unwrap();
        desk.exchange(92, number, None).unwrap();
    }
    match establishment {
        Some(number) => drop(desk.generate(number).unwrap()),
        None if active.is_none() && pending.is_none() => {
            desk.generate(93).unwrap();
            desk.run(Command::RevokeToken { token: token(93), reason: RevokeReason::Operator }).unwrap();
        }
        None => {}
    }
    assert_eq!(desk.kept(), (establishment.map(secret), pending.map(secret), active.map(secret)));
    desk
}

const REFUSED: u32 = 77;

/// Checks one row: what generate(5), exchange(E or a stranger), open(P) and open(A) lead to.
fn row(establishment: Option<u32>, pending: Option<u32>, active: Option<u32>) {
    let start = || desk_with(establishment, pending, active);

    let mut desk = start();
    let generated = desk.generate(5).unwrap();
    assert_eq!(desk.kept(), (Some(secret(5)), pending.map(secret), active.map(secret)));
    assert_eq!(generated.superseded, establishment.map(token).into_iter().collect::<Vec<_>>());
    assert!(generated.touched);

    let mut desk = start();
    match establishment {
        Some(number) => {
            desk.exchange(number, 15, None).unwrap();
            assert_eq!(desk.kept(), (None, Some(secret(15)), active.map(secret)));
            assert_eq!(
                desk.exchange(number, 16, None).unwrap_err(),
                Refusal::Establishment(SecretCause::Spent),
                "a token works once"
            );
        }
        None => {
            let before = desk.record.clone();
            assert!(matches!(desk.exchange(REFUSED, 15, None), Err(Refusal::Establishment(_))));
            assert_eq!(desk.record, before);
        }
    }

    let mut desk = start();
    if let Some(number) = pending {
        desk.open(number).unwrap();
        assert_eq!(desk.kept(), (establishment.map(secret), None, Some(secret(number))));
        if let Some(old) = active {
            assert_eq!(desk.open(old).unwrap_err(), Refusal::Stream, "the old active secret is void");
        }
    }

    let mut desk = start();
    if let Some(number) = active {
        let before = desk.record.clone();
        desk.open(number).unwrap();
        assert_eq!(desk.record, before);
    }

    let mut desk = start();
    let stranger = desk.open(REFUSED).unwrap_err();
    let nothing_kept = establishment.is_none() && pending.is_none() && active.is_none();
    assert_eq!(stranger, if nothing_kept { Refusal::NoSecrets } else { Refusal::Stream });
}

#[test]
fn row_1_nothing_kept() {
    row(None, None, None);
}

#[test]
fn row_2_token_never_used() {
    row(Some(1), None, None);
}

#[test]
fn row_3_exchanged_not_connected() {
    row(None, Some(11), None);
}

#[test]
fn row_4_exchanged_and_token_out() {
    row(Some(2), Some(11), None);
}

#[test]
fn row_5_active_no_token_out() {
    row(None, None, Some(21));
}

#[test]
fn row_6_active_token_out() {
    row(Some(2), None, Some(21));
}

#[test]
fn row_7_reestablished_old_stream_up() {
    row(None, Some(12), Some(21));
}

#[test]
fn row_8_reestablished_and_token_out() {
    row(Some(3), Some(12), Some(21));
}

#[test]
fn generating_for_a_peering_under_deletion_is_refused_with_the_stores_text() {
    let mut desk = desk_with(Some(1), None, None);
    desk.run(Command::Delete).unwrap();
    assert_eq!(desk.kept(), (None, None, None));
    assert_eq!(
        desk.generate(2).unwrap_err().to_string(),
        "failed to write peering: cannot write to peering that is marked for deletion"
    );
    desk.run(Command::FinishDelete).unwrap();
    assert_eq!(desk.record, Record::default());
    desk.generate(3).unwrap();
}

#[test]
fn generating_for_a_terminated_peering_begins_anew_with_the_same_id() {
    let mut desk = desk_with(Some(1), Some(12), Some(21));
    let id = desk.record.peering.as_ref().unwrap().local_id;
    desk.run(Command::PeerTerminated { admitted_by: None }).unwrap();
    assert_eq!(desk.state(), Some(Stored::Terminated));
    assert_eq!(desk.exchange(1, 15, None).unwrap_err(), Refusal::Establishment(SecretCause::PeeringEnded));
    assert_eq!(desk.open(21).unwrap_err(), Refusal::Ended { id, by_peer: true });
    desk.generate(2).unwrap();
    assert_eq!(desk.kept(), (Some(secret(2)), None, None));
    assert_eq!(desk.state(), Some(Stored::Pending));
    assert_eq!(desk.record.peering.as_ref().unwrap().local_id, id);
    assert_eq!(desk.open(21).unwrap_err(), Refusal::Stream);
    assert_eq!(desk.open(12).unwrap_err(), Refusal::Stream);
}

#[test]
fn generating_over_a_peering_that_we_dial_is_refused() {
    let mut desk = Desk::new();
    desk.begin().unwrap();
    assert_eq!(
        desk.generate(1).unwrap_err().to_string(),
        r#"cannot create peering with name: "c2"; there is already an established peering"#
    );
}

#[test]
fn establishing_over_a_peering_that_we_accept_is_refused() {
    let mut desk = desk_with(Some(1), None, None);
    assert_eq!(
        desk.begin().unwrap_err().to_string(),
        r#"cannot create peering with name: "c2"; there is an existing peering expecting to be dialed"#
    );
}

#[test]
fn an_empty_secret_is_refused_even_if_none_is_kept() {
    let mut desk = desk_with(None, Some(11), None);
    let empty = Command::ExchangeSecret(ExchangeSecret {
        establishment: SecretHash::of(b""),
        candidate: secret(15),
        redemption: None,
        from: None,
    });
    assert_eq!(desk.run(empty).unwrap_err(), Refusal::Establishment(SecretCause::Empty));
}

#[test]
fn causes_are_told_apart_inside_and_read_the_same_outside() {
    let mut desk = Desk::new();
    assert_eq!(desk.exchange(1, 11, None).unwrap_err(), Refusal::Establishment(SecretCause::Unknown));
    desk.generate(1).unwrap();
    desk.generate_until(2, Some(desk.now + SignedDuration::from_secs(60))).unwrap();
    assert_eq!(desk.exchange(1, 11, None).unwrap_err(), Refusal::Establishment(SecretCause::Superseded));
    desk.now += SignedDuration::from_secs(60);
    assert_eq!(desk.exchange(2, 11, None).unwrap_err(), Refusal::Establishment(SecretCause::Expired));
    desk.generate(3).unwrap();
    desk.run(Command::RevokeToken { token: token(3), reason: RevokeReason::Operator }).unwrap();
    let refusal = desk.exchange(3, 11, None).unwrap_err();
    assert_eq!(refusal, Refusal::Establishment(SecretCause::Revoked));
    assert_eq!(refusal.to_string(), "invalid peering establishment secret");
}

#[test]
fn the_redeemer_may_ask_again_until_first_use_and_for_ten_minutes() {
    let mut desk = desk_with(Some(1), None, None);
    desk.exchange(1, 11, Some(claim(5))).unwrap();
    let after = desk.record.clone();
    desk.exchange(1, 11, Some(claim(5))).unwrap();
    assert_eq!(desk.record, after, "asking again changes nothing");

    let spent = Refusal::Establishment(SecretCause::Spent);
    assert_eq!(desk.exchange(1, 11, None).unwrap_err(), spent, "no claim");
    assert_eq!(desk.exchange(1, 11, Some(claim(6))).unwrap_err(), spent, "another's claim");
    assert_eq!(desk.exchange(1, 12, Some(claim(5))).unwrap_err(), spent, "another stream secret");

    desk.now += SignedDuration::from_secs(599);
    desk.exchange(1, 11, Some(claim(5))).unwrap();
    desk.now += SignedDuration::from_secs(1);
    assert_eq!(desk.exchange(1, 11, Some(claim(5))).unwrap_err(), spent, "too late");

    desk.now -= SignedDuration::from_secs(1);
    desk.open(11).unwrap();
    assert_eq!(desk.exchange(1, 11, Some(claim(5))).unwrap_err(), spent, "used");
}

#[test]
fn a_newer_exchange_and_a_revocation_end_asking_again() {
    let mut desk = desk_with(Some(1), None, None);
    desk.exchange(1, 11, Some(claim(5))).unwrap();
    desk.generate(2).unwrap();
    desk.exchange(1, 11, Some(claim(5))).unwrap();
    desk.exchange(2, 12, Some(claim(6))).unwrap();
    assert!(desk.exchange(1, 11, Some(claim(5))).is_err());

    desk.run(Command::RevokeToken { token: token(2), reason: RevokeReason::Operator }).unwrap();
    let refusal = desk.exchange(2, 12, Some(claim(6))).unwrap_err();
    assert_eq!(refusal, Refusal::Establishment(SecretCause::Revoked));
    assert_eq!(desk.open(12).unwrap_err(), Refusal::NoSecrets);
}

#[test]
fn a_token_whose_stream_secret_is_in_use_cannot_be_revoked() {
    let mut desk = desk_with(None, None, Some(21));
    let revoke = Command::RevokeToken { token: token(91), reason: RevokeReason::Operator };
    assert_eq!(desk.run(revoke).unwrap_err(), Refusal::TokenInUse(token(91)));
}

#[test]
fn a_redeemed_token_is_revoked_until_first_use_and_remembers_its_redemption() {
    let mut desk = desk_with(None, Some(11), None);
    let from = desk.record.tokens[&token(92)].life.redeemed();
    assert!(from.is_some());
    desk.now += SignedDuration::from_secs(5);
    desk.revoke(92).unwrap();
    assert_eq!(desk.kept(), (None, None, None));
    assert_eq!(desk.record.tokens[&token(92)].life.redeemed(), from);
    assert_eq!(desk.record.tokens[&token(92)].life.state_at(desk.now), TokenState::Revoked);
}

#[test]
fn a_token_that_ended_cannot_be_revoked_and_each_end_is_told_apart() {
    let mut desk = Desk::new();
    desk.generate(1).unwrap();
    desk.generate_until(2, Some(desk.now + SignedDuration::from_secs(60))).unwrap();
    let ended = |number, state| Refusal::TokenEnded { token: token(number), state };
    assert_eq!(desk.revoke(1).unwrap_err(), ended(1, TokenState::Superseded));
    desk.now += SignedDuration::from_secs(60);
    assert_eq!(desk.revoke(2).unwrap_err(), ended(2, TokenState::Expired));
    desk.generate(3).unwrap();
    desk.revoke(3).unwrap();
    assert_eq!(desk.revoke(3).unwrap_err(), ended(3, TokenState::Revoked));
    assert_eq!(desk.revoke(4).unwrap_err(), Refusal::NoToken(token(4)));
    // After a restore the clock counts for nothing.
    desk.generate_until(5, Some(desk.now + SignedDuration::from_secs(60))).unwrap();
    desk.now += SignedDuration::from_secs(60);
    desk.run(Command::RevokeToken { token: token(5), reason: RevokeReason::Restored }).unwrap();
    desk.now -= SignedDuration::from_secs(60);
    assert_eq!(desk.exchange(5, 15, None).unwrap_err(), Refusal::Establishment(SecretCause::Revoked));
}

#[test]
fn nothing_is_revoked_of_a_peering_that_was_deleted() {
    let mut desk = desk_with(None, Some(11), None);
    desk.run(Command::Delete).unwrap();
    assert_eq!(desk.revoke(92).unwrap_err(), Refusal::TokenOfDeleted(token(92)));
    let issued = desk.record.tokens[&token(92)].clone();
    desk.run(Command::FinishDelete).unwrap();
    desk.record.tokens.insert(token(92), issued);
    assert_eq!(desk.revoke(92).unwrap_err(), Refusal::TokenOfDeleted(token(92)));
}

#[test]
fn promotion_records_who_dialed_and_an_open_with_the_active_secret_does_not() {
    let mut desk = desk_with(None, Some(11), None);
    assert!(desk.record.peering.as_ref().unwrap().remote.is_empty());
    let promoted = desk.open(11).unwrap();
    assert!(promoted.events.iter().any(|event| matches!(event.what, What::StreamSecretPromoted { token: Some(_) })));
    assert_eq!(desk.record.peering.as_ref().unwrap().remote.datacenter, "dc2");
    assert!(desk.open(11).unwrap().events.is_empty());
}

#[test]
fn deleting_revokes_the_token_that_is_out_and_erases_every_secret() {
    let mut desk = desk_with(Some(1), Some(12), Some(21));
    desk.run(Command::Delete).unwrap();
    assert!(desk.record.secrets.is_empty());
    assert_eq!(desk.record.tokens[&token(1)].life.state_at(desk.now), TokenState::Revoked);
    assert!(desk.run(Command::Delete).unwrap().events.is_empty(), "deleting twice changes nothing");
    desk.run(Command::PeerTerminated { admitted_by: None }).unwrap();
    assert_eq!(desk.state(), Some(Stored::Deleting), "Terminated during deletion is ignored");
}

#[test]
fn a_dialer_goes_from_pending_to_establishing_with_one_secret() {
    let mut desk = Desk::new();
    desk.begin().unwrap();
    assert_eq!(desk.state(), Some(Stored::Pending));
    assert!(desk.record.secrets.is_empty());
    desk.complete(31).unwrap();
    assert_eq!((desk.state(), desk.kept().2), (Some(Stored::Establishing), Some(secret(31))));
    assert_eq!(desk.open(31).unwrap_err(), Refusal::WrongEnd);
    assert_eq!(desk.open(32).unwrap_err(), Refusal::Stream);
}

#[test]
fn a_failed_reestablish_leaves_the_dialer_as_it_was() {
    let mut desk = Desk::new();
    desk.begin().unwrap();
    desk.complete(31).unwrap();
    let before = desk.record.clone();
    desk.begin().unwrap();
    assert_eq!(desk.record, before);
    desk.complete(32).unwrap();
    assert_eq!(desk.kept().2, Some(secret(32)));
}

#[test]
fn a_terminated_dialer_is_reestablished_without_a_delete() {
    let mut desk = Desk::new();
    desk.begin().unwrap();
    desk.complete(31).unwrap();
    desk.run(Command::PeerTerminated { admitted_by: None }).unwrap();
    desk.begin().unwrap();
    assert_eq!((desk.state(), desk.record.secrets.is_empty()), (Some(Stored::Terminated), true));
    desk.complete(32).unwrap();
    assert_eq!(desk.state(), Some(Stored::Establishing));
}

#[test]
fn an_establish_that_lost_its_record_is_refused() {
    let mut desk = Desk::new();
    desk.begin().unwrap();
    desk.run(Command::Delete).unwrap();
    assert_eq!(desk.complete(31).unwrap_err(), Refusal::MarkedForDeletion);
    desk.run(Command::FinishDelete).unwrap();
    assert_eq!(desk.complete(31).unwrap_err(), Refusal::DeletedMeanwhile);
}

#[test]
fn addresses_never_turn_one_side_into_the_other() {
    let addresses = || vec![ServerAddress::parse("a:1").unwrap()];
    let mut acceptor = desk_with(Some(1), None, None);
    assert_eq!(
        acceptor.run(Command::StoreServerAddresses(addresses())).unwrap_err().to_string(),
        "Cannot switch peering dialing mode from false to true"
    );
    let mut dialer = Desk::new();
    dialer.begin().unwrap();
    assert_eq!(
        dialer.run(Command::StoreServerAddresses(vec![])).unwrap_err().to_string(),
        "Cannot switch peering dialing mode from true to false"
    );
    dialer.run(Command::StoreServerAddresses(addresses())).unwrap();
    assert_eq!(dialer.record.peering.as_ref().unwrap().dialed().unwrap().server_addresses, addresses());
}

#[test]
fn a_dialer_takes_bundles_of_the_domain_in_the_server_name_only() {
    let mut desk = Desk::new();
    desk.begin().unwrap();
    desk.complete(31).unwrap();
    desk.bundle("ONE.consul").unwrap();
    assert!(matches!(desk.bundle("two.consul"), Err(Refusal::ForeignTrustDomain { .. })));
}

#[test]
fn an_acceptor_takes_the_first_domain_after_a_promotion_and_reports_a_change() {
    let mut desk = desk_with(None, None, Some(21));
    desk.bundle("one.consul").unwrap();
    assert!(matches!(desk.bundle("two.consul"), Err(Refusal::ForeignTrustDomain { .. })));
    desk.generate(2).unwrap();
    desk.exchange(2, 12, None).unwrap();
    desk.open(12).unwrap();
    let changed = desk.bundle("two.consul").unwrap();
    let expected = What::TrustDomainChanged { from: "one.consul".into(), to: "two.consul".into() };
    assert!(changed.events.iter().any(|event| event.what == expected));
    assert_eq!(desk.record.peering.as_ref().unwrap().domain.changed_from.as_deref(), Some("one.consul"));
}

#[test]
fn a_stream_whose_secret_was_superseded_has_no_say() {
    let mut desk = desk_with(None, Some(12), Some(21));
    desk.open(12).unwrap();
    let before = desk.record.clone();
    let bundle = |admitted_by| Command::StoreTrustBundle {
        admitted_by: Some(admitted_by),
        trust_domain: "old.consul".into(),
        roots: vec!["root\n".into()],
    };
    assert_eq!(desk.run(bundle(secret(21))).unwrap_err(), Refusal::Stream);
    desk.run(Command::PeerTerminated { admitted_by: Some(secret(21)) }).unwrap();
    assert_eq!(desk.record, before);
    desk.run(bundle(secret(12))).unwrap();
    desk.run(Command::PeerTerminated { admitted_by: Some(secret(12)) }).unwrap();
    assert_eq!(desk.state(), Some(Stored::Terminated));
}
