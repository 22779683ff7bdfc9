//! Admission of dialers where the store gives trouble, and names that many ask for at once.

use std::collections::HashSet;
use std::sync::Arc;

use peering_core::id::PeeringId;
use peering_core::remote::RemoteInfo;
use peering_core::secret::{EstablishmentSecret, Redemption};
use peering_core::secrets::{Refusal, SecretCause};

use super::bench::{Bench, Operate, refusal};
use super::doubtful_store::{Doubt, DoubtfulStore};
use crate::service::Service;
use crate::service::secrets::{Exchange, OpenError};
use crate::store::key;

#[tokio::test]
async fn a_promotion_that_cannot_be_stored_admits_nobody_and_can_be_tried_again() {
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    let token = service.token("dialer").await.unwrap();
    let secret = service.redeem(&token).await.unwrap();
    store.plan(&[Doubt::Failure]);
    let failed = service.admit(&token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap_err();
    assert!(matches!(&failed, OpenError::Store(_)), "{failed}");
    assert_eq!(failed.to_string(), "failed to persist peering: the store could not be used");
    service.admit(&token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
    service.admit(&token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
}

#[tokio::test]
async fn an_exchange_that_cannot_be_stored_spends_nothing() {
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    let token = service.token("dialer").await.unwrap();
    store.plan(&[Doubt::Failure, Doubt::Failure]);
    service.redeem(&token).await.unwrap_err();
    service.redeem(&token).await.unwrap_err();
    service.redeem(&token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_tokens_for_one_name_all_name_one_peering_and_the_last_works() {
    let service = Bench::new("dc1").service().await;
    let mut asked = vec![];
    for _ in 0..16 {
        let service = Arc::clone(&service);
        asked.push(tokio::spawn(async move { service.token("dialer").await.unwrap() }));
    }
    let mut tokens = vec![];
    for task in asked {
        tokens.push(task.await.unwrap());
    }
    let ids: HashSet<&str> = tokens.iter().map(|token| token.peer_id.as_str()).collect();
    assert_eq!(ids.len(), 1);
    let mut redeemed = 0;
    for token in &tokens {
        match service.redeem(token).await {
            Ok(_) => redeemed += 1,
            refused => assert_eq!(refusal(refused), Refusal::Establishment(SecretCause::Superseded)),
        }
    }
    assert_eq!(redeemed, 1);
}

#[tokio::test]
async fn a_question_that_overlaps_its_own_repetition_gets_the_same_answer() {
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    let token = service.token("dialer").await.unwrap();
    let id = PeeringId::parse(&token.peer_id).unwrap();
    let ask = |service: &Arc<Service>| {
        let (service, token) = (Arc::clone(service), token.clone());
        async move {
            let establishment = EstablishmentSecret::from_text(token.establishment_secret.expose());
            let redemption = Some(Redemption::from_text("a".repeat(64)));
            let exchange = Exchange { peer_id: token.peer_id, establishment, redemption, from: None };
            service.exchange_secret(exchange).await.unwrap()
        }
    };
    // The first has read the secrets, and reads of the token only after the second has redeemed it.
    let pause = store.stop_before_get(key::tokens(&id));
    let first = tokio::spawn(ask(&service));
    pause.reached.notified().await;
    let second = ask(&service).await;
    pause.go_on.notify_one();
    assert_eq!(first.await.unwrap().expose(), second.expose());
}
