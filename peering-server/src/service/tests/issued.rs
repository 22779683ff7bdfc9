//! Issued tokens: listed within bounds, found by their ids, taken back once, and voided after a restore.

use std::sync::Arc;
use std::time::Duration;

use peering_core::id::{PeeringId, TokenId};
use peering_core::life::{RevokeReason, TokenEnd, TokenState};
use peering_core::name::PeerName;
use peering_core::remote::RemoteInfo;
use peering_core::secrets::{Refusal, SecretCause};
use peering_core::token::{PeeringToken, UnverifiedToken};
use peering_core::transition::{Origin, What};

use super::bench::{Bench, Operate, refusal};
use super::doubtful_store::{Doubt, DoubtfulStore};
use crate::config::TokenPolicy;
use crate::service::Service;
use crate::service::ServiceError;
use crate::service::issued::{TokenFilter, TokenView};
use crate::service::peerings::TokenRequest;
use crate::store::record::{OutboxRow, RecordError, decode, encode};
use crate::store::{Store, Txn, Write, key};

const HOUR: Duration = Duration::from_secs(3_600);

fn id_of(token: &PeeringToken) -> TokenId {
    TokenId::parse(token.token_id.as_deref().unwrap()).unwrap()
}

async fn listed(service: &Service, filter: TokenFilter) -> Vec<TokenView> {
    let page = service.list_issued(&filter).await.unwrap().value;
    assert!(!page.has_more);
    page.tokens
}

async fn view(service: &Service, token: &PeeringToken) -> TokenView {
    service.find_issued(id_of(token), None).await.unwrap().value.unwrap()
}

async fn with_life(service: &Service, name: &str, ttl: Option<Duration>) -> Result<PeeringToken, ServiceError> {
    let request = TokenRequest { name: name.to_owned(), ttl, ..TokenRequest::default() };
    let text = service.generate_token(service.check_token_request(request)?, Origin::default()).await?;
    Ok(UnverifiedToken::decode(&text)?.claims().clone())
}

#[tokio::test]
async fn tokens_are_listed_in_the_order_of_their_issue_with_what_became_of_each() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let superseded = service.token("a").await.unwrap();
    let unused = service.token("a").await.unwrap();
    let pending = service.token("b").await.unwrap();
    service.redeem(&pending).await.unwrap();
    let used = service.token("c").await.unwrap();
    let stream = service.redeem(&used).await.unwrap();
    service.admit(&used.peer_id, &stream, RemoteInfo::default(), None).await.unwrap();
    let expired = with_life(&service, "d", Some(HOUR)).await.unwrap();
    bench.clock.advance(HOUR);
    let young = service.token("e").await.unwrap();
    let expected = [
        (&superseded, TokenState::Superseded, false),
        (&unused, TokenState::Unused, true),
        (&pending, TokenState::Redeemed, true),
        (&used, TokenState::Redeemed, false),
        (&expired, TokenState::Expired, false),
        (&young, TokenState::Unused, true),
    ]
    .map(|(token, state, is_revocable)| (id_of(token), state, is_revocable));
    let shown = |views: Vec<TokenView>| -> Vec<(TokenId, TokenState, bool)> {
        views.iter().map(|view| (view.issued.life.id(), view.state, view.is_revocable)).collect()
    };
    assert_eq!(shown(listed(&service, TokenFilter::default()).await), expected);
    for (id, state, is_revocable) in expected {
        let view = service.find_issued(id, None).await.unwrap().value.unwrap();
        assert_eq!((view.state, view.is_revocable), (state, is_revocable));
    }
    let of = |peer: Option<&str>, states: &[TokenState], older_than| TokenFilter {
        peer: peer.map(str::to_owned),
        states: states.to_vec(),
        older_than,
        after: 0,
    };
    let places = |views: Vec<TokenView>| -> Vec<usize> {
        let place = |view: &TokenView| expected.iter().position(|(id, ..)| *id == view.issued.life.id()).unwrap();
        views.iter().map(place).collect()
    };
    for (filter, wanted) in [
        (of(Some("A"), &[], None), &[0, 1][..]),
        (of(Some("nobody"), &[], None), &[]),
        (of(Some("no name"), &[], None), &[]),
        (of(None, &[TokenState::Unused, TokenState::Expired], None), &[1, 4, 5]),
        (of(None, &[TokenState::Unused], Some(HOUR)), &[1]),
        (of(None, &[], Some(HOUR + Duration::from_nanos(1))), &[]),
    ] {
        assert_eq!(places(listed(&service, filter.clone()).await), wanted, "{filter:?}");
    }
    let after = view(&service, &used).await.create_index;
    assert_eq!(places(listed(&service, TokenFilter { after, ..TokenFilter::default() }).await), [4, 5]);
}

#[tokio::test]
async fn a_list_is_cut_at_its_bound_and_goes_on_after_the_last() {
    let service = Bench::new("dc1").service().await;
    let mut made = Vec::new();
    for number in 0..10 {
        made.push(id_of(&service.token(&format!("c{}", number % 3)).await.unwrap()));
    }
    for (tokens_max, pages) in [(3, 4), (5, 2), (10, 1), (11, 1)] {
        let (mut filter, mut seen, mut asked) = (TokenFilter::default(), Vec::new(), 0);
        loop {
            let page = service.list_issued_within(&filter, tokens_max).await.unwrap().value;
            assert!(page.tokens.len() <= tokens_max);
            asked += 1;
            seen.extend(page.tokens.iter().map(|view| view.issued.life.id()));
            if !page.has_more {
                break;
            }
            filter.after = page.tokens.last().unwrap().create_index;
        }
        assert_eq!((seen, asked), (made.clone(), pages), "{tokens_max}");
    }
}

#[tokio::test]
async fn a_token_is_taken_back_once_and_only_while_there_is_something_to_take() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let unused = service.token("a").await.unwrap();
    service.revoke_token(id_of(&unused), None, Origin::default()).await.unwrap();
    assert_eq!(refusal(service.redeem(&unused).await), Refusal::Establishment(SecretCause::Revoked));
    let ended = |token: &PeeringToken, state| Refusal::TokenEnded { token: id_of(token), state };
    assert_eq!(
        refusal(service.revoke_token(id_of(&unused), None, Origin::default()).await),
        ended(&unused, TokenState::Revoked)
    );

    let pending = service.token("b").await.unwrap();
    let stream = service.redeem(&pending).await.unwrap();
    let redeemed = view(&service, &pending).await.issued.life.redeemed();
    service.revoke_token(id_of(&pending), None, Origin::default()).await.unwrap();
    assert!(service.admit(&pending.peer_id, &stream, RemoteInfo::default(), None).await.is_err());
    let revoked = view(&service, &pending).await;
    assert_eq!((revoked.state, revoked.issued.life.redeemed()), (TokenState::Revoked, redeemed));

    let used = service.token("c").await.unwrap();
    let stream = service.redeem(&used).await.unwrap();
    service.admit(&used.peer_id, &stream, RemoteInfo::default(), None).await.unwrap();
    assert_eq!(
        refusal(service.revoke_token(id_of(&used), None, Origin::default()).await),
        Refusal::TokenInUse(id_of(&used))
    );
    service.admit(&used.peer_id, &stream, RemoteInfo::default(), None).await.unwrap();

    let superseded = service.token("d").await.unwrap();
    let expired = with_life(&service, "d", Some(HOUR)).await.unwrap();
    bench.clock.advance(HOUR);
    assert_eq!(
        refusal(service.revoke_token(id_of(&superseded), None, Origin::default()).await),
        ended(&superseded, TokenState::Superseded)
    );
    assert_eq!(
        refusal(service.revoke_token(id_of(&expired), None, Origin::default()).await),
        ended(&expired, TokenState::Expired)
    );
    let foreign = Bench::new("dc2").service().await.token("a").await.unwrap();
    assert_eq!(
        refusal(service.revoke_token(id_of(&foreign), None, Origin::default()).await),
        Refusal::NoToken(id_of(&foreign))
    );

    // With its peering it is found there, and in no other.
    let last = service.token("e").await.unwrap();
    let peering = |token: &PeeringToken| PeeringId::parse(&token.peer_id).ok();
    let elsewhere = service.revoke_token(id_of(&last), peering(&used), Origin::default()).await;
    assert_eq!(refusal(elsewhere), Refusal::NoToken(id_of(&last)));
    assert_eq!(service.find_issued(id_of(&last), peering(&used)).await.unwrap().value, None);
    assert_eq!(
        service.find_issued(id_of(&last), peering(&last)).await.unwrap().value,
        Some(view(&service, &last).await)
    );
    service.revoke_token(id_of(&last), peering(&last), Origin::default()).await.unwrap();
    assert_eq!(view(&service, &last).await.state, TokenState::Revoked);
}

#[tokio::test]
async fn of_a_revocation_and_an_exchange_at_once_one_is_first_and_the_other_knows() {
    for _ in 0..20 {
        let service = Bench::new("dc1").service().await;
        let token = service.token("a").await.unwrap();
        let (revoking, redeeming) = (Arc::clone(&service), Arc::clone(&service));
        let (id, used) = (id_of(&token), token.clone());
        let revoked = tokio::spawn(async move { revoking.revoke_token(id, None, Origin::default()).await });
        let redeemed = tokio::spawn(async move { redeeming.redeem(&used).await });
        let (revoked, redeemed) = (revoked.await.unwrap(), redeemed.await.unwrap());
        revoked.unwrap();
        // Redeemed first, the stream secret is what was taken back.
        if let Ok(stream) = redeemed {
            assert!(service.admit(&token.peer_id, &stream, RemoteInfo::default(), None).await.is_err());
        }
        assert_eq!(view(&service, &token).await.state, TokenState::Revoked);
        assert!(service.redeem(&token).await.is_err());
    }
}

#[tokio::test]
async fn tokens_of_a_deleted_peering_are_listed_under_its_name_until_they_are_swept() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let used = service.token("gone").await.unwrap();
    service.redeem(&used).await.unwrap();
    let unused = service.token("gone").await.unwrap();
    service.delete_peering("gone", Origin::default()).await.unwrap();
    service.finish_delete(PeeringId::parse(&used.peer_id).unwrap()).await.unwrap();
    let filter = || TokenFilter { peer: Some("gone".to_owned()), ..TokenFilter::default() };
    let views = listed(&service, filter()).await;
    assert_eq!(views.len(), 2);
    assert!(views.iter().all(|view| !view.is_revocable && view.name.as_ref().unwrap().as_str() == "gone"));
    assert_eq!(views[0].state, TokenState::Redeemed);
    let end = views[1].issued.life.end();
    assert!(matches!(end, Some(TokenEnd::Revoked { reason: RevokeReason::PeeringDeleted, .. })), "{end:?}");
    let causes = [(&used, SecretCause::Spent), (&unused, SecretCause::Revoked)];
    for (token, cause) in causes {
        assert_eq!(refusal(service.redeem(token).await), Refusal::Establishment(cause));
    }

    let gone = Refusal::TokenOfDeleted(id_of(&used));
    assert_eq!(refusal(service.revoke_token(id_of(&used), None, Origin::default()).await), gone);
    let ended = Refusal::TokenEnded { token: id_of(&unused), state: TokenState::Revoked };
    assert_eq!(refusal(service.revoke_token(id_of(&unused), None, Origin::default()).await), ended);

    // Another peering of that name is another.
    let next = service.token("gone").await.unwrap();
    assert_eq!(listed(&service, filter()).await.len(), 3);
    let kept = TokenPolicy { retention: jiff::SignedDuration::from_hours(1), ..TokenPolicy::default() };
    service.set_token_policy(kept);
    bench.clock.advance(HOUR + Duration::from_secs(1));
    service.sweep_tokens().await.unwrap();
    let left: Vec<TokenId> = listed(&service, filter()).await.iter().map(|view| view.issued.life.id()).collect();
    assert_eq!(left, [id_of(&next)]);
    assert_eq!(service.store.range("token-secrets/", 9, None).await.unwrap().records.len(), 1);
    for token in [&used, &unused] {
        assert_eq!(refusal(service.redeem(token).await), Refusal::Establishment(SecretCause::Unknown));
    }
}

#[tokio::test]
async fn a_token_of_the_first_release_is_listed_by_its_peering_and_goes_with_it() {
    let service = Bench::new("dc1").service().await;
    let token = service.token("old").await.unwrap();
    let peering = PeeringId::parse(&token.peer_id).unwrap();
    let mut issued = view(&service, &token).await.issued;
    issued.name = None;
    let token_key = key::token(&peering, &id_of(&token));
    let value = encode(&token_key, &issued, uuid::Uuid::nil()).unwrap();
    let damaged = format!("{}0", key::tokens(&peering));
    let writes = vec![Write::Put(token_key, value), Write::Put(damaged, b"{".to_vec())];
    let _ = service.store.commit(Txn { writes, ..Txn::default() }).await.unwrap();
    let views = listed(&service, TokenFilter { peer: Some("old".to_owned()), ..TokenFilter::default() }).await;
    assert_eq!(views.len(), 1, "what cannot be read hides nothing else");
    assert_eq!(views[0].name.as_ref().unwrap().as_str(), "old");
    service.revoke_token(id_of(&token), None, Origin::default()).await.unwrap();
    service.delete_peering("old", Origin::default()).await.unwrap();
    service.finish_delete(peering).await.unwrap();
    assert_eq!(service.store.range(key::TOKENS, 9, None).await.unwrap().records, []);
}

#[tokio::test]
async fn a_life_that_nobody_asks_for_and_the_longest_are_settings() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let end = async |ttl| with_life(&service, "a", ttl).await.map(|token| token.expires_at);
    let at = |hours: u32| Some(crate::clock::Clock::now(bench.clock.as_ref()) + HOUR * hours);
    assert_eq!(end(None).await.unwrap(), None);
    service.set_token_policy(TokenPolicy { ttl_max: Some(HOUR * 24), ..TokenPolicy::default() });
    assert_eq!(end(None).await.unwrap(), at(24));
    assert_eq!(end(Some(HOUR * 24)).await.unwrap(), at(24));
    service.set_token_policy(TokenPolicy {
        ttl_default: Some(HOUR),
        ttl_max: Some(HOUR * 24),
        ..TokenPolicy::default()
    });
    assert_eq!(end(None).await.unwrap(), at(1));
    assert_eq!(end(Some(HOUR * 2)).await.unwrap(), at(2));
    let refused = end(Some(HOUR * 24 + Duration::from_nanos(1))).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "TTL: 24h0m0.000000001s is longer than 24h0m0s, the most that this server allows (-token-ttl-max)"
    );
}

/// Peerings with a token that nobody redeemed, one with one that expired, one whose stream secret was not used yet, and
/// one that runs.
async fn restored(bench: &Bench) -> (Arc<Service>, Vec<PeeringToken>, PeeringToken) {
    let service = bench.service().await;
    let mut unredeemed = Vec::new();
    for number in 0..20 {
        unredeemed.push(service.token(&format!("c{number}")).await.unwrap());
    }
    unredeemed.push(with_life(&service, "expired", Some(HOUR)).await.unwrap());
    let pending = service.token("pending").await.unwrap();
    service.redeem(&pending).await.unwrap();
    bench.clock.advance(HOUR);
    (service, unredeemed, pending)
}

async fn revoked_events(service: &Service) -> usize {
    let rows = service.store.range(key::OUTBOX, 1_000, None).await.unwrap().records;
    let is_revoked = |row: &crate::store::Record| {
        let row = decode::<OutboxRow>(&row.key, &row.value).unwrap();
        matches!(row, OutboxRow::Peering(event)
            if matches!(event.what, What::TokenRevoked { reason: RevokeReason::Restored, .. }))
    };
    rows.iter().filter(|row| is_revoked(row)).count()
}

#[tokio::test]
async fn after_a_restore_every_unredeemed_token_is_void_and_nothing_else() {
    let bench = Bench::new("dc1");
    assert_eq!(bench.service().await.void_unredeemed().await.unwrap(), 0, "an empty store");
    let (service, unredeemed, pending) = restored(&bench).await;
    assert_eq!(service.void_unredeemed().await.unwrap(), 21);
    assert_eq!(revoked_events(&service).await, 21);
    for token in &unredeemed {
        let end = view(&service, token).await.issued.life.end().cloned();
        assert!(matches!(end, Some(TokenEnd::Revoked { reason: RevokeReason::Restored, .. })), "{end:?}");
        assert_eq!(refusal(service.redeem(token).await), Refusal::Establishment(SecretCause::Revoked));
    }
    assert!(view(&service, &pending).await.is_revocable, "what was redeemed goes on");
    assert_eq!(service.void_unredeemed().await.unwrap(), 0);
    assert_eq!(revoked_events(&service).await, 21);
    service.redeem(&service.token("c1").await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_record_keeps_no_other_token_from_being_voided_and_its_own_is_of_no_use() {
    let bench = Bench::new("dc1");
    let (service, unredeemed, _) = restored(&bench).await;
    let id = |at: usize| PeeringId::parse(&unredeemed[at].peer_id).unwrap();
    let peering_key = key::peering(&PeerName::parse("c3").unwrap());
    let damaged = [key::secrets(&id(1)), peering_key, key::token(&id(5), &id_of(&unredeemed[5]))];
    let writes = damaged.map(|key| Write::Put(key, b"{".to_vec())).into();
    let _ = service.store.commit(Txn { writes, ..Txn::default() }).await.unwrap();
    assert_eq!(service.void_unredeemed().await.unwrap(), 21 - 3);
    for token in &unredeemed {
        assert!(service.redeem(token).await.is_err(), "{token:?}");
    }

    // What a newer release wrote, it can redeem: the voiding does not count as done.
    let writes =
        vec![Write::Put(key::secrets(&id(1)), br#"{"v":2,"txn":"00000000-0000-0000-0000-000000000000"}"#.to_vec())];
    let _ = service.store.commit(Txn { writes, ..Txn::default() }).await.unwrap();
    let error = service.void_unredeemed().await.unwrap_err();
    assert!(matches!(error, ServiceError::Record(RecordError::Newer { .. })), "{error}");
}

#[tokio::test]
async fn a_restore_that_breaks_off_at_any_commit_is_finished_by_the_next_start() {
    for doubt in
        [Doubt::Conflict, Doubt::UnknownDone, Doubt::UnknownLost, Doubt::Failure, Doubt::FailureDone, Doubt::Full]
    {
        for at in 0..4 {
            let store = DoubtfulStore::new();
            let bench = Bench { store: store.clone() as Arc<dyn Store>, ..Bench::new("dc1") };
            let (service, unredeemed, _) = restored(&bench).await;
            let mut plan = vec![Doubt::None; at];
            plan.push(doubt);
            store.plan(&plan);
            let first = service.void_unredeemed().await;
            let is_met = store.planned() == 0;
            store.plan(&[]);
            assert_eq!(is_met, at < 3, "three commits of seven tokens");
            let is_fatal = is_met && matches!(doubt, Doubt::Failure | Doubt::FailureDone | Doubt::Full);
            assert_eq!(first.is_err(), is_fatal, "{doubt:?} {at}");
            drop(service);
            let service = bench.service().await;
            service.void_unredeemed().await.unwrap();
            for token in &unredeemed {
                assert!(service.redeem(token).await.is_err(), "{doubt:?} {at}");
            }
            assert_eq!(revoked_events(&service).await, 21, "{doubt:?} {at}: each is told once");
        }
    }
}
