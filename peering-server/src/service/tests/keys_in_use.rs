//! A keyring that lacks a key is found out, whatever the key sealed, and at little cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peering_core::secrets::{PeeringSecrets, SealedSecret};
use serde_json::json;
use uuid::Uuid;

use crate::entropy::SystemEntropy;
use crate::keyring::{Keyring, Label};
use crate::service::keys_in_use::missing_keys;
use crate::store::memory::MemoryStore;
use crate::store::record::encode;
use crate::store::{Commit, Store, Txn, Write};

fn ring() -> Keyring {
    Keyring::ephemeral(Arc::new(SystemEntropy))
}

/// A dialer's secrets, as `establish` stores them.
fn dialer_secrets(number: u128, ring: &Keyring) -> Write {
    let key = format!("peering-secrets/{}", Uuid::from_u128(number));
    let sealed = ring.seal(Label::DialerStreamSecret, b"x", &[7; 36]).unwrap();
    let secrets = PeeringSecrets { own: Some(SealedSecret(json!(sealed))), ..PeeringSecrets::default() };
    let value = encode(&key, &secrets, Uuid::nil()).unwrap();
    Write::Put(key, value)
}

/// An ACL token, reduced to what matters here.
fn acl_token(number: u128, ring: Option<&Keyring>) -> Write {
    let sealed = ring.map(|ring| ring.seal(Label::AclSecret, b"x", &[7; 36]).unwrap());
    let value = json!({"v": 1, "txn": Uuid::nil(), "data": {"accessor": "x", "sealed": sealed}});
    Write::Put(format!("acl-tokens/{}", Uuid::from_u128(number)), value.to_string().into_bytes())
}

async fn store_of(writes: Vec<Write>) -> MemoryStore {
    let store = MemoryStore::new();
    let mut writes = writes.into_iter().peekable();
    while writes.peek().is_some() {
        let txn = Txn { writes: writes.by_ref().take(32).collect(), ..Txn::default() };
        assert!(matches!(store.commit(txn).await.unwrap(), Commit::Committed(_)));
    }
    store
}

#[tokio::test]
async fn every_key_that_sealed_something_is_asked_for_and_a_damaged_record_is_none() {
    let (known, other, third) = (ring(), ring(), ring());
    let damaged = Write::Put("peering-secrets/damaged".to_owned(), b"{".to_vec());
    let whole = store_of(vec![dialer_secrets(1, &known), acl_token(1, Some(&known)), acl_token(2, None), damaged]);
    assert_eq!(missing_keys(&whole.await, &known).await.unwrap(), None);
    let own = store_of(vec![dialer_secrets(1, &known), dialer_secrets(2, &other), dialer_secrets(3, &other)]).await;
    let missing = missing_keys(&own, &known).await.unwrap().unwrap();
    assert_eq!(missing.to_string(), format!("key {}", other.current_id()));
    let both = store_of(vec![dialer_secrets(2, &other), acl_token(1, Some(&third))]).await;
    let missing = missing_keys(&both, &known).await.unwrap().unwrap().to_string();
    let mut ids = [other.current_id().to_string(), third.current_id().to_string()];
    ids.sort();
    assert_eq!(missing, format!("keys {}", ids.join(", ")));
}

#[tokio::test]
async fn missing_keys_are_named_up_to_a_bound() {
    let store = store_of((0..9).map(|number| acl_token(number, Some(&ring()))).collect()).await;
    let missing = missing_keys(&store, &ring()).await.unwrap().unwrap().to_string();
    assert!(missing.ends_with(" and more") && missing.matches(", ").count() == 7, "{missing}");
}

#[tokio::test]
async fn five_thousand_peerings_are_looked_through_in_no_time() {
    let known = ring();
    let store = store_of((0..5_000).map(|number| dialer_secrets(number, &known)).collect()).await;
    let began = Instant::now();
    assert_eq!(missing_keys(&store, &known).await.unwrap(), None);
    let took = began.elapsed();
    println!("5,000 records: {took:?}");
    // Some 30 ms without optimisation; a machine that is busy with other tests gets room.
    assert!(took < Duration::from_secs(2), "{took:?}");
}
