//! `GET /v1/peering/:name` and `GET /v1/peerings`.

use peering_tests::cluster::Cluster;
use peering_tests::http::Answer;
use peering_tests::token;
use serde_json::json;

/// Checks the headers that both reads have, and no others.
#[track_caller]
fn has_the_headers_of_a_read(answer: &Answer, index: u64) {
    assert_eq!(
        answer.header_names(),
        [
            "content-length",
            "content-type",
            "date",
            "vary",
            "x-consul-default-acl-policy",
            "x-consul-index",
            "x-consul-knownleader",
            "x-consul-lastcontact",
            "x-consul-query-backend",
        ]
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    assert_eq!(answer.header("x-consul-default-acl-policy"), Some("allow"));
    assert_eq!(answer.header("x-consul-index"), Some(index.to_string().as_str()));
    assert_eq!(answer.header("x-consul-knownleader"), Some("true"));
    assert_eq!(answer.header("x-consul-lastcontact"), Some("0"));
    assert_eq!(answer.header("x-consul-query-backend"), Some("blocking-query"));
}

#[tokio::test]
async fn api_case_02_a_new_peering_reads_pending_with_the_id_of_its_token() {
    let cluster = Cluster::start("dc1").await;
    let token = cluster.generate_with(json!({ "PeerName": "c2", "Meta": { "env": "test" } })).await;
    let answer = cluster.http().get("/v1/peering/c2").await;
    assert_eq!(answer.status, 200);
    let (id, index) = (token::claim(&token, "PeerID"), answer.json()["ModifyIndex"].as_u64().unwrap());
    assert_eq!(
        answer.body,
        format!(
            r#"{{"ID":"{id}","Name":"c2","Meta":{{"env":"test"}},"State":"PENDING","StreamStatus":{{"ImportedServices":null,"ExportedServices":null,"LastHeartbeat":null,"LastReceive":null,"LastSend":null}},"CreateIndex":{index},"ModifyIndex":{index},"Remote":{{"Partition":"","Datacenter":""}}}}"#
        )
    );
    assert!(index > 0);
    has_the_headers_of_a_read(&answer, index);
}

#[tokio::test]
async fn api_case_19_a_peering_that_is_not_there_is_not_found_under_the_name_as_given() {
    let cluster = Cluster::start("dc1").await;
    for (path, quoted) in [
        ("nope", r#""nope""#),
        ("Nope", r#""Nope""#),
        ("a%2Fb", r#""a/b""#),
        ("a/b", r#""a/b""#),
        ("a%22%5C%20b", r#""a\"\\ b""#),
        ("%C3%A9%2E", r#""é.""#),
    ] {
        let answer = cluster.http().get(&format!("/v1/peering/{path}")).await;
        answer.refuses(404, &format!("Peering not found for {quoted}"));
        assert_eq!(
            answer.header_names(),
            ["content-length", "content-type", "date", "vary", "x-consul-default-acl-policy"]
        );
    }
}

#[tokio::test]
async fn the_name_in_a_not_found_answer_is_cut() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().get(&format!("/v1/peering/{}", "a".repeat(4096))).await;
    answer.refuses(404, &format!("Peering not found for {:?}", "a".repeat(1024)));
}

#[tokio::test]
async fn api_case_20_without_peerings_the_list_is_empty_and_not_null() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().get("/v1/peerings").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]"));
    has_the_headers_of_a_read(&answer, 1);
}

#[tokio::test]
async fn api_case_21_a_pretty_answer_is_indented_by_four_spaces_and_ends_in_a_newline() {
    let cluster = Cluster::start("dc1").await;
    assert_eq!(cluster.http().get("/v1/peerings?pretty").await.body, "[]\n");
    cluster.generate("c2").await;
    let compact = cluster.http().get("/v1/peerings").await;
    assert!(!compact.body.contains(['\n', ' ']));
    for query in ["pretty", "pretty=", "pretty=false"] {
        let answer = cluster.http().get(&format!("/v1/peerings?{query}")).await;
        assert!(answer.body.starts_with("[\n    {\n        \"ID\": \""), "{}", answer.body);
        assert!(answer.body.ends_with("\n    }\n]\n"), "{}", answer.body);
        assert_eq!(answer.accepts(), compact.json());
    }
}

#[tokio::test]
async fn in_development_mode_every_answer_is_indented_and_only_a_pretty_one_ends_in_a_newline() {
    let cluster = Cluster::start_dev("dc1").await;
    cluster.generate("c2").await;
    let plain = cluster.http().get("/v1/peering/c2").await;
    assert!(plain.body.starts_with("{\n    \"ID\": \"") && plain.body.ends_with("\n    }\n}"), "{}", plain.body);
    assert_eq!(cluster.http().get("/v1/peering/c2?pretty").await.body, plain.body + "\n");
}

#[tokio::test]
async fn api_case_22_the_list_is_sorted_by_name() {
    let cluster = Cluster::start("dc1").await;
    for name in ["b", "a", "a-b", "ab", "0"] {
        cluster.generate(name).await;
    }
    let answer = cluster.http().get("/v1/peerings").await;
    let listed = answer.accepts();
    let listed = listed.as_array().unwrap();
    let names: Vec<&str> = listed.iter().map(|peering| peering["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["0", "a", "a-b", "ab", "b"]);
    let newest = listed.iter().map(|peering| peering["ModifyIndex"].as_u64().unwrap()).max().unwrap();
    has_the_headers_of_a_read(&answer, newest);
    for peering in listed {
        assert_eq!(*peering, cluster.read(peering["Name"].as_str().unwrap()).await);
    }
}

#[tokio::test]
async fn api_case_23_a_peering_is_found_by_its_name_in_any_case() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("c2").await;
    let answer = cluster.http().get("/v1/peering/C2").await;
    assert_eq!(answer.accepts(), cluster.read("c2").await);
    assert_eq!(answer.json()["Name"], "c2");
}
