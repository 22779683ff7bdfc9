//! `/v1/peering-tokens`: what is listed, what is refused, and who may see and revoke.

use std::time::Duration;

use peering_tests::cluster::{Cluster, peer_with};
use peering_tests::hand::HandDialer;
use peering_tests::token;
use serde_json::{Value, json};
use tokio::time::timeout;

const TOKENS: &str = "/v1/peering-tokens";
/// An id that no token has.
const NOBODY: &str = "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d";

fn path(token: &str) -> String {
    format!("{TOKENS}/{}", token::claim(token, "TokenID"))
}

fn index(answer: &peering_tests::http::Answer) -> u64 {
    answer.header("x-consul-index").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_list_has_every_token_in_order_with_what_became_of_it_and_no_secret() {
    let cluster = Cluster::start("dc1").await;
    let empty = cluster.http().get(TOKENS).await;
    assert_eq!((empty.accepts(), index(&empty)), (json!([]), 1));
    let superseded = cluster.generate("c2").await;
    let unused = cluster.generate_with(json!({ "PeerName": "c2", "TTL": "1h" })).await;
    let redeemed = cluster.generate("c3").await;
    HandDialer::with(&redeemed).await.exchange().await.unwrap();
    let revoked = cluster.generate("c4").await;
    let gone = cluster.http().delete(&path(&revoked)).await;
    assert_eq!((gone.status, gone.body.as_str(), gone.header("content-type")), (200, "", Some("application/json")));

    let answer = cluster.http().get(TOKENS).await;
    let listed = answer.accepts();
    let tokens = listed.as_array().unwrap();
    let of = |key: &str| -> Vec<&Value> { tokens.iter().map(|token| &token[key]).collect() };
    assert_eq!(of("PeerName"), ["c2", "c2", "c3", "c4"]);
    assert_eq!(of("State"), ["superseded", "unused", "redeemed", "revoked"]);
    assert_eq!(of("Revocable"), [false, true, true, false]);
    assert_eq!(of("CreatedBy"), ["", "", "", ""]);
    for (token, view) in [&superseded, &unused, &redeemed, &revoked].into_iter().zip(tokens) {
        assert_eq!(view["TokenID"], token::claim(token, "TokenID"));
        assert_eq!(view["PeeringID"], token::claim(token, "PeerID"));
        assert!(!answer.body.contains(&token::claim(token, "EstablishmentSecret")), "a secret is listed");
        let one = cluster.http().get(&path(token)).await;
        assert_eq!((one.accepts(), index(&one)), (view.clone(), view["ModifyIndex"].as_u64().unwrap()));
        let found = cluster.http().get(&format!("{}?peering={}", path(token), token::claim(token, "PeerID"))).await;
        assert_eq!((found.accepts(), index(&found)), (view.clone(), index(&one)), "its peering leads to it");
    }
    assert_eq!(tokens[0]["SupersededBy"], tokens[1]["TokenID"]);
    assert_eq!(tokens[1]["ExpiresAt"], token::claim(&unused, "ExpiresAt"));
    assert_eq!((&tokens[2]["RedeemedFrom"], tokens[2]["RedeemedAt"].is_string()), (&json!("127.0.0.1"), true));
    assert_eq!((&tokens[3]["RevokeReason"], tokens[3]["RevokedAt"].is_string()), (&json!("operator"), true));
    assert_eq!(index(&answer), tokens[3]["ModifyIndex"].as_u64().unwrap());

    for (query, states) in [
        ("peer=C2", &["superseded", "unused"][..]),
        ("state=redeemed,revoked", &["redeemed", "revoked"]),
        ("state=expired", &[]),
        ("peer=c2&state=unused&older-than=0s", &["unused"]),
        ("older-than=1h", &[]),
        ("peer=&state=", &["superseded", "unused", "redeemed", "revoked"]),
        (&format!("after={}", tokens[1]["CreateIndex"]), &["redeemed", "revoked"]),
    ] {
        let found = cluster.http().get(&format!("{TOKENS}?{query}")).await.accepts();
        let found: Vec<&Value> = found.as_array().unwrap().iter().map(|token| &token["State"]).collect();
        assert_eq!(found, states, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_listed_read_or_revoked_is_refused_with_its_reason() {
    let cluster = Cluster::start("dc1").await;
    for (query, text) in [
        ("state=used", "state: expected some of unused, redeemed, superseded, expired, revoked, got \"used\""),
        ("state=unused,", "state: expected some of unused, redeemed, superseded, expired, revoked, got \"\""),
        ("older-than=1y", "older-than: time: unknown unit \"y\" in duration \"1y\""),
        ("older-than=-1s", "older-than: expected a duration of 0 or more, got -1s"),
        ("after=x", "after: expected the CreateIndex of a token"),
        ("index=x", "Invalid index"),
    ] {
        cluster.http().get(&format!("{TOKENS}?{query}")).await.refuses(400, text);
    }
    let malformed = "token id: expected a UUID of 36 characters such as 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d, got 1 bytes \
                     of another form";
    let absent = format!("no token {NOBODY} was issued here, or its record was swept");
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        cluster.http().ask(method.clone(), &format!("{TOKENS}/x")).await.refuses(400, malformed);
        cluster.http().ask(method.clone(), &format!("{TOKENS}/")).await.refuses(400, "Must specify the id of a token.");
        cluster.http().ask(method.clone(), &format!("{TOKENS}/{NOBODY}")).await.refuses(404, &absent);
        let named = |peering: &str| format!("{TOKENS}/{NOBODY}?peering={peering}");
        cluster.http().ask(method.clone(), &named("x")).await.refuses(400, &malformed.replace("token id:", "peering:"));
        cluster.http().ask(method, &named(NOBODY)).await.refuses(404, &absent);
    }

    // Of another cluster; superseded; revoked; in use; of a deleted peering.
    let other = Cluster::start("dc2").await;
    let foreign = other.generate("dc3").await;
    let id = token::claim(&foreign, "TokenID");
    let text = format!("no token {id} was issued here, or its record was swept");
    cluster.http().delete(&path(&foreign)).await.refuses(404, &text);
    let superseded = cluster.generate("dc2").await;
    let used = cluster.generate("dc2").await;
    peer_with(&cluster, &other, &used).await;
    let revoked = cluster.generate("c4").await;
    assert_eq!(cluster.http().delete(&path(&revoked)).await.status, 200);
    let id = token::claim(&superseded, "TokenID");
    let text = format!("no token {id} was issued here, or its record was swept");
    let elsewhere = format!("{}?peering={}", path(&superseded), token::claim(&revoked, "PeerID"));
    cluster.http().delete(&elsewhere).await.refuses(404, &text);
    for (token, why) in [
        (&superseded, "is superseded already; there is nothing left to revoke"),
        (&used, "was redeemed and its stream secret was used or replaced; delete the peering to end it"),
        (&revoked, "is revoked already; there is nothing left to revoke"),
    ] {
        let text = format!("token {} {why}", token::claim(token, "TokenID"));
        cluster.http().delete(&path(token)).await.refuses(409, &text);
    }
    cluster.delete("dc2").await;
    let id = token::claim(&used, "TokenID");
    let text = format!("the peering that token {id} was for was deleted; there is nothing left to revoke");
    cluster.http().delete(&path(&used)).await.refuses(409, &text);
    assert_eq!(cluster.http().get(&path(&used)).await.accepts()["PeerName"], "dc2", "it is listed all the same");
}

#[tokio::test]
async fn a_read_of_tokens_waits_for_one_to_be_issued_redeemed_or_revoked() {
    let cluster = Cluster::start("dc1").await;
    let token = cluster.generate("c2").await;
    for path in [TOKENS.to_owned(), path(&token)] {
        let now = index(&cluster.http().get(&path).await);
        let (http, waiting) = (cluster.http().clone(), format!("{path}?index={now}&wait=300s"));
        let mut waiting = tokio::spawn(async move { http.get(&waiting).await });
        assert!(timeout(Duration::from_millis(300), &mut waiting).await.is_err(), "it was answered");
        match path.as_str() {
            TOKENS => drop(HandDialer::with(&token).await.exchange().await.unwrap()),
            _ => assert_eq!(cluster.http().delete(&path).await.status, 200),
        }
        let answer = timeout(Duration::from_secs(5), waiting).await.expect("nobody woke it").unwrap();
        assert!(index(&answer) > now);
    }
    let now = index(&cluster.http().get(TOKENS).await);
    let quiet = cluster.http().get(&format!("{TOKENS}?index={now}&wait=10ms")).await;
    assert_eq!((quiet.status, index(&quiet)), (200, now));
}
