//! What holds in every store between two commits: each record leads to those that belong to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use peering_core::acl::Policy;
use peering_core::id::PeeringId;
use peering_core::life::TokenState;
use peering_core::name::PeerName;
use peering_core::peering::{Peering, Stored};
use peering_core::secrets::{IssuedToken, PeeringSecrets};
use serde_json::Value;

use crate::store::record::{AclBootstrap, AclPointer, Kept, OutboxRow, StoredAclToken, TokenPointer, decode};
use crate::store::{Store, key};

type Rows = BTreeMap<String, Vec<u8>>;

/// Returns everything that is stored.
pub(super) async fn dump(store: &dyn Store) -> BTreeMap<String, Value> {
    rows(store).await.into_iter().map(|(key, value)| (key, serde_json::from_slice(&value).unwrap())).collect()
}

async fn rows(store: &dyn Store) -> Rows {
    let page = store.range("", usize::MAX, None).await.unwrap();
    page.records.into_iter().map(|record| (record.key, record.value)).collect()
}

fn row<T: Kept>(rows: &Rows, key: &str) -> Option<T> {
    rows.get(key).map(|value| decode(key, value).unwrap())
}

fn below<'a>(rows: &'a Rows, directory: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let keys = rows.keys().filter_map(move |key| Some((key.as_str(), key.strip_prefix(directory)?)));
    keys.inspect(|(key, rest)| assert!(!rest.is_empty(), "{key}"))
}

/// Fails, naming the place, unless all records belong together.
pub(super) async fn check(store: &dyn Store, place: &str) {
    let rows = rows(store).await;
    let state = |id: &PeeringId| {
        let name = row::<PeerName>(&rows, &key::peering_id(id))?;
        row::<Peering>(&rows, &key::peering(&name)).map(|peering| peering.state)
    };
    for (key, _) in below(&rows, key::PEERINGS) {
        let peering: Peering = row(&rows, key).unwrap();
        assert_eq!(row::<PeerName>(&rows, &key::peering_id(&peering.local_id)), Some(peering.name), "{place}");
        let secrets = rows.contains_key(&key::secrets(&peering.local_id));
        assert!(!secrets || peering.state != Stored::Deleting, "{place}: {key} keeps secrets");
        assert!(!rows.contains_key(&key::tombstone(&peering.local_id)), "{place}: {key} has a tombstone");
    }
    for (key, id) in below(&rows, "peering-ids/") {
        assert!(state(&PeeringId::parse(id).unwrap()).is_some(), "{place}: {key} leads nowhere");
    }
    for (key, id) in below(&rows, "peering-secrets/") {
        let id = PeeringId::parse(id).unwrap();
        assert!(state(&id).is_some(), "{place}: {key} belongs to nothing");
        let secrets: PeeringSecrets = row(&rows, key).unwrap();
        let life = |token, secret| {
            let issued: Option<IssuedToken> = row(&rows, &key::token(&id, &token));
            issued.filter(|issued| issued.secret == secret).map(|issued| issued.life.state_at(Timestamp::MIN))
        };
        if let Some(kept) = secrets.establishment {
            assert_eq!(life(kept.token, kept.secret), Some(TokenState::Unused), "{place}: {key}");
        }
        if let Some(pending) = secrets.pending {
            assert_eq!(life(pending.token, pending.spent), Some(TokenState::Redeemed), "{place}: {key}");
        }
        assert!(secrets.own.is_none() || secrets.active.is_some(), "{place}: {key}");
    }
    for (key, ids) in below(&rows, "tokens/") {
        let issued: IssuedToken = row(&rows, key).unwrap();
        let id = PeeringId::parse(ids.split('/').next().unwrap()).unwrap();
        let pointer: Option<TokenPointer> = row(&rows, &key::token_secret(&issued.secret));
        match pointer {
            Some(pointer) => {
                let is_of_the_past = issued.name.is_some() && issued.life.end().is_some();
                assert!(state(&id).is_some() || is_of_the_past, "{place}: {key} would stay for ever");
                assert_eq!((pointer.peering, key::token(&id, &pointer.token).as_str()), (id, key), "{place}");
            }
            None => panic!("{place}: {key} is not found by its secret"),
        }
    }
    for (key, _) in below(&rows, "token-secrets/") {
        let pointer: TokenPointer = row(&rows, key).unwrap();
        assert!(rows.contains_key(&key::token(&pointer.peering, &pointer.token)), "{place}: {key} leads nowhere");
    }
    check_access(&rows, place);
    for (key, _) in below(&rows, key::OUTBOX) {
        let _: OutboxRow = row(&rows, key).unwrap();
    }
}

/// Fails unless each policy is found by its name, each token by its secret, and neither leads to nothing.
fn check_access(rows: &Rows, place: &str) {
    let mut pointers = Vec::new();
    for (key, id) in below(rows, key::ACL_POLICIES) {
        let policy: Policy = row(rows, key).unwrap();
        assert_eq!(policy.id.to_string(), id, "{place}");
        pointers.push((key::acl_policy_name(&policy.name), policy.id));
    }
    for (key, accessor) in below(rows, key::ACL_TOKENS) {
        let StoredAclToken { token, .. } = row(rows, key).unwrap();
        assert_eq!(token.accessor.to_string(), accessor, "{place}");
        pointers.push((key::acl_secret(&token.secret), token.accessor));
    }
    for (pointer, id) in &pointers {
        let found = row::<AclPointer>(rows, pointer).map(|pointer| pointer.id);
        assert_eq!(found, Some(*id), "{place}: {pointer}");
    }
    let there = below(rows, "acl-policy-names/").chain(below(rows, "acl-secrets/")).count();
    assert_eq!(there, pointers.len(), "{place}: something leads nowhere");
    if let Some(bootstrap) = row::<AclBootstrap>(rows, key::ACL_BOOTSTRAP) {
        assert!(rows.contains_key(&key::acl_token(bootstrap.accessor)), "{place}: the first token is gone");
    }
}
