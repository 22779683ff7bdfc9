//! Many peerings between two processes: memory, idle processor time, lists, generating, and starting again.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::Method;
use peering_tests::site::private_directory;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::generate::http_address;
use super::{seconds, shown};
use crate::bare::BareClient;
use crate::child::{Role, Running};
use crate::figure::{Aim, Figure, median};
use crate::load::Connection;
use crate::machine::{processor_time, resident_kib};
use crate::sizes::Sizes;

/// Peerings that are established at once.
const AT_ONCE: usize = 16;
/// Longest wait until all peerings of a fleet are ACTIVE.
const ACTIVE_WITHIN: Duration = Duration::from_secs(120);
/// How long memory is left to settle: connections of exchanges end, buffers are given back.
const SETTLE: Duration = Duration::from_secs(15);
/// The same for bare streams.
const BARE_SETTLE: Duration = Duration::from_secs(1);

/// An acceptor and a dialer, processes of their own, with some peerings between them.
struct Fleet {
    directory: TempDir,
    acceptor: Running,
    dialer: Running,
    count: usize,
    /// Memory of the acceptor before its first peering, in KiB.
    empty_kib: u64,
}

/// Measures the rows that need many peerings.
pub(crate) async fn measure(sizes: &Sizes) -> Result<Vec<Figure>> {
    let [few, many] = sizes.fleets;
    let small = Fleet::start(few).await?;
    let mut large = Fleet::start(many).await?;
    sleep(SETTLE).await;
    let mut figures = Vec::new();
    let bare_few = bare_memory(few).await?;
    let bare_many = bare_memory(many).await?;
    figures.push(memory(&small, bare_few.fresh_kib, "")?);
    figures.push(memory(&large, bare_many.fresh_kib, "")?);
    figures.push(idle(&large, sizes.idle).await?);
    figures.extend(lists_and_tokens(&small, &large, sizes.requests).await?);
    let ready_after = large.restart_acceptor().await?;
    large.restart_dialer().await?;
    sleep(SETTLE).await;
    figures.push(memory(&large, bare_many.anew_kib, ", after a full resync")?);
    figures.push(Figure {
        what: format!("start of `peering server` to ready, {many} stored peerings"),
        ours: shown(ready_after.as_secs_f64()),
        limit: "1 s".to_owned(),
        ratio: ready_after.as_secs_f64(),
        aim: Aim::AtMost(1.0),
    });
    small.stop().await?;
    large.stop().await?;
    Ok(figures)
}

impl Fleet {
    /// Starts both and makes so many peerings, all ACTIVE on both sides.
    async fn start(count: usize) -> Result<Self> {
        let directory = private_directory();
        let acceptor = start(directory.path(), "east", 0).await?;
        let dialer = start(directory.path(), "west", 0).await?;
        let empty_kib = resident_kib(acceptor.id()?)?;
        let fleet = Self { directory, acceptor, dialer, count, empty_kib };
        let (accepting, dialing) = (http_address(&fleet.acceptor)?, http_address(&fleet.dialer)?);
        let took = seconds(async {
            let mut workers = JoinSet::new();
            for worker in 0..AT_ONCE {
                workers.spawn(establish(accepting, dialing, worker, count));
            }
            while let Some(worker) = workers.join_next().await {
                worker??;
            }
            fleet.until_active().await
        })
        .await?;
        eprintln!("  {count} peerings in {}", shown(took));
        Ok(fleet)
    }

    async fn until_active(&self) -> Result<()> {
        for server in [&self.acceptor, &self.dialer] {
            let address = http_address(server)?;
            let begun = Instant::now();
            loop {
                let active = count_active(address).await?;
                if active == self.count {
                    break;
                }
                if begun.elapsed() > ACTIVE_WITHIN {
                    bail!("{active} of {} peerings are ACTIVE after {ACTIVE_WITHIN:?}", self.count);
                }
                sleep(Duration::from_millis(250)).await;
            }
        }
        Ok(())
    }

    /// Ends the acceptor, starts it again at the same address, and returns how long it took to become ready.
    async fn restart_acceptor(&mut self) -> Result<Duration> {
        let port = peer_address(&self.acceptor)?.port();
        self.acceptor.stop().await?;
        self.acceptor = start(self.directory.path(), "east", port).await?;
        self.until_active().await?;
        Ok(self.acceptor.ready_after)
    }

    /// Ends the dialer and starts it again: every stream is new, every resource is sent again.
    async fn restart_dialer(&mut self) -> Result<()> {
        self.dialer.stop().await?;
        self.dialer = start(self.directory.path(), "west", 0).await?;
        self.until_active().await
    }

    async fn stop(mut self) -> Result<()> {
        self.dialer.stop().await?;
        self.acceptor.stop().await?;
        Ok(())
    }
}

/// Starts the product with a data directory below this one.
async fn start(directory: &Path, datacenter: &str, peer_port: u16) -> Result<Running> {
    let data_dir = directory.join(datacenter).display().to_string();
    let peer_addr = format!("127.0.0.1:{peer_port}");
    #[rustfmt::skip]
    let words = [
        "server", "-acl", "off", "-datacenter", datacenter, "-data-dir", &data_dir,
        "-http-addr", "127.0.0.1:0", "-peer-addr", &peer_addr,
    ];
    Running::start(Role::Product, words, &directory.join(format!("{datacenter}.log"))).await
}

fn peer_address(server: &Running) -> Result<SocketAddr> {
    let part = server.line.split(", ").find_map(|part| part.strip_prefix("peers "));
    Ok(part.with_context(|| server.line.clone())?.trim().parse()?)
}

async fn establish(accepting: SocketAddr, dialing: SocketAddr, worker: usize, count: usize) -> Result<()> {
    let (mut acceptor, mut dialer) = (Connection::open(accepting).await?, Connection::open(dialing).await?);
    for number in (worker..count).step_by(AT_ONCE) {
        let token = acceptor.generate(&format!("west-{number}")).await?;
        dialer.establish(&format!("east-{number}"), &token).await?;
    }
    Ok(())
}

async fn count_active(address: SocketAddr) -> Result<usize> {
    let body = Connection::open(address).await?.ask(Method::GET, "/v1/peerings", "").await?;
    let peerings: Vec<serde_json::Value> = serde_json::from_slice(&body)?;
    Ok(peerings.iter().filter(|peering| peering["State"] == "ACTIVE").count())
}

/// Measures the memory of the acceptor for each peering, beside that of a bare stream.
fn memory(fleet: &Fleet, bare_kib: f64, when: &str) -> Result<Figure> {
    let now_kib = resident_kib(fleet.acceptor.id()?)?;
    let each_kib = now_kib.saturating_sub(fleet.empty_kib) as f64 / fleet.count as f64;
    Ok(Figure {
        what: format!("acceptor memory per ACTIVE peering at {}{when}", fleet.count),
        ours: format!("{each_kib:.1} KiB"),
        limit: format!("{bare_kib:.1} KiB (a bare tonic stream over rustls); the ratio is KiB more"),
        ratio: each_kib - bare_kib,
        aim: Aim::AtMost(24.0),
    })
}

/// Memory of a process that holds streams and does nothing else, for each stream.
struct BareMemory {
    fresh_kib: f64,
    /// After all streams ended and as many came anew: what was once touched stays resident.
    anew_kib: f64,
}

async fn bare_memory(count: usize) -> Result<BareMemory> {
    let directory = private_directory();
    let root = directory.path().join("root.pem");
    let mut server = Running::start(Role::BareStream, [&root], &directory.path().join("bare.log")).await?;
    let address = server.line.rsplit(' ').next().context("no address")?.parse()?;
    let client = BareClient::new(address, &tokio::fs::read_to_string(root).await?)?;
    let empty_kib = resident_kib(server.id()?)?;
    let mut measured = [0.0; 2];
    for each_kib in &mut measured {
        let mut streams = Vec::new();
        for _ in 0..count {
            streams.push(client.stream().await?);
        }
        sleep(BARE_SETTLE).await;
        *each_kib = resident_kib(server.id()?)?.saturating_sub(empty_kib) as f64 / count as f64;
        drop(streams);
        sleep(BARE_SETTLE).await;
    }
    server.stop().await?;
    let [fresh_kib, anew_kib] = measured;
    Ok(BareMemory { fresh_kib, anew_kib })
}

/// Measures the processor time of the acceptor when nothing happens but heartbeats.
async fn idle(fleet: &Fleet, time: Duration) -> Result<Figure> {
    let id = fleet.acceptor.id()?;
    let (before, begun) = (processor_time(id)?, Instant::now());
    sleep(time).await;
    let (used, took) = (processor_time(id)?.saturating_sub(before), begun.elapsed());
    let percent = used.as_secs_f64() / took.as_secs_f64() * 100.0;
    Ok(Figure {
        what: format!("idle processor time of the acceptor, {} peerings", fleet.count),
        ours: format!("{percent:.2} % of a core over {} s", took.as_secs()),
        limit: "heartbeats every 15 s, both ways".to_owned(),
        ratio: percent,
        aim: Aim::AtMost(5.0),
    })
}

/// Measures lists and generating, for peerings that are there, at both fleets, in turn.
async fn lists_and_tokens(small: &Fleet, large: &Fleet, requests: usize) -> Result<[Figure; 2]> {
    let [mut few, mut many] = [
        Connection::open(http_address(&small.acceptor)?).await?,
        Connection::open(http_address(&large.acceptor)?).await?,
    ];
    let mut samples: [Vec<f64>; 4] = Default::default();
    for number in 0..requests {
        samples[0].push(seconds(list(&mut few)).await?);
        samples[1].push(seconds(list(&mut many)).await?);
        // Ten for each list: they are short.
        for more in 0..10 {
            // Peerings that are there, so that neither fleet grows.
            let name = format!("west-{}", (number * 10 + more) % small.count);
            samples[2].push(seconds(generate(&mut few, &name)).await?);
            samples[3].push(seconds(generate(&mut many, &name)).await?);
        }
    }
    let [list_few, list_many, generate_few, generate_many] = samples.map(median);
    let growth = large.count as f64 / small.count as f64;
    Ok([
        Figure {
            what: format!("GET /v1/peerings at {} beside {}", large.count, small.count),
            ours: shown(list_many),
            limit: format!("{growth:.0} × {} (linear)", shown(list_few)),
            ratio: list_many / (list_few * growth),
            aim: Aim::AtMost(1.2),
        },
        Figure {
            what: format!("generate-token at {} beside {}", large.count, small.count),
            ours: shown(generate_many),
            limit: shown(generate_few),
            ratio: generate_many / generate_few,
            aim: Aim::AtMost(1.2),
        },
    ])
}

async fn list(connection: &mut Connection) -> Result<()> {
    connection.ask(Method::GET, "/v1/peerings", "").await?;
    Ok(())
}

async fn generate(connection: &mut Connection, name: &str) -> Result<()> {
    connection.generate(name).await?;
    Ok(())
}
