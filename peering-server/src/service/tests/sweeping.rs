//! What nobody needs any more goes after its time, and nothing goes before it.

use std::time::Duration;

use jiff::SignedDuration;
use peering_core::id::PeeringId;
use peering_core::remote::RemoteInfo;
use peering_core::secret::EstablishmentSecret;
use peering_core::secrets::{Refusal, SecretCause};
use peering_core::token::PeeringToken;
use peering_core::transition::Origin;

use super::bench::{Bench, Operate, refusal};
use crate::bounds::{TOKEN_RETENTION, TOMBSTONE_AGE_MAX};
use crate::clock::Clock;
use crate::service::Service;
use crate::store::{Txn, Write, key};

const SECOND: Duration = Duration::from_secs(1);

fn std(duration: SignedDuration) -> Duration {
    duration.try_into().unwrap()
}

async fn rows(service: &Service, prefix: &str) -> usize {
    service.store.range(prefix, 1_000, None).await.unwrap().records.len()
}

/// Counts tokens and pointers to tokens.
async fn tokens(service: &Service) -> (usize, usize) {
    (rows(service, key::TOKENS).await, rows(service, "token-secrets/").await)
}

fn secret(token: &PeeringToken) -> EstablishmentSecret {
    EstablishmentSecret::from_text(token.establishment_secret.expose())
}

#[tokio::test]
async fn ended_tokens_go_after_their_time_and_not_a_second_earlier() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    // Of one peering a hundred and fifty tokens: all but the last superseded, at once.
    for _ in 0..149 {
        service.token("often").await.unwrap();
    }
    let last = service.token("often").await.unwrap();
    // Of another one that was used, whose stream secret is in use.
    let used = service.token("used").await.unwrap();
    let stream = service.redeem(&used).await.unwrap();
    service.admit(&used.peer_id, &stream, RemoteInfo::default(), None).await.unwrap();
    assert_eq!(tokens(&service).await, (151, 151));

    bench.clock.advance(std(TOKEN_RETENTION));
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (151, 151));
    assert_eq!(refusal(service.redeem(&used).await), Refusal::Establishment(SecretCause::Spent));

    bench.clock.advance(SECOND);
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (1, 1), "the token that still works");
    assert_eq!(refusal(service.redeem(&used).await), Refusal::Establishment(SecretCause::Unknown));
    service.admit(&used.peer_id, &stream, RemoteInfo::default(), None).await.unwrap();
    service.redeem(&last).await.unwrap();
}

#[tokio::test]
async fn a_token_that_a_secret_goes_back_to_stays_as_long_as_that() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let token = service.token("slow").await.unwrap();
    let pending = service.redeem(&token).await.unwrap();
    let after = std(TOKEN_RETENTION) + SECOND;
    bench.clock.advance(after);
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (1, 1), "the stream secret was not used yet");
    service.admit(&token.peer_id, &pending, RemoteInfo::default(), None).await.unwrap();
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (0, 0));
}

#[tokio::test]
async fn an_expired_token_goes_after_its_time_though_its_peering_has_no_other() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let request =
        crate::service::peerings::TokenRequest { name: "short".to_owned(), ttl: Some(SECOND), ..Default::default() };
    let checked = service.check_token_request(request).unwrap();
    service.generate_token(checked, Origin::default()).await.unwrap();
    bench.clock.advance(2 * std(TOKEN_RETENTION));
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (0, 0));
    let next = service.token("short").await.unwrap();
    bench.clock.advance(std(TOKEN_RETENTION) + SECOND);
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (1, 1));
    service.redeem(&next).await.unwrap();
}

#[tokio::test]
async fn a_token_that_cannot_be_read_stays_and_keeps_no_other_from_going() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let token = service.token("c").await.unwrap();
    let id = PeeringId::parse(&token.peer_id).unwrap();
    let damaged = format!("{}0", key::tokens(&id));
    let txn = Txn { writes: vec![Write::Put(damaged.clone(), b"{".to_vec())], ..Txn::default() };
    let _ = service.store.commit(txn).await.unwrap();
    service.token("c").await.unwrap();
    bench.clock.advance(std(TOKEN_RETENTION) + SECOND);
    service.sweep_tokens().await.unwrap();
    assert_eq!(tokens(&service).await, (2, 1));
    assert!(service.store.get(&damaged).await.unwrap().is_some());
    assert!(service.store.get(&key::token_secret(&secret(&token).hash())).await.unwrap().is_none());
}

#[tokio::test]
async fn secrets_that_cannot_be_read_keep_their_own_tokens_alone() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let mut peerings = Vec::new();
    for name in ["one", "two", "three"] {
        service.token(name).await.unwrap();
        peerings.push(PeeringId::parse(&service.token(name).await.unwrap().peer_id).unwrap());
    }
    // Whichever comes first in the order of the keys.
    let damaged = peerings.iter().min_by_key(|id| key::tokens(id)).unwrap();
    let txn = Txn { writes: vec![Write::Put(key::secrets(damaged), b"{".to_vec())], ..Txn::default() };
    let _ = service.store.commit(txn).await.unwrap();
    bench.clock.advance(std(TOKEN_RETENTION) + SECOND);
    service.sweep_tokens().await.unwrap();
    for id in &peerings {
        let left = rows(&service, &key::tokens(id)).await;
        assert_eq!(left, if id == damaged { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_tombstone_goes_after_its_time_and_survives_a_clock_that_was_set_back() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let token = service.token("gone").await.unwrap();
    let stream = service.redeem(&token).await.unwrap();
    service.delete_peering("gone", Origin::default()).await.unwrap();
    service.finish_delete(PeeringId::parse(&token.peer_id).unwrap()).await.unwrap();
    let is_told = async || {
        let refused = service.admit(&token.peer_id, &stream, RemoteInfo::default(), None).await.unwrap_err();
        refused.to_string().starts_with("peering is marked as deleted")
    };
    let deleted_at = bench.clock.now();
    for (age, is_kept) in [
        (SignedDuration::from_hours(-1), true),
        (TOMBSTONE_AGE_MAX, true),
        (TOMBSTONE_AGE_MAX + SignedDuration::from_secs(1), false),
    ] {
        bench.clock.set(deleted_at + age);
        service.sweep_tombstones().await.unwrap();
        assert_eq!((rows(&service, key::TOMBSTONES).await == 1, is_told().await), (is_kept, is_kept), "{age:#}");
    }
}
