//! What the server tells about its audit trail.

use std::fs;

use peering_core::audit::{Line, LineHash};
use peering_tests::cluster::{Cluster, STATE_WITHIN};
use peering_tests::eventually::eventually;
use peering_tests::site::private_directory;

use super::acl::Guarded;

#[tokio::test]
async fn the_head_is_the_last_line_that_was_written() {
    let directory = private_directory();
    let log = directory.path().join("audit.log");
    let cluster = Cluster::start_changed("dc1", |config| config.audit.file = Some(log.clone())).await;
    cluster.generate("west").await;
    eventually(STATE_WITHIN, async || {
        let text = fs::read_to_string(&log).unwrap();
        let last = text.lines().last().unwrap_or_default().to_owned();
        let head = cluster.http().get("/v1/peering-audit/head").await.accepts();
        let is_there = last.contains("\"event\":\"token_generated\"")
            && head["Seq"] == Line::parse(last.as_bytes()).unwrap().seq
            && head["Hash"] == LineHash::of(last.as_bytes()).to_string();
        if is_there { Ok(()) } else { Err(format!("{head}\n{text}")) }
    })
    .await;
    let keys = cluster.http().get("/v1/peering-audit/key").await.accepts();
    assert_eq!((keys[0]["Current"].clone(), keys.as_array().unwrap().len()), (true.into(), 1), "{keys}");
    assert!(keys[0]["PublicKey"].as_str().unwrap().starts_with("MCowBQYDK2VwAyEA"), "{keys}");
}

#[tokio::test]
async fn without_a_trail_there_is_no_head() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().get("/v1/peering-audit/head").await;
    answer.refuses(404, "there is no audit trail; start the server with -audit-log");
}

#[tokio::test]
async fn only_operators_are_told() {
    let guarded = Guarded::start().await;
    let token = guarded.token_with("peers", "peering = \"write\"").await;
    let secret = token["SecretID"].as_str().unwrap();
    for path in ["/v1/peering-audit/key", "/v1/peering-audit/head"] {
        for headers in [vec![], vec![("x-consul-token", secret)]] {
            let answer = guarded.cluster.http().send(reqwest::Method::GET, path, &headers, String::new()).await;
            assert_eq!(answer.status, 403, "{}", answer.body);
            assert!(answer.body.contains("lacks permission 'operator:read'"), "{}", answer.body);
        }
    }
}
