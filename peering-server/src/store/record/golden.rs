//! Records of version 1 as they are kept: each kind once, each way in which a kind can differ once.
//!
//! Shapes are partly core's own types, so that a change there changes the store without a word. This test is the word: a
//! stored line that no longer reads as it did needs a shape of its own in `record.rs`, and these lines stay.

use std::net::IpAddr;

use jiff::Timestamp;
use peering_core::acl::{AclChange, AclEvent, Policy, Token};
use peering_core::address::ServerAddress;
use peering_core::audit::LineHash;
use peering_core::config_entry;
use peering_core::id::{PeeringId, TokenId};
use peering_core::life::{RevokeReason, TokenLife};
use peering_core::meta::Meta;
use peering_core::name::{Datacenter, PeerName, TrustDomain};
use peering_core::peering::{Dialed, PeerDomain, Peering, Side, Stored};
use peering_core::remote::{Locality, RemoteInfo};
use peering_core::secret::SecretHash;
use peering_core::secrets::{Establishment, IssuedToken, PeeringSecrets, Pending, RedemptionClaim, SealedSecret};
use peering_core::transition::{Event, Origin, What};
use serde_json::json;
use uuid::Uuid;

use super::*;

/// What was written by the first release, one line a record.
const LINES: &str = include_str!("../../../../tests/data/store/v1/records.jsonl");

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn id() -> PeeringId {
    PeeringId::parse("5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d").unwrap()
}

fn token(number: u128) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(number))
}

fn hash(text: &str) -> SecretHash {
    SecretHash::of(text.as_bytes())
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn name() -> PeerName {
    PeerName::parse("cluster-02").unwrap()
}

fn from() -> Option<IpAddr> {
    Some("2001:db8::7".parse().unwrap())
}

/// What was added with the names of those who ask.
const ORIGIN_LINES: &str = include_str!("../../../../tests/data/store/origins/records.jsonl");
/// What was added with the audit trail.
const AUDIT_LINES: &str = include_str!("../../../../tests/data/store/audit/records.jsonl");
/// What was added with access control.
const ACL_LINES: &str = include_str!("../../../../tests/data/store/acl/records.jsonl");

/// What was added when a dialer's events came to name the token.
const USED_LINES: &str = include_str!("../../../../tests/data/store/used/records.jsonl");
/// What was added when tokens came to be listed.
const LISTED_LINES: &str = include_str!("../../../../tests/data/store/issued/records.jsonl");

type Reads = Box<dyn Fn(&[u8]) -> bool>;

/// A line for a record, and whether the kept line reads as this record.
struct Sample {
    line: String,
    reads: Reads,
}

fn sample<T: Kept + PartialEq + 'static>(key: &str, value: T) -> Sample {
    let bytes = encode(key, &value, Uuid::from_u128(7)).unwrap();
    let key = key.to_owned();
    let reads = move |bytes: &[u8]| decode::<T>(&key, bytes).is_ok_and(|read| read == value);
    Sample { line: String::from_utf8(bytes).unwrap(), reads: Box::new(reads) }
}

fn peerings() -> Vec<Sample> {
    let address = |text| ServerAddress::parse(text).unwrap();
    let acceptor = Peering {
        local_id: id(),
        name: name(),
        state: Stored::Pending,
        deleted_at: None,
        meta: Meta::default(),
        remote: RemoteInfo::default(),
        roots: Vec::new(),
        domain: PeerDomain::default(),
        side: Side::Acceptor,
    };
    let dialer = Peering {
        state: Stored::Establishing,
        meta: Meta::parse([("env".to_owned(), "production".to_owned())].into()).unwrap(),
        remote: RemoteInfo {
            partition: "p".to_owned(),
            datacenter: "dc2".to_owned(),
            locality: Some(Locality { region: "eu".to_owned(), zone: "eu-1".to_owned() }),
        },
        roots: vec!["-----BEGIN CERTIFICATE-----\n".to_owned()],
        domain: PeerDomain {
            current: Some("a.consul".to_owned()),
            previous: Some("b.consul".to_owned()),
            changed_from: Some("c.consul".to_owned()),
        },
        side: Side::Dialer(Dialed {
            remote_id: "not always a UUID".to_owned(),
            server_name: "server.dc1.peering.a.consul".to_owned(),
            manual_addresses: vec![address("203.0.113.7:8503")],
            server_addresses: vec![address("[2001:db8::1]:8503")],
            token_addresses: vec![address("host.example:8503")],
            plaintext: true,
        }),
        ..acceptor.clone()
    };
    let deleting = Peering { state: Stored::Deleting, deleted_at: Some(at(1)), ..acceptor.clone() };
    let terminated = Peering { state: Stored::Terminated, ..acceptor.clone() };
    [acceptor, dialer, deleting, terminated].map(|peering| sample("peerings/cluster-02", peering)).into()
}

fn secrets() -> Vec<Sample> {
    let claim = RedemptionClaim { hash: hash("redemption"), key_id: "0123456789abcdef".to_owned() };
    let pending = |redemption| Pending {
        secret: hash("pending"),
        token: token(1),
        spent: hash("spent"),
        redemption,
        exchanged_at: at(2),
    };
    let waiting = PeeringSecrets {
        establishment: Some(Establishment { secret: hash("establishment"), token: token(2) }),
        pending: Some(pending(Some(claim))),
        active: Some(hash("active")),
        own: None,
    };
    let sealed = json!({ "key_id": "0123456789abcdef", "nonce": "AAECAwQFBgcICQoL", "ciphertext": "AAAA" });
    let own = PeeringSecrets { own: Some(SealedSecret(sealed)), ..PeeringSecrets::default() };
    let foreign = PeeringSecrets { pending: Some(pending(None)), ..PeeringSecrets::default() };
    [waiting, own, foreign, PeeringSecrets::default()].map(|kept| sample("peering-secrets/x", kept)).into()
}

fn tokens() -> Vec<Sample> {
    let issued = |expires, end: fn(&mut TokenLife)| {
        let mut life = TokenLife::issue(token(1), at(0), expires);
        end(&mut life);
        sample("tokens/x/y", IssuedToken { peering: id(), name: None, secret: hash("establishment"), life, by: None })
    };
    // The first release did not keep when a token that was revoked had been redeemed.
    let redeemed_once = r#"{"id":"00000000-0000-0000-0000-000000000001","created":"2026-01-01T00:00:00Z","expires":null,"end":{"end":"revoked","at":"2026-01-01T00:00:02Z","reason":"peering_deleted","was_redeemed":true}}"#;
    let redeemed_once: TokenLife = serde_json::from_str(redeemed_once).unwrap();
    vec![
        issued(None, |_| {}),
        issued(Some(at(3_600)), |life| life.redeem(at(1), from())),
        issued(None, |life| life.redeem(at(1), None)),
        issued(None, |life| life.supersede(at(1), token(2))),
        issued(None, |life| life.revoke(at(1), RevokeReason::Operator)),
        sample(
            "tokens/x/y",
            IssuedToken { peering: id(), name: None, secret: hash("establishment"), life: redeemed_once, by: None },
        ),
    ]
}

/// What came with the listing of tokens: their names, and what became of them in more detail.
fn listed() -> Vec<Sample> {
    let issued = |end: fn(&mut TokenLife)| {
        let mut life = TokenLife::issue(token(1), at(0), None);
        end(&mut life);
        sample(
            "tokens/x/y",
            IssuedToken { peering: id(), name: Some(name()), secret: hash("establishment"), life, by: Some(uuid(5)) },
        )
    };
    let what = What::TokenRevoked { token: token(1), reason: RevokeReason::Restored };
    vec![
        issued(|_| {}),
        issued(|life| life.revoke(at(1), RevokeReason::Restored)),
        issued(|life| {
            life.redeem(at(1), from());
            life.revoke(at(2), RevokeReason::Operator);
        }),
        sample("outbox/x", Event { at: at(0), peering: id(), name: name(), what, origin: Origin::default() }),
    ]
}

fn events() -> Vec<Sample> {
    let (one, two) = (token(1), token(2));
    let domain = |name: &str| name.to_owned();
    [
        What::TokenGenerated { token: one, expires: None },
        What::TokenGenerated { token: one, expires: Some(at(3_600)) },
        What::TokenSuperseded { token: one, by: two },
        What::TokenRedeemed { token: one, from: from() },
        What::TokenRedeemed { token: one, from: None },
        What::TokenRevoked { token: one, reason: RevokeReason::Operator },
        What::StreamSecretPromoted { token: None },
        What::TrustDomainChanged { from: domain("a.consul"), to: domain("b.consul") },
        What::EstablishBegun { token: None },
        What::Established { token: None },
        What::TrustBundleStored { roots: 2 },
        What::ServerAddressesStored { addresses: 3 },
        What::Deleted,
        What::Removed,
        What::Terminated,
    ]
    .map(|what| sample("outbox/x", Event { at: at(0), peering: id(), name: name(), what, origin: Origin::default() }))
    .into()
}

fn others() -> Vec<Sample> {
    let trust_domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap();
    let identity = ClusterIdentity { trust_domain, datacenter: Datacenter::parse("dc1").unwrap() };
    let sealed = json!({ "key_id": "0123456789abcdef", "nonce": "AAECAwQFBgcICQoL", "ciphertext": "AAAA" });
    let sealed_key: Sealed = serde_json::from_value(sealed).unwrap();
    vec![
        sample("cluster/identity", identity),
        sample("ca/peering", StoredAuthority { root_pem: "-----BEGIN CERTIFICATE-----\n".to_owned(), sealed_key }),
        sample("peering-ids/x", name()),
        sample("token-secrets/x", TokenPointer { peering: id(), token: token(1) }),
        sample("tombstones/x", Tombstone { deleted_at: at(1) }),
        sample("cursors/log", Cursor { revision: 42 }),
    ]
}

fn config_entries() -> Vec<Sample> {
    [
        r#"{"Kind":"exported-services","Name":"default"}"#,
        r#"{"Kind":"exported-services","Name":"default","Services":[{"Name":"web","Consumers":[{"Peer":"west"},{"Partition":"p"},{}]}],"Meta":{"a":"b"}}"#,
        r#"{"Kind":"mesh"}"#,
        r#"{"Kind":"mesh","TransparentProxy":{"MeshDestinationsOnly":true},"AllowEnablingPermissiveMutualTLS":true,"ValidateClusters":true,"TLS":{"Incoming":{"TLSMinVersion":"TLSv1_2","TLSMaxVersion":"TLSv1_3","CipherSuites":["TLS_RSA_WITH_AES_128_CBC_SHA"]},"Outgoing":{}},"HTTP":{"Incoming":{"RequestNormalization":{"MergeSlashes":true,"PathWithEscapedSlashesAction":"KEEP_UNCHANGED"}}},"Peering":{"PeerThroughMeshGateways":true},"Meta":{"a":"b"}}"#,
    ]
    .map(|text| sample("config-entries/x", config_entry::decode(text.as_bytes()).unwrap()))
    .into()
}

fn acl() -> Vec<Sample> {
    let sealed = json!({ "key_id": "0123456789abcdef", "nonce": "AAECAwQFBgcICQoL", "ciphertext": "AAAA" });
    let plain = Token {
        accessor: uuid(3),
        secret: hash("secret"),
        description: String::new(),
        policies: Vec::new(),
        local: false,
        expires: None,
        created: at(0),
    };
    let full = Token {
        description: "for the pipeline".to_owned(),
        policies: vec![uuid(1), uuid(4)],
        local: true,
        expires: Some(at(3_600)),
        ..plain.clone()
    };
    let everywhere = Policy {
        id: uuid(4),
        name: "reader".to_owned(),
        description: "d".to_owned(),
        rules: "peering = \"read\"".to_owned(),
        datacenters: Vec::new(),
    };
    let here = Policy { datacenters: vec!["dc1".to_owned()], ..everywhere.clone() };
    let mut samples = vec![
        sample("acl-tokens/x", StoredAclToken { token: plain, sealed: None }),
        sample("acl-tokens/x", StoredAclToken { token: full, sealed: serde_json::from_value(sealed).unwrap() }),
        sample("acl-policies/x", everywhere),
        sample("acl-policies/x", here),
        sample("acl-secrets/x", AclPointer { id: uuid(3) }),
        sample("acl/bootstrap", AclBootstrap { accessor: uuid(3), done: true }),
    ];
    let (accessor, id, name) = (uuid(3), uuid(4), || "reader".to_owned());
    let changes = [
        (None, AclChange::ManagementTokenMade { accessor }),
        (None, AclChange::Bootstrapped { accessor }),
        (Some(uuid(5)), AclChange::TokenCreated { accessor }),
        (Some(uuid(5)), AclChange::TokenUpdated { accessor }),
        (Some(uuid(5)), AclChange::TokenDeleted { accessor }),
        (None, AclChange::TokenExpired { accessor }),
        (Some(uuid(5)), AclChange::PolicyCreated { id, name: name() }),
        (Some(uuid(5)), AclChange::PolicyUpdated { id, name: name() }),
        (Some(uuid(5)), AclChange::PolicyDeleted { id, name: name() }),
    ];
    let row = |(actor, acl)| {
        let origin = Origin { actor, ..Origin::default() };
        sample("outbox/x", OutboxRow::Acl(AclEvent { at: at(0), origin, acl }))
    };
    samples.extend(changes.map(row));
    samples
}

/// What names the token that a dialer used.
fn used() -> Vec<Sample> {
    let token = Some(token(1));
    [What::EstablishBegun { token }, What::Established { token }]
        .map(|what| {
            sample("outbox/x", Event { at: at(0), peering: id(), name: name(), what, origin: Origin::default() })
        })
        .into()
}

/// What names who asked for it.
fn origins() -> Vec<Sample> {
    let over_tcp = Origin { actor: Some(uuid(5)), source: from(), user: None };
    let over_a_socket = Origin { actor: None, source: None, user: Some(1_000) };
    let life = TokenLife::issue(token(1), at(0), None);
    let issued = IssuedToken { peering: id(), name: None, secret: hash("establishment"), life, by: Some(uuid(5)) };
    let acl = AclChange::TokenCreated { accessor: uuid(3) };
    vec![
        sample("tokens/x/y", issued),
        sample("outbox/x", Event { at: at(0), peering: id(), name: name(), what: What::Deleted, origin: over_tcp }),
        sample("outbox/x", OutboxRow::Acl(AclEvent { at: at(0), origin: over_a_socket, acl })),
    ]
}

#[test]
fn a_change_by_nobody_reads_also_where_nobody_was_spelt_out() {
    let line = r#"{"v":1,"txn":"00000000-0000-0000-0000-000000000007","data":{"at":"2026-01-01T00:00:00Z","by":null,
        "acl":{"event":"bootstrapped","accessor":"00000000-0000-0000-0000-000000000003"}}}"#;
    let row: OutboxRow = decode("outbox/x", line.as_bytes()).unwrap();
    let acl = AclChange::Bootstrapped { accessor: uuid(3) };
    assert_eq!(row, OutboxRow::Acl(AclEvent { at: at(0), origin: Origin::default(), acl }));
}

fn audit() -> Vec<Sample> {
    let head = Head { seq: 12, hash: LineHash::of(b"line") };
    let what = What::StreamSecretPromoted { token: Some(token(1)) };
    let promoted = Event { at: at(0), peering: id(), name: name(), what, origin: Origin::default() };
    vec![sample("audit/head", AuditHead { head, revision: 7 }), sample("outbox/x", promoted)]
}

#[test]
fn a_row_of_the_outbox_reads_as_the_event_that_it_was_written_as() {
    let lines = LINES.lines().filter(|line| line.contains("\"what\""));
    let mut rows = 0;
    for line in lines {
        let event: Event = decode("outbox/x", line.as_bytes()).unwrap();
        assert_eq!(decode::<OutboxRow>("outbox/x", line.as_bytes()).unwrap(), OutboxRow::Peering(event));
        rows += 1;
    }
    assert!(rows > 10, "{rows}");
}

#[test]
fn every_kept_record_reads_as_it_did_and_is_written_as_it_was() {
    let first = [peerings(), secrets(), tokens(), events(), others(), config_entries()];
    check(first.into_iter().flatten().collect(), LINES);
    check(acl(), ACL_LINES);
    check(origins(), ORIGIN_LINES);
    check(listed(), LISTED_LINES);
    check(audit(), AUDIT_LINES);
    check(used(), USED_LINES);
}

fn check(samples: Vec<Sample>, lines: &str) {
    let today: String = samples.iter().map(|sample| format!("{}\n", sample.line)).collect();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), samples.len(), "a record for each line; today's are\n{today}");
    for (sample, line) in samples.iter().zip(lines) {
        assert!((sample.reads)(line.as_bytes()), "this line is read as something else:\n{line}");
        assert_eq!(sample.line, line);
    }
}
