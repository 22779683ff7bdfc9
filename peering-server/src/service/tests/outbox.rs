//! Events: stored with what caused them, told to the log in order, removed by a later commit, kept over a restart.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use peering_core::id::{PeeringId, TokenId};
use peering_core::life::RevokeReason;
use peering_core::name::PeerName;
use peering_core::transition::Origin;
use peering_core::transition::{Event as Told, What};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};
use uuid::Uuid;

use super::bench::{Bench, Operate};
use super::doubtful_store::{Doubt, DoubtfulStore};
use crate::bounds::{OUTBOX_RESERVE_ROWS_MAX, OUTBOX_ROWS_MAX, OUTBOX_TRIM_ROWS_MAX};
use crate::service::outbox::{Consumer, Outbox, log_event};
use crate::service::{Service, ServiceError};
use crate::store::sqlite::SqliteStore;
use crate::store::{Record, Store, key};

/// Collects what is told to the log by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Message(Option<String>);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == crate::logs::PEERING
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(None);
        event.record(&mut message);
        self.0.lock().unwrap().extend(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Listens on this thread. A place in the code that another thread comes to first, at this very moment, may believe for
/// good that nobody listens; so every place is tried until all are heard.
fn listen() -> (Log, DefaultGuard) {
    let log = Log::default();
    let listening = tracing::subscriber::set_default(log.clone());
    let token = TokenId::from_uuid(Uuid::from_u128(1));
    let places = [
        What::TokenGenerated { token, expires: None },
        What::TokenSuperseded { token, by: token },
        What::TokenRedeemed { token, from: None },
        What::TokenRevoked { token, reason: RevokeReason::PeeringDeleted },
        What::Deleted,
    ];
    while log.lines().len() < places.len() {
        log.0.lock().unwrap().clear();
        tracing::callsite::rebuild_interest_cache();
        for what in places.clone() {
            let (peering, name) = (PeeringId::from_uuid(Uuid::from_u128(1)), PeerName::parse("dialer").unwrap());
            let origin = Origin::default();
            log_event(&Told { at: Timestamp::UNIX_EPOCH, peering, name, what, origin });
        }
    }
    log.0.lock().unwrap().clear();
    (log, listening)
}

async fn rows(store: &dyn Store) -> Vec<Record> {
    store.range(key::OUTBOX, 10_000, None).await.unwrap().records
}

/// Follows the events until told to stop. On one thread and over a store in memory, which never makes anybody wait, it
/// has caught up when this returns.
async fn follow(service: &Arc<Service>) -> (CancellationToken, JoinHandle<Result<(), ServiceError>>) {
    let (stop, service) = (CancellationToken::new(), Arc::clone(service));
    let stopped = stop.clone();
    let following = tokio::spawn(async move { service.log_events(stopped).await });
    tokio::task::yield_now().await;
    (stop, following)
}

/// Lets the other tasks of this thread do all that they can.
async fn settle(log: &Log, lines: usize) {
    for _ in 0..10_000 {
        if log.lines().len() >= lines {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("expected {lines} lines, got {:?}", log.lines());
}

const GENERATED: &str = "peering token generated";
const SUPERSEDED: &str = "peering token superseded";
const REDEEMED: &str = "peering token redeemed";

#[tokio::test]
async fn events_are_stored_in_the_commit_that_causes_them() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    service.token("dialer").await.unwrap();
    let peering = bench.store.get(&key::peering(&PeerName::parse("dialer").unwrap())).await.unwrap().unwrap();
    let stored = rows(bench.store.as_ref()).await;
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].created, peering.modified), (stored[0].modified, stored[0].modified));
    service.token("dialer").await.unwrap();
    let again = bench.store.get(&peering.key).await.unwrap().unwrap();
    let newer: Vec<_> =
        rows(bench.store.as_ref()).await.into_iter().filter(|row| row.modified == again.modified).collect();
    assert_eq!(newer.len(), 2, "superseded and generated");
}

#[tokio::test]
async fn a_refusal_stores_no_event() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let token = service.token("dialer").await.unwrap();
    service.redeem(&token).await.unwrap();
    let before = bench.store.revision().await.unwrap();
    service.redeem(&token).await.unwrap_err();
    service.delete_peering("nobody", Origin::default()).await.unwrap();
    assert_eq!(bench.store.revision().await.unwrap(), before);
}

#[tokio::test]
async fn events_reach_the_log_in_order_and_a_later_commit_removes_them() {
    let (log, _listening) = listen();
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let (stop, following) = follow(&service).await;
    let token = service.token("dialer").await.unwrap();
    settle(&log, 1).await;
    assert_eq!(rows(bench.store.as_ref()).await.len(), 1, "trimming costs no commit of its own");
    service.redeem(&token).await.unwrap();
    settle(&log, 2).await;
    assert_eq!(rows(bench.store.as_ref()).await.len(), 1, "the first went with the second");
    service.token("dialer").await.unwrap();
    settle(&log, 3).await;
    assert_eq!(log.lines(), [GENERATED, REDEEMED, GENERATED]);
    stop.cancel();
    following.await.unwrap().unwrap();
    assert_eq!(rows(bench.store.as_ref()).await, [], "what was seen goes at the end");
    assert!(bench.store.get(&key::cursor(Consumer::Log.as_str())).await.unwrap().is_some());
}

#[tokio::test]
async fn events_that_nobody_saw_are_told_after_a_restart_and_none_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new("dc1");
    let open = || Arc::new(SqliteStore::open(&directory.path().join("data")).unwrap());

    let store = open();
    bench.store = store.clone();
    let service = bench.service().await;
    service.token("dialer").await.unwrap();
    service.token("dialer").await.unwrap();
    drop(service);
    store.close().await;

    let (log, _listening) = listen();
    let store = open();
    bench.store = store.clone();
    let service = bench.service().await;
    let (_, following) = follow(&service).await;
    while log.lines().len() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(log.lines().len(), 3, "{:?}", log.lines());
    assert_eq!(log.lines().last().unwrap(), GENERATED);
    assert_eq!(log.lines().iter().filter(|line| *line == SUPERSEDED).count(), 1);
    // The next commit takes the rows along and moves the cursor; then the process dies without a word.
    let token = service.token("dialer").await.unwrap();
    while log.lines().len() < 5 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    following.abort();
    drop(service);
    store.close().await;

    let before = log.lines().len();
    let store = open();
    bench.store = store.clone();
    assert_eq!(rows(store.as_ref()).await.len(), 2, "seen, and not removed before the end");
    let service = bench.service().await;
    let (stop, following) = follow(&service).await;
    while log.lines().len() < before + 2 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    stop.cancel();
    following.await.unwrap().unwrap();
    assert_eq!(log.lines().len(), before + 2, "told again rather than lost, and only what was behind the cursor");
    assert_eq!(rows(store.as_ref()).await, []);
    service.redeem(&token).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_commit_while_the_log_catches_up_is_told_once_and_miscounts_nothing() {
    let (log, _listening) = listen();
    let store = DoubtfulStore::new();
    let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
    let pause = store.stop_after_range(key::OUTBOX);
    let (stop, following) = follow(&service).await;
    pause.reached.notified().await;
    service.token("dialer").await.unwrap();
    service.token("dialer").await.unwrap();
    pause.go_on.notify_one();
    settle(&log, 3).await;
    // These commits add fewer rows than they remove.
    let token = service.token("other").await.unwrap();
    service.redeem(&token).await.unwrap();
    service.delete_peering("dialer", Origin::default()).await.unwrap();
    settle(&log, 7).await;
    stop.cancel();
    following.await.unwrap().unwrap();
    assert_eq!(log.lines().len(), 7, "{:?}", log.lines());
    service.token("dialer-02").await.unwrap();
}

#[tokio::test]
async fn rows_whose_removal_is_in_doubt_are_removed_in_the_end() {
    for doubt in [Doubt::Conflict, Doubt::UnknownDone, Doubt::UnknownLost, Doubt::Failure] {
        let (log, _listening) = listen();
        let store = DoubtfulStore::new();
        let service = Bench { store: store.clone(), ..Bench::new("dc1") }.service().await;
        let (stop, following) = follow(&service).await;
        service.token("dialer").await.unwrap();
        settle(&log, 1).await;
        store.plan(&[doubt]);
        let outcome = service.token("other").await;
        assert_eq!(outcome.is_err(), doubt == Doubt::Failure);
        let lines = if outcome.is_ok() { 2 } else { 1 };
        settle(&log, lines).await;
        service.token("third").await.unwrap();
        settle(&log, lines + 1).await;
        stop.cancel();
        following.await.unwrap().unwrap();
        assert_eq!(rows(store.as_ref()).await, [], "{doubt:?}");
        assert_eq!(log.lines().len(), lines + 1, "{doubt:?}: {:?}", log.lines());
    }
}

#[tokio::test]
async fn a_commit_takes_sixty_four_seen_events_along_and_leaves_what_is_more() {
    for (seen, left) in [(OUTBOX_TRIM_ROWS_MAX, 0), (OUTBOX_TRIM_ROWS_MAX + 1, 1)] {
        let (log, _listening) = listen();
        let bench = Bench::new("dc1");
        let service = bench.service().await;
        let (stop, following) = follow(&service).await;
        // The other task sees none of them before this one waits.
        for index in 0..seen {
            service.token(&format!("dialer-{index}")).await.unwrap();
        }
        settle(&log, seen).await;
        assert_eq!(rows(bench.store.as_ref()).await.len(), seen);
        service.token("last").await.unwrap();
        assert_eq!(rows(bench.store.as_ref()).await.len(), left + 1, "what is left, and its own");
        stop.cancel();
        following.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_only_takes_trust_away_goes_on_when_too_many_events_wait() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    let tokens = [service.token("a").await.unwrap(), service.token("b").await.unwrap()];
    let [revoked, unused] = tokens.each_ref().map(|token| TokenId::parse(token.token_id.as_ref().unwrap()).unwrap());
    service.outbox.added(OUTBOX_ROWS_MAX);
    assert!(matches!(service.token("c").await, Err(ServiceError::OutboxFull { .. })));
    assert!(matches!(service.redeem(&tokens[0]).await, Err(ServiceError::OutboxFull { .. })));
    service.revoke_token(revoked, None, Origin::default()).await.unwrap();
    service.delete_peering("a", Origin::default()).await.unwrap();
    // What is kept for that has an end too.
    service.outbox.added(OUTBOX_RESERVE_ROWS_MAX);
    let refused = service.revoke_token(unused, None, Origin::default()).await;
    assert!(matches!(refused, Err(ServiceError::OutboxFull { consumer: "log", .. })), "{refused:?}");
    assert!(matches!(service.void_unredeemed().await, Err(ServiceError::OutboxFull { .. })));
}

#[tokio::test]
async fn too_many_waiting_events_refuse_writes_and_name_who_does_not_read() {
    let bench = Bench::new("dc1");
    let service = bench.service().await;
    service.outbox.added(OUTBOX_ROWS_MAX);
    let before = bench.store.revision().await.unwrap();
    let refused = service.token("dialer").await.unwrap_err();
    assert!(matches!(refused, ServiceError::OutboxFull { rows: OUTBOX_ROWS_MAX, consumer: "log" }), "{refused}");
    assert_eq!(bench.store.revision().await.unwrap(), before);
    service.delete_peering("nobody", Origin::default()).await.unwrap();
    let outbox = Outbox::default();
    outbox.added(OUTBOX_ROWS_MAX - 1);
    outbox.admit(false).unwrap();
    // A service that looks again at its store finds that nothing waits.
    let (stop, following) = follow(&service).await;
    while service.token("dialer").await.is_err() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    following.await.unwrap().unwrap();
}
