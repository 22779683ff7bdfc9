//! Stores of earlier releases, kept in `tests/data/store`: today's code reads all of them and goes on from there.
//!
//! A sample is a store as a killed server left it, its keyring, and `sample.json`, which says what is in it. The same
//! test is run on a sample that today's code makes, so that the maker cannot grow old; with `PEERING_STORE_SAMPLE` it
//! leaves that sample in this directory.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use peering_core::name::{Datacenter, PeerName};
use peering_core::peering::Peering;
use peering_core::secret::StreamSecret;
use peering_core::secrets::{IssuedToken, PeeringSecrets};
use peering_core::transition::Event;
use peering_server::clock::ManualClock;
use peering_server::entropy::SystemEntropy;
use peering_server::keyring::{Keyring, Label, Sealed};
use peering_server::service::cluster::Cluster as Identity;
use peering_server::store::record::{ClusterIdentity, Cursor, StoredAuthority, TokenPointer, Tombstone, decode};
use peering_server::store::sqlite::SqliteStore;
use peering_server::store::{Record, Store};
use peering_tests::cluster::{Cluster, peer, peer_with, sources_at};
use peering_tests::hand::HandDialer;
use peering_tests::site::private_directory;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Code;

/// The sample that every release since the first must read.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/store/v1");
/// What a sample's dialer sends to be told the same stream secret again.
const REDEMPTION: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// The store of a sample.
const STORE: &str = "store.sqlite";
/// Its keyring.
const KEYRING: &str = "keyring";
/// What is in it.
const CONTENT: &str = "sample.json";
/// Rows of a directory that are read at once; no sample has more.
const ROWS_MAX: usize = 1_000;

/// What is in a sample.
#[derive(Debug, Serialize, Deserialize)]
struct Sample {
    /// The release that made it.
    made_by: String,
    /// When.
    made_at: Timestamp,
    /// How many records each directory has.
    records: BTreeMap<String, usize>,
    /// A token that was not used.
    unused: String,
    /// A token that another took the place of.
    superseded: String,
    /// A token that ended before it was used.
    expired: String,
    /// A token that was exchanged, and the stream secret, which was not used.
    redeemed: (String, String),
    /// A token whose stream secret is in use.
    used: (String, String),
    /// The same of a peering that was deleted.
    deleted: (String, String),
}

/// Makes a sample with today's code.
async fn make(directory: &Path) {
    let made_at = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let clock = Arc::new(ManualClock::new(made_at));
    let home = private_directory();
    let data = home.path().join("data");
    let cluster = Cluster::start_in("dc1", home, sources_at(&clock)).await;

    let expired = cluster.generate_with(json!({ "PeerName": "expired", "TTL": "1s" })).await;
    clock.advance(Duration::from_secs(2));
    let superseded = cluster.generate("unused").await;
    let unused = cluster.generate_with(json!({ "PeerName": "unused", "Meta": { "env": "production" } })).await;
    let redeemed = cluster.generate("redeemed").await;
    let redeemed_secret = HandDialer::with(&redeemed).await.exchange_as(Some(REDEMPTION)).await.unwrap();
    let by_hand = async |name: &str| {
        let token = cluster.generate(name).await;
        let hand = HandDialer::with(&token).await;
        let secret = hand.exchange().await.unwrap();
        drop(hand.open(&secret).await.unwrap());
        (token, secret)
    };
    let used = by_hand("used").await;
    let deleted = by_hand("deleted").await;
    cluster.delete("deleted").await;
    // Peers that are clusters: one that dials us, one that dialed us and ended it, one that we dial.
    let dialers = [Cluster::start("dc2").await, Cluster::start("dc3").await];
    for dialer in &dialers {
        peer(&cluster, dialer).await;
    }
    dialers[1].delete("dc1").await;
    cluster.reaches("dc3", "TERMINATED").await;
    let acceptor = Cluster::start("dc4").await;
    peer_with(&acceptor, &cluster, &acceptor.generate("dc1").await).await;

    // As a crash would leave it, events that nobody has seen included; then the log is written back.
    DirBuilder::new().recursive(true).mode(0o700).create(directory).unwrap();
    for name in [STORE, "store.sqlite-wal", KEYRING] {
        copy_private(&data.join(name), &directory.join(name));
    }
    let store = SqliteStore::open(directory).unwrap();
    let records = counted(&store).await;
    store.close().await;
    fs::remove_file(directory.join("lock")).unwrap();
    let made_by = env!("CARGO_PKG_VERSION").to_owned();
    let redeemed = (redeemed, redeemed_secret);
    let sample = Sample { made_by, made_at, records, unused, superseded, expired, redeemed, used, deleted };
    fs::write(directory.join(CONTENT), format!("{}\n", serde_json::to_string_pretty(&sample).unwrap())).unwrap();
}

/// Copies a file for its owner alone, since version control keeps no such modes.
fn copy_private(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o600)).unwrap();
}

async fn all(store: &SqliteStore) -> Vec<Record> {
    let page = store.range("", ROWS_MAX, None).await.unwrap();
    assert!(!page.more);
    page.records
}

fn directory(key: &str) -> &str {
    key.split_once('/').unwrap().0
}

async fn counted(store: &SqliteStore) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for record in all(store).await {
        *counted.entry(directory(&record.key).to_owned()).or_default() += 1;
    }
    counted
}

/// Puts a copy of a sample where a server finds it.
fn unpack(sample: &Path) -> (TempDir, PathBuf, Sample) {
    let home = private_directory();
    let data = home.path().join("data");
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    for name in [STORE, KEYRING] {
        copy_private(&sample.join(name), &data.join(name));
    }
    let content = serde_json::from_slice(&fs::read(sample.join(CONTENT)).unwrap()).unwrap();
    (home, data, content)
}

/// Reads every record of a sample, opens what is sealed, and finds as many of each kind as there were.
async fn is_read(data: &Path, sample: &Sample) {
    let store = SqliteStore::open(data).unwrap();
    assert_eq!(counted(&store).await, sample.records);
    let keyring = Keyring::open(&data.join(KEYRING), Arc::new(SystemEntropy)).unwrap();
    let mut dialers = 0;
    for Record { key, value, .. } in all(&store).await {
        match directory(&key) {
            "cluster" => drop(decode::<ClusterIdentity>(&key, &value).unwrap()),
            "ca" => drop(decode::<StoredAuthority>(&key, &value).unwrap()),
            "peerings" => {
                let peering = decode::<Peering>(&key, &value).unwrap();
                assert_eq!(key, format!("peerings/{}", peering.name));
            }
            "peering-ids" => drop(decode::<PeerName>(&key, &value).unwrap()),
            "peering-secrets" => {
                let secrets = decode::<PeeringSecrets>(&key, &value).unwrap();
                let Some(own) = secrets.own else { continue };
                let sealed: Sealed = serde_json::from_value(own.0).unwrap();
                let context = key.strip_prefix("peering-secrets/").unwrap();
                let opened = keyring.unseal(Label::DialerStreamSecret, context.as_bytes(), &sealed).unwrap();
                let secret = StreamSecret::from_text(std::str::from_utf8(&opened).unwrap());
                assert_eq!(Some(secret.hash()), secrets.active);
                dialers += 1;
            }
            "tokens" => drop(decode::<IssuedToken>(&key, &value).unwrap()),
            "token-secrets" => _ = decode::<TokenPointer>(&key, &value).unwrap(),
            "tombstones" => _ = decode::<Tombstone>(&key, &value).unwrap(),
            "outbox" => drop(decode::<Event>(&key, &value).unwrap()),
            "cursors" => _ = decode::<Cursor>(&key, &value).unwrap(),
            other => panic!("a sample has records in {other:?}, which nobody reads here"),
        }
    }
    assert_eq!(dialers, 1, "a peering that the sample dials");
    let (clock, datacenter) = (ManualClock::new(sample.made_at), Datacenter::parse("dc1").unwrap());
    Identity::open(&store, &keyring, &clock, &SystemEntropy, &datacenter).await.unwrap();
    store.close().await;
}

/// Starts a server on a sample, a minute after it was made, and goes on with everything that was begun.
async fn is_used(home: TempDir, sample: &Sample) {
    let now = sample.made_at + Duration::from_secs(60);
    let mut cluster = Cluster::start_in("dc1", home, sources_at(&Arc::new(ManualClock::new(now)))).await;
    for (name, state) in [
        ("expired", "PENDING"),
        ("redeemed", "PENDING"),
        ("unused", "PENDING"),
        ("used", "PENDING"),
        ("dc2", "PENDING"),
    ] {
        assert_eq!(cluster.state(name).await, state, "{name}");
    }
    assert_eq!(cluster.state("dc3").await, "TERMINATED");
    assert_eq!(cluster.read("unused").await["Meta"], Value::Null, "metadata is that of the first token");
    // It opens the old stream secret and dials, and nobody is there any more.
    let has_dialed = |peering: &Value| peering["StreamStatus"]["LastSend"] != "0001-01-01T00:00:00Z";
    let dialed = cluster.eventually_reads("dc4", "attempt to dial", has_dialed).await;
    assert_eq!(dialed["State"], "ESTABLISHING");

    let address = cluster.peer_address();
    let hand = async |token: &str| HandDialer::with_at(&moved(token, address), now).await;
    for token in [&sample.expired, &sample.superseded] {
        assert_eq!(hand(token).await.exchange().await.unwrap_err().code(), Code::PermissionDenied);
    }
    let unused = hand(&sample.unused).await;
    let secret = unused.exchange().await.unwrap();
    let _first = unused.open(&secret).await.unwrap();
    let (redeemed, redeemed_secret) = &sample.redeemed;
    let redeemed = hand(redeemed).await;
    assert_eq!(&redeemed.exchange_as(Some(REDEMPTION)).await.unwrap(), redeemed_secret);
    let _second = redeemed.open(redeemed_secret).await.unwrap();
    let _third = hand(&sample.used.0).await.open(&sample.used.1).await.unwrap();
    for name in ["unused", "redeemed", "used"] {
        cluster.reaches(name, "ACTIVE").await;
    }
    let gone = hand(&sample.deleted.0).await.open(&sample.deleted.1).await.unwrap_err();
    assert_eq!((gone.code(), gone.message().starts_with("peering is marked as deleted")), (Code::Aborted, true));

    // And it goes on from there.
    hand(&cluster.generate("expired").await).await.exchange().await.unwrap();
    cluster.delete("dc3").await;
    cluster.restart().await;
    assert_eq!(cluster.state("expired").await, "PENDING");
    cluster.stop().await;
}

/// Returns a token that leads to where its server is now.
fn moved(token: &str, address: std::net::SocketAddr) -> String {
    peering_tests::token::changed(token, |claims| claims["ServerAddresses"] = json!([address.to_string()]))
}

#[tokio::test]
async fn the_store_of_the_first_release_is_read_and_used() {
    let (home, data, sample) = unpack(Path::new(FIRST));
    is_read(&data, &sample).await;
    is_used(home, &sample).await;
}

#[tokio::test]
async fn the_store_of_today_would_be_a_sample() {
    let made = private_directory();
    let directory = env::var_os("PEERING_STORE_SAMPLE").map_or(made.path().join("sample"), PathBuf::from);
    make(&directory).await;
    let (home, data, sample) = unpack(&directory);
    is_read(&data, &sample).await;
    is_used(home, &sample).await;
}
