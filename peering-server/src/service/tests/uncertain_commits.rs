//! Commits of unknown outcome are read back: nothing that was acknowledged is lost, nothing happens twice.

use peering_core::peering::Stored;
use peering_core::remote::RemoteInfo;
use peering_core::secrets::{Refusal, SecretCause};
use peering_core::transition::Origin;

use super::bench::{Bench, Operate, refusal};
use super::doubtful_store::{Doubt, DoubtfulStore};
use crate::bounds::COMMIT_ATTEMPTS_MAX;
use crate::entropy::{Entropy, SeededEntropy};
use crate::service::ServiceError;
use crate::store::{Store, key};

/// Everything that leads to success in the end.
const SURVIVABLE: [Doubt; 4] = [Doubt::None, Doubt::Conflict, Doubt::UnknownDone, Doubt::UnknownLost];

async fn events(store: &dyn Store) -> usize {
    store.range(key::OUTBOX, 10_000, None).await.unwrap().records.len()
}

#[tokio::test]
async fn every_step_of_a_peering_survives_every_doubt() {
    for doubt in SURVIVABLE {
        let store = DoubtfulStore::new();
        let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
        store.plan(&[doubt, doubt]);
        let token = service.token("dialer").await.unwrap();
        assert_eq!(events(store.as_ref()).await, 1, "{doubt:?}: generated once");
        store.plan(&[doubt]);
        let secret = service.redeem(&token).await.unwrap();
        assert_eq!(events(store.as_ref()).await, 2, "{doubt:?}: redeemed once");
        assert_eq!(refusal(service.redeem(&token).await), Refusal::Establishment(SecretCause::Spent));
        store.plan(&[doubt]);
        let peering = service.admit(&token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
        assert_eq!(events(store.as_ref()).await, 3, "{doubt:?}: promoted once");
        store.plan(&[doubt]);
        service.delete_peering("dialer", Origin::default()).await.unwrap();
        assert_eq!(service.read_peering("dialer").await.unwrap().value.peering.state, Stored::Deleting);
        // Its one token is kept until it is swept.
        store.plan(&[doubt]);
        service.finish_delete(peering.local_id).await.unwrap();
        let gone = service.read_peering("dialer").await;
        assert!(matches!(gone, Err(ServiceError::NotFound(_))), "{doubt:?}");
        assert_eq!(store.range(key::PEERINGS, 10, None).await.unwrap().records, [], "{doubt:?}");
        assert_eq!(events(store.as_ref()).await, 5, "{doubt:?}: deleted and removed once");
    }
}

#[tokio::test]
async fn a_failure_is_an_error_and_changes_nothing() {
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    let before = store.revision().await.unwrap();
    store.plan(&[Doubt::Failure]);
    let failed = service.token("dialer").await.unwrap_err();
    assert!(matches!(&failed, ServiceError::Store(_)), "{failed}");
    assert_eq!(store.revision().await.unwrap(), before);
}

#[tokio::test]
async fn endless_conflicts_are_an_error_that_says_so() {
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    store.plan(&[Doubt::Conflict; COMMIT_ATTEMPTS_MAX as usize]);
    let failed = service.token("dialer").await.unwrap_err();
    assert!(matches!(&failed, ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX }), "{failed}");
    service.token("dialer").await.unwrap();
}

#[tokio::test]
async fn random_doubts_lose_no_acknowledged_token() {
    let seed = 0x5eed;
    println!("seed {seed:#x}");
    let random = SeededEntropy::new(seed);
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    let mut acknowledged = None;
    let mut refused = 0;
    for round in 0..400 {
        let draw = random.bytes16();
        let of = |byte: u8| match byte % 8 {
            0..4 => SURVIVABLE[usize::from(byte % 4)],
            4 => Doubt::Failure,
            _ => Doubt::None,
        };
        store.plan(&[of(draw[0]), of(draw[1]), of(draw[2])]);
        if draw[3] < 170 {
            match service.token("dialer").await {
                Ok(token) => acknowledged = Some(token),
                Err(ServiceError::Store(_)) => refused += 1,
                Err(other) => panic!("round {round}: {other}"),
            }
        } else if let Some(token) = &acknowledged {
            match service.redeem(token).await {
                Ok(secret) => {
                    store.plan(&[]);
                    service.admit(&token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
                    acknowledged = None;
                }
                Err(ServiceError::Store(_)) => refused += 1,
                Err(other) => panic!("round {round}: {other}"),
            }
        }
    }
    assert!((10..300).contains(&refused), "{refused}");
}

#[tokio::test]
async fn an_establish_survives_doubts_in_both_of_its_writes() {
    for doubt in SURVIVABLE {
        let acceptor = Bench::new("dc1").service().await;
        let store = DoubtfulStore::new();
        let exchange = super::bench::Lossy::new(&acceptor, 0);
        let dialer = Bench { store: store.clone(), exchange, ..Bench::new("dc2") }.service().await;
        let token = acceptor.token("dialer").await.unwrap();
        let plan = if doubt == Doubt::None { vec![] } else { vec![doubt, Doubt::None, doubt] };
        store.plan(&plan);
        dialer.use_token("acceptor", &token).await.unwrap();
        let id = dialer.read_peering("acceptor").await.unwrap().value.peering.local_id;
        let target = dialer.dial_target(id).await.unwrap().unwrap();
        acceptor.admit(&token.peer_id, &target.secret, RemoteInfo::default(), None).await.unwrap();
        assert_eq!(events(store.as_ref()).await, 2, "{doubt:?}: begun and established once");
    }
}
