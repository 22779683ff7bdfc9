//! Durable generate-token over HTTP, beside raw commits of the same rows on the same disk.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use http::Method;
use peering_server::store::Txn;
use peering_tests::site::private_directory;
use tokio::task::JoinSet;

use super::{rate, seconds, shown};
use crate::child::{Role, Running};
use crate::figure::{Aim, Figure, median};
use crate::load::Connection;
use crate::raw::{GROUP, RawStore};
use crate::recorder::transactions_of_generate;
use crate::sizes::Sizes;

/// Connections that ask at once.
const CONNECTIONS: usize = 64;

/// Measures both rows. A server with an empty data directory is used for each round, as the raw store is new too.
pub(crate) async fn measure(sizes: &Sizes) -> Result<Vec<Figure>> {
    let many = transactions_of_generate(sizes.generated).await?;
    let few = &many[..sizes.generated_alone];
    let mut samples: [Vec<f64>; 6] = Default::default();
    for _ in 0..sizes.rounds {
        let directory = private_directory();
        let mut server = start_server(directory.path(), &[]).await?;
        let mut silent = start_server(&directory.path().join("silent"), &["-audit-log", "off"]).await?;
        let address = http_address(&server)?;
        let nothing = Running::start(Role::BareHttp, [""; 0], &directory.path().join("bare.log")).await?;
        let nothing_at: SocketAddr = nothing.line.rsplit(' ').next().context("no address")?.parse()?;
        // In turn, so that a machine that becomes slower slows both.
        samples[0].push(seconds(generate_over_many(address, sizes.generated)).await?);
        samples[5].push(seconds(generate_over_many(http_address(&silent)?, sizes.generated)).await?);
        silent.stop().await?;
        samples[1].push(seconds(commit_raw(many.clone(), GROUP)).await?);
        samples[2].push(seconds(generate_over_one(address, sizes.generated_alone)).await?);
        samples[3].push(seconds(commit_raw(few.to_vec(), 1)).await?);
        samples[4].push(seconds(ask_nothing(nothing_at, sizes.generated_alone)).await?);
        server.stop().await?;
    }
    let [many_ours, many_raw, one_ours, one_raw, one_empty, many_silent] = samples.map(median);
    let each = |seconds: f64| seconds / sizes.generated_alone as f64;
    Ok(vec![
        Figure {
            what: format!("durable generate-token over HTTP, {CONNECTIONS} connections"),
            ours: rate(sizes.generated, many_ours),
            limit: format!("{} (raw commits of the same rows, {GROUP} a group)", rate(many.len(), many_raw)),
            ratio: many_raw / many_ours,
            aim: Aim::AtLeast(0.5),
        },
        Figure {
            what: "the same beside a server without an audit trail".to_owned(),
            ours: rate(sizes.generated, many_ours),
            limit: format!("{} (-audit-log off)", rate(sizes.generated, many_silent)),
            ratio: many_silent / many_ours,
            aim: Aim::AtLeast(0.9),
        },
        Figure {
            what: "the same, 1 connection".to_owned(),
            ours: shown(each(one_ours)),
            limit: format!("{} + {} (a raw commit, an empty request)", shown(each(one_raw)), shown(each(one_empty))),
            ratio: one_ours / (one_raw + one_empty),
            aim: Aim::AtMost(1.5),
        },
    ])
}

/// Starts the product with a data directory, as an operator would: with an audit trail, unless more words say otherwise.
async fn start_server(directory: &Path, more: &[&str]) -> Result<Running> {
    std::fs::create_dir_all(directory)?;
    let data_dir = directory.join("data");
    #[rustfmt::skip]
    let words = [
        "server".as_ref(), "-acl".as_ref(), "off".as_ref(), "-data-dir".as_ref(), data_dir.as_os_str(),
        "-http-addr".as_ref(), "127.0.0.1:0".as_ref(), "-peer-addr".as_ref(), "127.0.0.1:0".as_ref(),
    ];
    let words = words.into_iter().chain(more.iter().map(AsRef::as_ref));
    Running::start(Role::Product, words, &directory.join("server.log")).await
}

/// Reads the address of the HTTP API from the line that says "ready".
pub(super) fn http_address(server: &Running) -> Result<SocketAddr> {
    let part = server.line.split(", ").find_map(|part| part.strip_prefix("http "));
    Ok(part.and_then(|part| part.split(' ').next()).with_context(|| server.line.clone())?.parse()?)
}

async fn generate_over_many(address: SocketAddr, count: usize) -> Result<()> {
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS {
        workers.spawn(async move {
            let mut connection = Connection::open(address).await?;
            for number in (worker..count).step_by(CONNECTIONS) {
                let body = format!(r#"{{"PeerName":"many-{number}"}}"#);
                connection.ask(Method::POST, "/v1/peering/token", body).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

async fn generate_over_one(address: SocketAddr, count: usize) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    for number in 0..count {
        let body = format!(r#"{{"PeerName":"one-{number}"}}"#);
        connection.ask(Method::POST, "/v1/peering/token", body).await?;
    }
    Ok(())
}

async fn ask_nothing(address: SocketAddr, count: usize) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    for _ in 0..count {
        connection.ask(Method::POST, "/", "").await?;
    }
    Ok(())
}

async fn commit_raw(txns: Vec<Txn>, group: usize) -> Result<()> {
    let work = move || -> Result<()> {
        let directory = private_directory();
        let mut store = RawStore::create(directory.path())?;
        for group in txns.chunks(group) {
            store.commit(group)?;
        }
        Ok(())
    };
    tokio::task::spawn_blocking(work).await?
}
