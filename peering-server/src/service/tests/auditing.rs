//! The audit trail of a service: each event and each refusal once, signed every minute, over crashes and both consumers.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peering_core::audit::Line;
use peering_core::id::PeeringId;
use peering_core::transition::Origin;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, Operate};
use crate::audit::tests::{lines, verify};
use crate::audit::{Auditor, Means, Trail};
use crate::bounds::{
    AUDIT_BATCH_PAUSE, AUDIT_BATCH_ROWS_MAX, AUDIT_CHECKPOINT_INTERVAL, AUDIT_RETRY_PAUSE, OUTBOX_ROWS_MAX,
};
use crate::entropy::SystemEntropy;
use crate::service::Service;
use crate::service::outbox::Consumer;
use crate::service::refusals::Refused;
use crate::store::key;

/// A bench with a place for a trail.
struct Desk {
    bench: Bench,
    directory: TempDir,
}

/// A service whose events are being written.
struct Audited {
    service: Arc<Service>,
    stop: CancellationToken,
    look: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Desk {
    fn new() -> Self {
        let bench = Bench { is_audited: true, ..Bench::new("dc1") };
        Self { bench, directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn start(&self) -> Audited {
        let service = self.bench.service().await;
        let (stop, look) = (CancellationToken::new(), Arc::new(Notify::new()));
        let means = Means {
            keyring: Arc::clone(&self.bench.keyring),
            keeps_keys: true,
            clock: Arc::clone(&self.bench.clock) as _,
            entropy: Arc::new(SystemEntropy),
            node: "s1".to_owned(),
            stdout: None,
        };
        let kept = service.stored_audit_head().await.unwrap().map(|kept| kept.head);
        let trail = Trail::open(means, Some(self.path("audit.log")), kept).unwrap();
        let auditor = Auditor::new(Arc::clone(&service), trail, false, Arc::clone(&look), stop.clone());
        Audited { service, stop, look, task: tokio::spawn(auditor.run()) }
    }

    fn lines(&self) -> Vec<Line> {
        lines(&self.path("audit.log"))
    }

    /// Returns the events in the trail, but those of the trail itself.
    fn events(&self) -> Vec<String> {
        let own = ["trail_begun", "started", "checkpoint", "recovered"];
        let events = self.lines().into_iter().map(|line| line.entry.event.into_owned());
        events.filter(|event| !own.contains(&event.as_str())).collect()
    }

    async fn rows(&self) -> usize {
        self.bench.store.range(key::OUTBOX, 10_000, None).await.unwrap().records.len()
    }

    fn checkpoints(&self) -> usize {
        self.lines().iter().filter(|line| line.entry.event == "checkpoint").count()
    }
}

impl Audited {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// The process is gone, in the middle of whatever it did.
    async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Lets time pass until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..20_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
}

#[tokio::test(start_paused = true)]
async fn each_event_is_told_once_with_who_asked_and_from_where() {
    let desk = Desk::new();
    let audited = desk.start().await;
    let token = audited.service.token("west").await.unwrap();
    audited.service.redeem(&token).await.unwrap();
    let origin = Origin { source: Some([192, 0, 2, 1].into()), ..Origin::default() };
    audited.service.delete_peering("west", origin).await.unwrap();
    until("three lines", async || desk.events().len() >= 3).await;
    audited.stop().await;
    assert_eq!(desk.events(), ["token_generated", "token_redeemed", "peering_deleted"]);
    let lines = desk.lines();
    let deleted = &lines.iter().find(|line| line.entry.event == "peering_deleted").unwrap().entry;
    assert_eq!((deleted.source, deleted.peer.as_deref()), (origin.source, Some("west")));
    assert_eq!(lines.last().unwrap().entry.event, "checkpoint", "a stop signs what there is");
    assert_eq!(desk.rows().await, 3, "the log has not seen them");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_is_signed_after_a_minute_and_the_head_is_kept() {
    let desk = Desk::new();
    let audited = desk.start().await;
    until("the first checkpoint, of the start", async || desk.checkpoints() == 1).await;
    let head = audited.service.audit_head().unwrap();
    assert_eq!(audited.service.stored_audit_head().await.unwrap().unwrap().head, head);
    tokio::time::sleep(3 * AUDIT_CHECKPOINT_INTERVAL).await;
    assert_eq!(desk.checkpoints(), 1, "there was nothing to sign");
    audited.service.token("west").await.unwrap();
    until("its line", async || desk.events().len() == 1).await;
    assert_eq!(desk.checkpoints(), 1);
    tokio::time::sleep(AUDIT_CHECKPOINT_INTERVAL).await;
    until("the second checkpoint", async || desk.checkpoints() == 2).await;
    audited.stop().await;
    assert_eq!(desk.checkpoints(), 2, "nothing was left to sign");
    let kept = desk.bench.service().await.stored_audit_head().await.unwrap().unwrap();
    let report = verify(&desk.bench.keyring, &[desk.path("audit.log")], Some(kept.head));
    assert!(report.is_whole(), "{:?}", report.faults);
    assert_eq!(report.unsigned, 0);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_loses_nothing_and_doubles_nothing() {
    let desk = Desk::new();
    let mut expected = Vec::new();
    for round in 0..12_usize {
        let audited = desk.start().await;
        for number in 0..3 {
            audited.service.token(&format!("peer-{round}-{number}")).await.unwrap();
            expected.push("token_generated");
            // From before the first line was written to after the last.
            tokio::time::sleep(AUDIT_BATCH_PAUSE.mul_f64(0.17 * f64::from(u8::try_from(round).unwrap()))).await;
        }
        audited.die().await;
        if round % 3 == 1 {
            // Half a line, as a crash leaves one.
            let mut text = fs::read(desk.path("audit.log")).unwrap_or_default();
            text.extend(b"{\"v\":1,\"seq\":");
            fs::write(desk.path("audit.log"), text).unwrap();
        }
    }
    let audited = desk.start().await;
    until("every line", async || desk.events().len() >= expected.len()).await;
    audited.stop().await;
    assert_eq!(desk.events(), expected);
    let report = verify(&desk.bench.keyring, &[desk.path("audit.log")], None);
    assert!(report.is_whole(), "{:?}", report.faults);
}

#[tokio::test(start_paused = true)]
async fn rows_go_once_both_consumers_have_seen_them() {
    let desk = Desk::new();
    let audited = desk.start().await;
    audited.service.token("west").await.unwrap();
    until("its line", async || desk.events().len() == 1).await;
    audited.service.token("east").await.unwrap();
    assert_eq!(desk.rows().await, 2, "the log is asleep");
    let (stop, service) = (CancellationToken::new(), Arc::clone(&audited.service));
    let stopped = stop.clone();
    let log = tokio::spawn(async move { service.log_events(stopped).await });
    until("the line of east", async || desk.events().len() == 2).await;
    until("both are seen", async || {
        audited.service.flush_outbox().await.unwrap();
        desk.rows().await == 0
    })
    .await;
    stop.cancel();
    log.await.unwrap().unwrap();
    audited.stop().await;
    // Without its trail the service waits for the log alone.
    let desk = Desk { bench: Bench { is_audited: false, ..desk.bench }, ..desk };
    let service = desk.bench.service().await;
    service.token("north").await.unwrap();
    let (stop, following) = (CancellationToken::new(), Arc::clone(&service));
    stop.cancel();
    let mut follower = following.follow_outbox(Consumer::Log);
    let rows = follower.next().await.unwrap().unwrap();
    follower.seen(rows);
    service.flush_outbox().await.unwrap();
    assert_eq!(desk.rows().await, 0, "nobody waits for what is switched off");
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_cannot_be_written_holds_its_events_and_is_named_when_they_are_too_many() {
    let desk = Desk::new();
    let audited = desk.start().await;
    until("the start", async || desk.path("audit.log").exists()).await;
    fs::rename(desk.path("audit.log"), desk.path("audit.log.1")).unwrap();
    fs::create_dir(desk.path("audit.log")).unwrap();
    audited.service.token("west").await.unwrap();
    let log = Arc::clone(&audited.service);
    let mut follower = log.follow_outbox(Consumer::Log);
    let rows = follower.next().await.unwrap().unwrap();
    follower.seen(rows);
    tokio::time::sleep(3 * AUDIT_RETRY_PAUSE).await;
    assert_eq!(desk.rows().await, 1);
    audited.service.outbox.added(OUTBOX_ROWS_MAX);
    let refused = audited.service.token("east").await.unwrap_err().to_string();
    assert!(refused.contains("wait for the consumer \"audit\""), "{refused}");
    // Once it can be, nothing is missing.
    fs::remove_dir(desk.path("audit.log")).unwrap();
    until("its line", async || desk.path("audit.log").exists() && desk.events().len() == 1).await;
    audited.stop().await;
    let report = verify(&desk.bench.keyring, &[desk.path("audit.log.1"), desk.path("audit.log")], None);
    assert!(report.is_whole(), "{:?}", report.faults);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_trail_is_stuck_tells_nothing_twice() {
    let desk = Desk::new();
    let audited = desk.start().await;
    until("the start", async || desk.path("audit.log").exists()).await;
    fs::rename(desk.path("audit.log"), desk.path("audit.log.1")).unwrap();
    fs::create_dir(desk.path("audit.log")).unwrap();
    audited.service.token("west").await.unwrap();
    tokio::time::sleep(3 * AUDIT_RETRY_PAUSE).await;
    // From now on it can be written; the stop comes before the next try.
    fs::remove_dir(desk.path("audit.log")).unwrap();
    audited.stop().await;
    assert_eq!(desk.events(), ["token_generated"]);
    let audited = desk.start().await;
    audited.service.token("east").await.unwrap();
    until("the next line", async || desk.events().len() >= 2).await;
    audited.stop().await;
    assert_eq!(desk.events(), ["token_generated"; 2], "of west and of east");
    let report = verify(&desk.bench.keyring, &[desk.path("audit.log.1"), desk.path("audit.log")], None);
    assert!(report.is_whole(), "{:?}", report.faults);
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_unsigned_is_signed_at_the_start_and_no_cursor_goes_back() {
    let desk = Desk::new();
    let audited = desk.start().await;
    until("the first checkpoint", async || desk.checkpoints() == 1).await;
    audited.service.token("west").await.unwrap();
    until("its line", async || desk.events().len() == 1).await;
    let mut follower = audited.service.follow_outbox(Consumer::Log);
    let rows = follower.next().await.unwrap().unwrap();
    follower.seen(rows);
    audited.service.flush_outbox().await.unwrap();
    let cursor = async |service: &Service| service.stored_cursor(Consumer::Log).await.unwrap();
    let before = cursor(&audited.service).await;
    assert!(before > 0);
    drop(follower);
    audited.die().await;
    assert_eq!(desk.checkpoints(), 1);
    let began = tokio::time::Instant::now();
    let audited = desk.start().await;
    until("the second checkpoint", async || desk.checkpoints() == 2).await;
    assert!(began.elapsed() < AUDIT_CHECKPOINT_INTERVAL / 2);
    until("the head", async || {
        let kept = audited.service.stored_audit_head().await.unwrap().unwrap().head;
        kept.seq == desk.lines().last().unwrap().seq
    })
    .await;
    assert_eq!(cursor(&audited.service).await, before, "the log has not read yet");
    audited.stop().await;
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_once_a_minute_with_what_is_known_of_them() {
    let desk = Desk::new();
    let audited = desk.start().await;
    let token = audited.service.token("west").await.unwrap();
    audited.service.redeem(&token).await.unwrap();
    for _ in 0..3 {
        audited.service.redeem(&token).await.unwrap_err();
    }
    audited.service.use_token("north", &token).await.unwrap_err();
    let foreign = Bench::new("dc2").service().await.token("x").await.unwrap();
    audited.service.use_token("north", &foreign).await.unwrap_err();
    tokio::time::sleep(AUDIT_CHECKPOINT_INTERVAL).await;
    until("the refusals", async || desk.events().iter().any(|event| event == "establish_failed")).await;
    audited.service.redeem(&token).await.unwrap_err();
    audited.stop().await;
    let lines = desk.lines();
    let refused = |event: &str| -> Vec<(Option<u64>, String, Option<String>)> {
        let of = lines.iter().map(|line| &line.entry).filter(|entry| entry.event == event);
        of.map(|entry| {
            let named = entry.token.map(|token| token.to_string()).or_else(|| entry.peer.clone());
            (entry.count, entry.cause.as_deref().unwrap().to_owned(), named)
        })
        .collect()
    };
    let id = token.token_id.as_ref().map(ToString::to_string);
    let spent = |count| (Some(count), "spent".to_owned(), id.clone());
    assert_eq!(refused("refused"), [spent(3), spent(1)], "a stop tells those of the last minute");
    assert_eq!(
        refused("establish_failed"),
        [(Some(1), "unavailable".to_owned(), foreign.token_id.as_ref().map(ToString::to_string))]
    );
    let begun = lines.iter().find(|line| line.entry.event == "establish_begun").unwrap();
    assert_eq!(begun.entry.token.map(|token| token.to_string()), foreign.token_id, "the dialer's trail names it too");
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_told_with_the_name_of_the_peer() {
    let desk = Desk::new();
    let audited = desk.start().await;
    let token = audited.service.token("west").await.unwrap();
    let refused = |peering: &str| Refused {
        peering: Some(PeeringId::parse(peering).unwrap()),
        ..Refused::of("stream_secret_wrong", Origin::default())
    };
    audited.service.tally(refused(&token.peer_id));
    audited.service.tally(Refused { source: Some([192, 0, 2, 1].into()), ..refused(&token.peer_id) });
    let gone = "00000000-0000-4000-8000-000000000000";
    audited.service.tally(refused(gone));
    audited.stop().await;
    let lines = desk.lines();
    let refused = lines.iter().map(|line| &line.entry).filter(|entry| entry.event == "refused");
    let told: Vec<_> = refused.map(|entry| (entry.peering.unwrap().to_string(), entry.peer.as_deref())).collect();
    let count = |id: &str, name| told.iter().filter(|told| told.0 == id && told.1 == name).count();
    assert_eq!((count(&token.peer_id, Some("west")), count(gone, None)), (2, 1), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_after_a_move_signs_the_old_file_off() {
    let desk = Desk::new();
    let audited = desk.start().await;
    audited.service.token("west").await.unwrap();
    until("its line", async || desk.path("audit.log").exists() && desk.events().len() == 1).await;
    fs::rename(desk.path("audit.log"), desk.path("audit.log.1")).unwrap();
    audited.look.notify_one();
    until("the new file", async || desk.path("audit.log").exists()).await;
    let old = lines(&desk.path("audit.log.1"));
    assert_eq!(old.last().unwrap().entry.event, "checkpoint");
    until("the head", async || {
        audited.service.stored_audit_head().await.unwrap().is_some_and(|kept| kept.head.seq == old.last().unwrap().seq)
    })
    .await;
    audited.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_written_in_batches_that_keep_commits_whole() {
    let desk = Desk::new();
    let service = desk.bench.service().await;
    let count = AUDIT_BATCH_ROWS_MAX / 2 + 10;
    // Each but the first makes two events: superseded and generated.
    for _ in 0..count {
        service.token("west").await.unwrap();
    }
    drop(service);
    let audited = desk.start().await;
    until("every line", async || desk.path("audit.log").exists() && desk.events().len() >= 2 * count - 1).await;
    audited.stop().await;
    assert_eq!(desk.events().len(), 2 * count - 1);
    assert!(verify(&desk.bench.keyring, &[desk.path("audit.log")], None).is_whole());
}
