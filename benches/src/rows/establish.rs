//! From a token to ACTIVE on both sides, beside the bare handshakes, calls and commits that this takes.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use peering_core::name::Datacenter;
use peering_core::peering::Reported;
use peering_server::config::{Config, StoreChoice};
use peering_server::listen::ListenAddress;
use peering_server::server::Server;
use peering_server::store::{Txn, Write};
use peering_tests::site::private_directory;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{LOOK_INTERVAL, rate, seconds};
use crate::bare::{BareClient, BareServer};
use crate::figure::{Aim, Figure, median};
use crate::load::Connection;
use crate::raw::RawWriter;
use crate::sizes::Sizes;

/// Peerings that are established at once.
const AT_ONCE: usize = 16;
/// Rows of a bare commit, and bytes in each: what an exchange or a promotion writes, rounded.
const ROWS: usize = 4;
const ROW_BYTES: usize = 300;

/// Measures both, in turn, in this process.
pub(crate) async fn measure(sizes: &Sizes) -> Result<Vec<Figure>> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..sizes.rounds {
        ours.push(establish(sizes.established).await?);
        bare.push(handshakes_calls_and_commits(sizes.established).await?);
    }
    let (ours, bare) = (median(ours), median(bare));
    Ok(vec![Figure {
        what: format!("establish to ACTIVE on both sides, {AT_ONCE} at once"),
        ours: rate(sizes.established, ours),
        limit: format!("{} (2 TLS handshakes, a call, a stream, 4 commits)", rate(sizes.established, bare)),
        ratio: bare / ours,
        aim: Aim::AtLeast(0.5),
    }])
}

/// Establishes so many peerings between two new servers and returns how long it took, generating not counted.
async fn establish(count: usize) -> Result<f64> {
    let directory = private_directory();
    let acceptor = Arc::new(start(&directory.path().join("east"), "east").await?);
    let dialer = Arc::new(start(&directory.path().join("west"), "west").await?);
    let address = |server: &Server| match server.http_addresses() {
        [ListenAddress::Tcp(address), ..] => Ok(*address),
        other => Err(anyhow::anyhow!("no address over TCP in {other:?}")),
    };
    let (accepting, dialing) = (address(&acceptor)?, address(&dialer)?);
    let mut connection = Connection::open(accepting).await?;
    let mut tokens = Vec::new();
    for number in 0..count {
        tokens.push(connection.generate(&format!("west-{number}")).await?);
    }
    let tokens = Arc::new(tokens);
    let took = seconds(at_once(|worker| {
        let (acceptor, dialer, tokens) = (Arc::clone(&acceptor), Arc::clone(&dialer), Arc::clone(&tokens));
        async move {
            let mut connection = Connection::open(dialing).await?;
            for number in (worker..count).step_by(AT_ONCE) {
                connection.establish(&format!("east-{number}"), &tokens[number]).await?;
                until_active(&dialer, &format!("east-{number}")).await?;
                until_active(&acceptor, &format!("west-{number}")).await?;
            }
            Ok(())
        }
    }))
    .await?;
    for server in [dialer, acceptor] {
        Arc::try_unwrap(server).ok().context("a server is still in use")?.shutdown().await;
    }
    Ok(took)
}

async fn start(data_dir: &Path, datacenter: &str) -> Result<Server> {
    let (data_dir, keyring) = (data_dir.to_owned(), data_dir.join("keyring"));
    let config = Config::ephemeral(Datacenter::parse(datacenter)?);
    let config = Config { dev: false, store: StoreChoice::Sqlite { data_dir, keyring }, ..config };
    Ok(Server::start(config).await?)
}

async fn until_active(server: &Server, name: &str) -> Result<()> {
    while server.service().read_peering(name).await?.value.state != Reported::Active {
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// Does what two parties cannot avoid, so many times, and returns how long it took.
async fn handshakes_calls_and_commits(count: usize) -> Result<f64> {
    let directory = private_directory();
    let [east, west] = ["east", "west"].map(|name| directory.path().join(name));
    for path in [&east, &west] {
        std::fs::create_dir(path)?;
    }
    let (acceptor, dialer) = (RawWriter::start(&east)?, RawWriter::start(&west)?);
    let server = BareServer::bind().await?;
    let client = server.client()?;
    let serving = tokio::spawn(server.serve());
    let took = seconds(at_once(|worker| {
        let (acceptor, dialer, client) = (acceptor.clone(), dialer.clone(), client.clone());
        async move {
            // Streams stay open, as peer streams do.
            let mut streams = Vec::new();
            for number in (worker..count).step_by(AT_ONCE) {
                streams.push(one(&acceptor, &dialer, &client, number).await?);
            }
            Ok(())
        }
    }))
    .await?;
    serving.abort();
    Ok(took)
}

async fn one(
    acceptor: &RawWriter,
    dialer: &RawWriter,
    client: &BareClient,
    number: usize,
) -> Result<crate::bare::BareStream> {
    dialer.commit(rows(number, 0)).await?;
    acceptor.commit(rows(number, 0)).await?;
    client.unary().await?;
    dialer.commit(rows(number, 1)).await?;
    acceptor.commit(rows(number, 1)).await?;
    client.stream().await
}

fn rows(number: usize, step: usize) -> Txn {
    let put = |row| Write::Put(format!("rows/{number}/{step}/{row}"), vec![b'x'; ROW_BYTES]);
    Txn { writes: (0..ROWS).map(put).collect(), ..Txn::default() }
}

async fn at_once<F>(work: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut workers: JoinSet<Result<()>> = (0..AT_ONCE).map(work).collect();
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}
