//! Config entries: written, read and deleted as by Consul's clients, and refused in Consul's words.

use peering_tests::cluster::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

const ENTRY: &str = "/v1/config/exported-services/default";

fn exporting(name: &str) -> String {
    let services = json!([{ "Name": name, "Consumers": [{ "Peer": "west" }] }]);
    json!({ "Kind": "exported-services", "Name": "default", "Services": services }).to_string()
}

/// Checks the answer for an entry that is not there: an error, and an index to wait from.
async fn is_absent(cluster: &Cluster, kind: &str, name: &str) {
    let answer = cluster.http().get(&format!("/v1/config/{kind}/{name}")).await;
    let text = format!("Config entry not found for {kind:?} / {name:?}");
    assert_eq!((answer.status, answer.body), (404, text));
    assert!(answer.headers.contains_key("x-consul-index"));
}

#[tokio::test]
async fn an_entry_is_written_read_listed_and_deleted() {
    let cluster = Cluster::start("dc1").await;
    let http = cluster.http();
    is_absent(&cluster, "exported-services", "default").await;
    assert_eq!(http.get("/v1/config/exported-services").await.accepts(), json!([]));

    assert_eq!(http.put("/v1/config", exporting("web")).await.accepts(), json!(true));
    let answer = http.get(ENTRY).await;
    let entry = answer.accepts();
    let index = entry["ModifyIndex"].as_u64().unwrap();
    assert_eq!(answer.header("x-consul-index"), Some(index.to_string().as_str()));
    assert_eq!(
        answer.body,
        format!(
            r#"{{"Kind":"exported-services","Name":"default","Services":[{{"Name":"web","Consumers":[{{"Peer":"west"}}]}}],"Hash":{},"CreateIndex":{index},"ModifyIndex":{index}}}"#,
            entry["Hash"]
        )
    );
    assert_eq!(http.put("/v1/config", r#"{"kind":"mesh","meta":{"a":"b"}}"#).await.accepts(), json!(true));
    let mesh = http.get("/v1/config/mesh/mesh").await.accepts();
    assert_eq!((&mesh["TransparentProxy"], &mesh["Meta"]), (&json!({"MeshDestinationsOnly":false}), &json!({"a":"b"})));
    assert_eq!(http.get("/v1/config/mesh").await.accepts(), json!([mesh]));
    assert_eq!(http.get("/v1/config/").await.accepts(), json!([entry, mesh]));

    // Deleting answers the same whether or not there was one.
    for _ in 0..2 {
        assert_eq!(http.delete(ENTRY).await.accepts(), json!({}));
    }
    is_absent(&cluster, "exported-services", "default").await;
    assert_eq!(http.get("/v1/config/").await.accepts(), json!([mesh]));
}

#[tokio::test]
async fn an_equal_entry_is_not_written_again_and_another_keeps_its_first_index() {
    let cluster = Cluster::start("dc1").await;
    let mut seen: Vec<Value> = Vec::new();
    for name in ["web", "web", "api"] {
        assert_eq!(cluster.http().put("/v1/config", exporting(name)).await.accepts(), json!(true));
        seen.push(cluster.http().get(ENTRY).await.accepts());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[1]["CreateIndex"], seen[2]["CreateIndex"]);
    assert!(seen[2]["ModifyIndex"].as_u64() > seen[1]["ModifyIndex"].as_u64());
    assert_ne!(seen[2]["Hash"], seen[1]["Hash"]);
}

#[tokio::test]
async fn a_condition_on_the_index_holds_or_nothing_happens() {
    let cluster = Cluster::start("dc1").await;
    let http = cluster.http();
    let put = async |cas: &str, name: &str| http.put(&format!("/v1/config?cas={cas}"), exporting(name)).await.accepts();
    let index = async || http.get(ENTRY).await.accepts()["ModifyIndex"].to_string();
    assert_eq!(put("5", "a").await, json!(false));
    is_absent(&cluster, "exported-services", "default").await;
    assert_eq!(put("0", "a").await, json!(true));
    assert_eq!(put("0", "b").await, json!(false));
    assert_eq!(put("1000000", "a").await, json!(true), "an equal entry is there already");
    assert_eq!(put(&index().await, "b").await, json!(true));
    assert_eq!(put("", "c").await, json!(true), "an empty condition is none");

    let delete = async |cas: &str| http.delete(&format!("{ENTRY}?cas={cas}")).await.accepts();
    assert_eq!(delete("0").await, json!(false));
    assert_eq!(delete(&index().await).await, json!(true));
    assert_eq!(delete("7").await, json!(true), "it is gone already");
    assert_eq!(http.delete("/v1/config/exported-services/nope?cas=3").await.accepts(), json!(true));

    for (given, reason) in [
        ("x", "invalid syntax"),
        ("-1", "invalid syntax"),
        ("%2B1", "invalid syntax"),
        ("99999999999999999999", "value out of range"),
    ] {
        let shown = given.replace("%2B", "+");
        let text = format!("strconv.ParseUint: parsing \"{shown}\": {reason}");
        http.put(&format!("/v1/config?cas={given}"), exporting("a")).await.refuses(500, &text);
        http.delete(&format!("{ENTRY}?cas={given}")).await.refuses(500, &text);
    }
}

#[tokio::test]
async fn a_body_that_is_no_entry_is_answered_400_and_an_entry_that_is_not_acceptable_500() {
    let cluster = Cluster::start("dc1").await;
    for (body, text) in [
        ("", "Request decoding failed: EOF"),
        ("[]", "Request decoding failed: '' expected a map, got 'slice'"),
        ("{}", "Request decoding failed: Payload does not contain a kind/Kind key at the top level"),
        (r#"{"Kind":"nope"}"#, "Request decoding failed: invalid config entry kind: nope"),
        (
            r#"{"Kind":"service-defaults","Name":"web"}"#,
            "Request decoding failed: invalid config entry kind: service-defaults",
        ),
        (
            r#"{"Kind":"mesh","Name":"mesh"}"#,
            "Request decoding failed: 1 error occurred:\n\t* invalid config key \"Name\"\n\n",
        ),
    ] {
        cluster.http().put("/v1/config", body).await.refuses(400, text);
    }
    for (body, text) in [
        (r#"{"Kind":"exported-services","Name":"x"}"#, r#"exported-services Name must be "default""#),
        (
            r#"{"Kind":"exported-services","Name":"default","Services":[{}]}"#,
            "Services[0]: service name cannot be empty",
        ),
        (
            r#"{"Kind":"exported-services","Name":"default","Services":[{"Name":"web","Consumers":[{"Peer":"*"}]}]}"#,
            "Services[0].Consumers[0]: exporting to all peers (wildcard) is not supported",
        ),
    ] {
        cluster.http().put("/v1/config", body).await.refuses(500, text);
    }
    assert_eq!(cluster.http().get("/v1/config/").await.accepts(), json!([]));
}

#[tokio::test]
async fn an_entry_that_is_longer_than_a_record_is_refused_and_a_long_one_is_kept() {
    let cluster = Cluster::start("dc1").await;
    let with = |consumers: &str| {
        format!(
            r#"{{"Kind":"exported-services","Name":"default","Services":[{{"Name":"web","Consumers":[{consumers}]}}]}}"#
        )
    };
    // A number of five digits stands for a name of three hundred.
    let refused = cluster.http().put("/v1/config", with(&vec![r#"{"Peer":1e300}"#; 5_000].join(","))).await;
    assert_eq!(refused.status, 500);
    assert!(refused.body.starts_with("the entry would have 1"), "{}", refused.body);
    let many = with(&vec![r#"{"Peer":"west"}"#; 10_000].join(","));
    assert_eq!(cluster.http().put("/v1/config", many).await.accepts(), json!(true));
}

#[tokio::test]
async fn kinds_that_only_consul_has_are_empty_and_others_are_none() {
    let cluster = Cluster::start("dc1").await;
    let http = cluster.http();
    assert_eq!(http.get("/v1/config/service-defaults").await.accepts(), json!([]));
    is_absent(&cluster, "service-defaults", "web").await;
    is_absent(&cluster, "mesh", "").await;
    is_absent(&cluster, "mesh", "a/b").await;
    for path in ["/v1/config/nope", "/v1/config/nope/x", "/v1/config/nope/"] {
        http.get(path).await.refuses(500, "invalid config entry kind: nope");
    }
    http.delete("/v1/config/nope/x").await.refuses(400, "invalid config entry kind: nope");
    for path in ["/v1/config/", "/v1/config/mesh"] {
        http.delete(path).await.refuses(404, "Must provide both a kind and name to delete");
    }
    assert_eq!(http.delete("/v1/config/mesh/").await.accepts(), json!({}));
}

#[tokio::test]
async fn partitions_namespaces_and_other_datacenters_are_refused() {
    let cluster = Cluster::start("dc1").await;
    let http = cluster.http();
    for (what, text) in [
        ("partition", "Invalid query parameter: \"partition\" - Partitions are a Consul Enterprise feature"),
        ("ns", "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature"),
    ] {
        for method in [Method::GET, Method::DELETE] {
            http.ask(method, &format!("{ENTRY}?{what}=x")).await.refuses(400, text);
        }
        http.put(&format!("/v1/config?{what}=x"), exporting("web")).await.refuses(400, text);
    }
    http.get("/v1/config/mesh?dc=dc2").await.refuses(500, "No path to datacenter");
    let text = "exported-services writes must not target secondary datacenters.";
    http.put("/v1/config?dc=dc2", exporting("web")).await.refuses(500, text);
    assert_eq!(http.put("/v1/config?dc=dc1", exporting("web")).await.accepts(), json!(true));
}

#[tokio::test]
async fn an_entry_outlives_a_restart() {
    let mut cluster = Cluster::start_durable("dc1").await;
    assert_eq!(cluster.http().put("/v1/config", exporting("web")).await.accepts(), json!(true));
    let before = cluster.http().get(ENTRY).await.accepts();
    cluster.restart().await;
    assert_eq!(cluster.http().get(ENTRY).await.accepts(), before);
}

#[tokio::test]
async fn no_token_is_issued_that_would_lead_to_gateways_that_are_not_there() {
    let cluster = Cluster::start("dc1").await;
    let mesh = |through: bool| json!({ "Kind": "mesh", "Peering": { "PeerThroughMeshGateways": through } }).to_string();
    assert_eq!(cluster.http().put("/v1/config", mesh(true)).await.accepts(), json!(true));
    cluster.ask_token(json!({ "PeerName": "west" })).await.refuses(
        500,
        "servers are configured to PeerThroughMeshGateways, but no mesh gateway instances are registered",
    );
    assert_eq!(cluster.http().get("/v1/peerings").await.accepts(), json!([]), "nothing was made");
    assert_eq!(cluster.http().put("/v1/config", mesh(false)).await.accepts(), json!(true));
    cluster.generate("west").await;
}
