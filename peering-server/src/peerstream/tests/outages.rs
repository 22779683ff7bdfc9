//! Streams that break: what an operator reads, and how the two find each other again.

use std::sync::Arc;
use std::time::Duration;

use peering_core::name::{Datacenter, PeerName};
use peering_core::peering::Peering;
use peering_core::peering::state::Reported;
use peering_core::peerstream::HEARTBEAT_TIMEOUT;
use peering_core::secrets::PeeringSecrets;
use uuid::Uuid;

use super::clock::{skip, until};
use super::foreign_acceptor::{ForeignAcceptor, Manners, Mode, STREAM_SECRET};
use super::home::Home;
use crate::config::{Config, StoreChoice};
use crate::entropy::SystemEntropy;
use crate::keyring::Keyring;
use crate::server::{Server, StartError};
use crate::store::record::{decode, encode};
use crate::store::{Commit, Txn, Write, key};

const FIRST_DELAY: Duration = Duration::from_millis(2_200);

#[tokio::test]
async fn a_clean_end_without_terminated_is_a_failure_and_is_dialed_again() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    call.end(None).await;
    home.reads("peer", Reported::Failing).await;
    let error = home.last_error("peer").await;
    assert_eq!(error.as_deref(), Some("stream ended unexpectedly"));
    skip(FIRST_DELAY).await;
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
}

#[tokio::test]
async fn a_silent_acceptor_is_left_after_two_minutes() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    skip(HEARTBEAT_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(home.state("peer").await, Some(Reported::Active));
    skip(Duration::from_secs(2)).await;
    home.reads("peer", Reported::Failing).await;
    call.left().await;
}

#[tokio::test]
async fn without_tls_a_peering_reads_establishing_and_shows_each_attempt() {
    let home = Home::start("dc1").await;
    let manners = Manners { after_exchange: Mode::Stranger, ..Manners::default() };
    let mut acceptor = ForeignAcceptor::start_with(manners).await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let sent = async || home.view("peer").await.unwrap().stream.and_then(|report| report.last_send);
    let mut before = None;
    for delay in [2, 4, 8] {
        until("an attempt is shown", async || sent().await > before).await;
        before = sent().await;
        assert_eq!(home.state("peer").await, Some(Reported::Establishing));
        let error = home.last_error("peer").await.unwrap();
        assert!(error.starts_with(&acceptor.address()), "{error}");
        skip(Duration::from_millis(delay * 1_100)).await;
    }
    acceptor.become_(Mode::Serve);
    skip(Duration::from_secs(20)).await;
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;

    // Once there was a stream, its loss is a failure, and so it stays while nobody is reached.
    acceptor.become_(Mode::Stranger);
    skip(HEARTBEAT_TIMEOUT).await;
    home.reads("peer", Reported::Failing).await;
    before = sent().await;
    skip(Duration::from_secs(80)).await;
    until("an attempt is shown", async || sent().await > before).await;
    assert_eq!(home.state("peer").await, Some(Reported::Failing));
}

#[tokio::test]
async fn a_restarted_dialer_comes_back_with_its_stored_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (data_dir, keyring) = (directory.path().join("data"), directory.path().join("keyring"));
    let start = async || {
        let store = StoreChoice::Sqlite { data_dir: data_dir.clone(), keyring: keyring.clone() };
        Home::start_with("dc1", Default::default(), |config| config.store = store).await
    };
    let mut acceptor = ForeignAcceptor::start().await;
    let home = start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    acceptor.exchange().await;
    let mut call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    home.server.shutdown().await;
    call.left().await;
    let home = start().await;
    let mut call = acceptor.call().await;
    let (open, _) = call.opened().await;
    assert_eq!(open.stream_secret_id, STREAM_SECRET);
    assert_eq!(home.state("peer").await, Some(Reported::Establishing));
    let _call = call.connected().await;
    home.reads("peer", Reported::Active).await;
    assert_eq!(acceptor.exchanges_waiting(), 0);
    home.server.shutdown().await;
}

#[tokio::test]
async fn a_keyring_from_before_a_rotation_is_refused_at_the_start_by_the_key_that_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let (data_dir, keyring) = (directory.path().join("data"), directory.path().join("keyring"));
    let mut config = Config::ephemeral(Datacenter::parse("dc1").unwrap());
    config.store = StoreChoice::Sqlite { data_dir, keyring: keyring.clone() };
    let start = async || Home { server: Server::start(config.clone()).await.unwrap() };
    start().await.server.shutdown().await;
    let before = std::fs::read(&keyring).unwrap();
    let ring = Keyring::rotate(&keyring, Arc::new(SystemEntropy)).unwrap();
    let after = std::fs::read(&keyring).unwrap();

    // The authority is sealed with the first key, this stream secret with the second.
    let mut acceptor = ForeignAcceptor::start().await;
    let home = start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    home.server.shutdown().await;

    std::fs::write(&keyring, before).unwrap();
    let Err(refused) = Server::start(config.clone()).await else { panic!("the server started") };
    assert!(matches!(refused, StartError::KeyringIncomplete { .. }), "{refused:?}");
    let lacks = format!("the keyring {} lacks key {}, with which", keyring.display(), ring.current_id());
    assert!(refused.to_string().starts_with(&lacks), "{refused}");

    std::fs::write(&keyring, after).unwrap();
    let home = start().await;
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;
    home.server.shutdown().await;
}

#[tokio::test]
async fn a_stream_secret_that_cannot_be_unsealed_is_shown_as_trouble_of_the_peering() {
    let home = Home::start("dc1").await;
    let mut acceptor = ForeignAcceptor::start().await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let _call = acceptor.call().await.connected().await;
    home.reads("peer", Reported::Active).await;

    let store = &home.service().store;
    let peering_key = key::peering(&PeerName::parse("peer").unwrap());
    let peering = store.get(&peering_key).await.unwrap().unwrap().value;
    let secrets_key = key::secrets(&decode::<Peering>(&peering_key, &peering).unwrap().local_id);
    let stored = store.get(&secrets_key).await.unwrap().unwrap();
    let mut secrets = decode::<PeeringSecrets>(&secrets_key, &stored.value).unwrap();
    let sealed = &mut secrets.own.as_mut().unwrap().0;
    sealed["nonce"] = "AAAAAAAAAAAAAAAA".into();
    let damaged = encode(&secrets_key, &secrets, Uuid::nil()).unwrap();
    let writes = vec![Write::Put(secrets_key, damaged), Write::Put(peering_key, peering)];
    let damage = store.commit(Txn { writes, ..Txn::default() }).await.unwrap();
    assert!(matches!(damage, Commit::Committed(_)));
    home.fails_by("peer", "store-failed").await;
    let text = home.last_error("peer").await.unwrap();
    assert!(text.contains("cannot be opened"), "{text}");
}
