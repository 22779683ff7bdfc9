//! Connections that break every second: all peerings heal, and nothing is left over.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::Duration;

use peering_tests::cluster::Cluster;
use peering_tests::eventually::eventually;
use peering_tests::http::{Answer, Http};
use peering_tests::link::Link;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout_at};

/// Peerings between the two servers.
const PEERINGS: usize = 50;
/// How many of them are made at a time.
const AT_A_TIME: usize = 8;
/// Pause between two cuts.
const CUT_INTERVAL: Duration = Duration::from_secs(1);
/// Cuts, unless the variable `PEERING_CUT_SECONDS` says otherwise.
const CUTS: u64 = 5;
/// Longest time from the last cut until every peering is ACTIVE on both sides: a dialer that failed often waits 64 s and
/// a tenth.
const HEALED_WITHIN: Duration = Duration::from_secs(75);
/// Time without a change after which nothing is under way any more.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// Longest wait for that.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Memory that may be held in addition: an allocator keeps what the busiest moment needed.
const MEMORY_KIB_MAX: u64 = 16 << 10;
/// Set for the process that has the test alone.
const ALONE: &str = "PEERING_TEST_ALONE";

/// What two servers, and the process that they are in, hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    acceptor_tasks: usize,
    dialer_tasks: usize,
    descriptors: usize,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acceptor_tasks, dialer_tasks, descriptors } = self;
        write!(f, "{acceptor_tasks} tasks of the acceptor, {dialer_tasks} of the dialer, {descriptors} descriptors")
    }
}

/// The two runtimes, each with nothing but one server on it.
struct Watched {
    acceptor: Handle,
    dialer: Handle,
}

impl Watched {
    fn look(&self) -> Held {
        Held {
            acceptor_tasks: self.acceptor.metrics().num_alive_tasks(),
            dialer_tasks: self.dialer.metrics().num_alive_tasks(),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }

    /// Waits until nothing has changed for a while.
    async fn settled(&self) -> Held {
        let deadline = Instant::now() + SETTLED_WITHIN;
        let (mut held, mut since) = (self.look(), Instant::now());
        while since.elapsed() < SETTLED_AFTER {
            assert!(Instant::now() < deadline, "still changing after {SETTLED_WITHIN:?}: {held}");
            sleep(LOOK_INTERVAL).await;
            let now = self.look();
            if now != held {
                (held, since) = (now, Instant::now());
            }
        }
        held
    }
}

/// Returns how much memory of this process is in use, in KiB.
fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sends a request over a connection that is closed at once, so that no idle one is counted.
async fn post(http: &Http, path: &str, body: &Value) -> Answer {
    http.send(Method::POST, path, &[("connection", "close")], body.to_string()).await
}

/// Counts the peerings that are ACTIVE, over a connection that is closed at once.
async fn count_active(cluster: &Cluster) -> usize {
    let answer = cluster.http().raw_get("/v1/peerings").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let peerings: Vec<Value> = serde_json::from_str(body).unwrap();
    peerings.iter().filter(|peering| peering["State"] == "ACTIVE").count()
}

/// Waits until every peering is ACTIVE on both sides.
async fn all_active(acceptor: &Cluster, dialer: &Cluster, within: Duration) {
    eventually(within, async || {
        for cluster in [acceptor, dialer] {
            let active = count_active(cluster).await;
            if active < PEERINGS {
                return Err(format!("{active} of {PEERINGS} are ACTIVE"));
            }
        }
        Ok(())
    })
    .await;
}

async fn story(watched: &Watched, acceptor: &Cluster, dialer: &Cluster, cuts: u64) {
    // 1. Two servers have many peerings, all over one link.
    let link = Link::to(acceptor.peer_address()).await;
    let mut names: Vec<String> = (0..PEERINGS).map(|number| format!("peer-{number}")).collect();
    while !names.is_empty() {
        let together = names.split_off(names.len().saturating_sub(AT_A_TIME));
        let make = |name: String| {
            let (acceptor, dialer, address) = (acceptor.http().clone(), dialer.http().clone(), link.address());
            async move {
                let body = json!({ "PeerName": name, "ServerExternalAddresses": [address.to_string()] });
                let token = post(&acceptor, "/v1/peering/token", &body).await.accepts();
                let body = json!({ "PeerName": name, "PeeringToken": token["PeeringToken"] });
                assert_eq!(post(&dialer, "/v1/peering/establish", &body).await.status, 200);
            }
        };
        together.into_iter().map(make).collect::<JoinSet<()>>().join_all().await;
    }
    all_active(acceptor, dialer, HEALED_WITHIN).await;
    let before = watched.settled().await;
    let (memory_before, seen_before) = (memory_kib(), link.seen());

    // 2. Every second all connections are cut, whatever they are just doing.
    let mut seconds = interval(CUT_INTERVAL);
    for _ in 0..cuts {
        seconds.tick().await;
        link.cut();
    }
    let last_cut = Instant::now();

    // 3. All come back.
    let healing = all_active(acceptor, dialer, HEALED_WITHIN * 2);
    timeout_at(last_cut + HEALED_WITHIN, healing).await.expect("not ACTIVE in time after the last cut");
    let healed_after = last_cut.elapsed();

    // 4. Nothing is left over.
    let after = watched.settled().await;
    let (memory_after, made) = (memory_kib(), link.seen() - seen_before);
    println!("{cuts} cuts of {PEERINGS} peerings: {made} connections made anew");
    println!("all ACTIVE {:.1} s after the last cut", healed_after.as_secs_f64());
    println!("before: {before}, {memory_before} KiB\nafter:  {after}, {memory_after} KiB");
    assert!(made >= PEERINGS, "every peering was cut");
    assert_eq!(after, before);
    let grown = memory_after.saturating_sub(memory_before);
    assert!(grown <= MEMORY_KIB_MAX, "{grown} KiB more than before, at most {MEMORY_KIB_MAX} are let pass");
}

/// A runtime for one server.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
#[ignore = "needs two minutes: a cut every second, and up to 75 s to heal"]
fn fifty_peerings_heal_after_cuts_every_second_and_leave_nothing_behind() {
    if std::env::var_os(ALONE).is_none() {
        return run_alone("faults::cuts::fifty_peerings_heal_after_cuts_every_second_and_leave_nothing_behind");
    }
    let cuts = std::env::var("PEERING_CUT_SECONDS").map_or(CUTS, |text| text.parse().unwrap());
    let (accepting, dialing, asking) = (runtime(), runtime(), runtime());
    let mut acceptor = accepting.block_on(Cluster::start_durable("dc1"));
    let mut dialer = dialing.block_on(Cluster::start_durable("dc2"));
    let watched = Watched { acceptor: accepting.handle().clone(), dialer: dialing.handle().clone() };
    asking.block_on(story(&watched, &acceptor, &dialer, cuts));
    dialing.block_on(dialer.stop());
    accepting.block_on(acceptor.stop());
    asking.block_on(eventually(SETTLED_WITHIN, async || {
        let Held { acceptor_tasks, dialer_tasks, .. } = watched.look();
        if acceptor_tasks + dialer_tasks == 0 { Ok(()) } else { Err("tasks outlive their servers".to_owned()) }
    }));
}

/// Runs a test once more in a process of its own, where everything that is counted is its own.
fn run_alone(name: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let ended = command.args(["--exact", name, "--ignored", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    println!("{stdout}");
    assert!(ended.status.success() && stdout.contains("test result: ok. 1 passed"), "{stderr}");
}
