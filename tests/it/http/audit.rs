//! What the server tells about its audit trail.

use std::fs;

use peering_core::audit::{Entry, Line, LineHash};
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

#[tokio::test]
async fn changes_of_access_control_name_who_made_them_and_refusals_who_tried() {
    // 1. The first management token makes a policy and a token.
    let guarded = Guarded::start().await;
    let reader = guarded.token_with("readers", "peering = \"read\"").await;
    let (accessor, secret) = (reader["AccessorID"].as_str().unwrap(), reader["SecretID"].as_str().unwrap());

    // 2. That token may not write, another does not exist, and somebody has none.
    let ask = async |token: &str| {
        let headers = [("x-consul-token", token)];
        let headers = if token.is_empty() { &[][..] } else { &headers };
        let answer = guarded.cluster.http().send(reqwest::Method::DELETE, "/v1/peering/west", headers, String::new());
        assert_eq!(answer.await.status, 403);
    };
    ask(secret).await;
    ask(secret).await;
    ask("00000000-0000-4000-8000-000000000000").await;
    ask("").await;
    // Reading yourself with a wrong token is a guess as good as any.
    let headers = [("x-consul-token", "hunter2")];
    let own = guarded.cluster.http().send(reqwest::Method::GET, "/v1/acl/token/self", &headers, String::new()).await;
    assert_eq!(own.status, 403);

    // 3. The trail tells it, without a secret.
    let secret = secret.to_owned();
    let accessor: uuid::Uuid = accessor.parse().unwrap();
    let text = guarded.end().await;
    assert!(!text.contains(&secret) && !text.contains("hunter2"), "{text}");
    let entries: Vec<Entry> = text.lines().map(|line| Line::parse(line.as_bytes()).unwrap().entry).collect();
    let of = |event: &str| -> Vec<&Entry> { entries.iter().filter(|entry| entry.event == event).collect() };
    let management = of("acl_management_token_made")[0].acl_token;
    let made = of("acl_token_created").into_iter().find(|entry| entry.acl_token == Some(accessor)).unwrap();
    assert_eq!((made.actor, made.source), (management, Some([127, 0, 0, 1].into())));
    let policy = of("acl_policy_created").into_iter().find(|entry| entry.acl_policy_name.as_deref() == Some("readers"));
    assert_eq!(policy.unwrap().actor, management);
    let mut refused: Vec<_> =
        of("refused").iter().map(|entry| (entry.cause.as_deref(), entry.actor, entry.count)).collect();
    refused.sort_unstable();
    let anonymous = peering_core::acl::ANONYMOUS_ACCESSOR;
    let mut expected = vec![
        (Some("acl_token"), None, Some(2)),
        (Some("permission"), Some(anonymous), Some(1)),
        (Some("permission"), Some(accessor), Some(2)),
    ];
    expected.sort_unstable();
    assert_eq!(refused, expected, "{text}");
}
