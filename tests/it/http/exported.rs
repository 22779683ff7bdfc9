//! What is exported: listed by service and by peer, and told on running streams, both ways.

use peering_tests::cluster::{Cluster, peer};
use serde_json::json;

#[tokio::test]
async fn exports_are_listed_by_service_and_by_peer() {
    let cluster = Cluster::start("dc1").await;
    let http = cluster.http();
    let answer = http.get("/v1/exported-services").await;
    assert_eq!((answer.accepts(), answer.header("x-consul-index")), (json!([]), Some("1")));
    cluster.export(&[("web", &["b", "a"]), ("api", &["b"]), ("*", &["b"]), ("consul", &["b"])]).await;
    let entry = json!({ "Kind": "exported-services", "Name": "default" });
    let answer = http.get("/v1/exported-services").await;
    assert_eq!(
        answer.body,
        r#"[{"Service":"api","Consumers":{"Peers":["b"]}},{"Service":"web","Consumers":{"Peers":["a","b"]}}]"#
    );
    let index = http.get("/v1/config/exported-services/default").await.accepts()["ModifyIndex"].to_string();
    assert_eq!(answer.header("x-consul-index"), Some(index.as_str()));

    let to_a = http.get("/v1/internal/ui/exported-services?peer=a").await;
    assert_eq!(
        to_a.body,
        r#"[{"Name":"web","Datacenter":"dc1","Tags":null,"Nodes":null,"ExternalSources":null,"InstanceCount":0,"ChecksPassing":0,"ChecksWarning":0,"ChecksCritical":0,"GatewayConfig":{},"TransparentProxy":false,"ConnectNative":false,"ConnectedWithProxy":false,"ConnectedWithGateway":false}]"#
    );
    assert_eq!(http.get("/v1/internal/ui/exported-services?peer=c").await.accepts(), json!([]));
    for path in ["/v1/internal/ui/exported-services", "/v1/internal/ui/exported-services?peer="] {
        http.get(path).await.refuses(500, "must provide PeerName");
    }
    assert_eq!(http.put("/v1/config", entry.to_string()).await.accepts(), json!(true));
    assert_eq!(http.get("/v1/exported-services").await.accepts(), json!([]));
}

/// Waits until a peering tells these services on this side.
async fn tells(cluster: &Cluster, peering: &str, key: &str, services: serde_json::Value) {
    let what = format!("{key} {services}");
    cluster.eventually_reads(peering, &what, |read| read["StreamStatus"][key] == services).await;
}

#[tokio::test]
async fn what_is_exported_is_told_to_the_peer_at_once_and_whenever_it_changes() {
    let (mut acceptor, dialer) = tokio::join!(Cluster::start_durable("dc1"), Cluster::start("dc2"));

    // 1. What was exported before there is a stream is told when it opens; to this peer alone.
    acceptor.export(&[("web", &["dc2"]), ("secret", &["elsewhere"]), ("*", &["dc2"])]).await;
    peer(&acceptor, &dialer).await;
    tells(&acceptor, "dc2", "ExportedServices", json!(["web"])).await;
    tells(&dialer, "dc1", "ImportedServices", json!(["web"])).await;
    assert_eq!(acceptor.read("dc2").await["StreamStatus"]["ImportedServices"], json!(null));

    // 2. A change is told while the stream runs, by the dialer too.
    acceptor.export(&[("web", &["dc2"]), ("api", &["dc2"])]).await;
    dialer.export(&[("db", &["dc1"])]).await;
    tells(&dialer, "dc1", "ImportedServices", json!(["api", "web"])).await;
    tells(&acceptor, "dc2", "ImportedServices", json!(["db"])).await;
    tells(&dialer, "dc1", "ExportedServices", json!(["db"])).await;
    tells(&acceptor, "dc2", "ExportedServices", json!(["api", "web"])).await;

    // 3. A new stream starts with what is exported by then.
    acceptor.restart().await;
    tells(&dialer, "dc1", "ImportedServices", json!(["api", "web"])).await;
    tells(&acceptor, "dc2", "ImportedServices", json!(["db"])).await;

    // 4. What is exported no more is taken back.
    let deleted = acceptor.http().delete("/v1/config/exported-services/default").await;
    assert_eq!(deleted.accepts(), json!({}));
    tells(&dialer, "dc1", "ImportedServices", json!(null)).await;
    tells(&acceptor, "dc2", "ExportedServices", json!(null)).await;
    assert_eq!((acceptor.state("dc2").await, dialer.state("dc1").await), ("ACTIVE".into(), "ACTIVE".into()));

    // 5. Misuse: an entry that is refused changes nothing.
    dialer
        .http()
        .put("/v1/config", r#"{"Kind":"exported-services","Name":"default","Services":[{}]}"#)
        .await
        .refuses(500, "Services[0]: service name cannot be empty");
    tells(&acceptor, "dc2", "ImportedServices", json!(["db"])).await;
}

#[tokio::test]
async fn ten_thousand_services_are_exported_in_one_list() {
    let (acceptor, dialer) = tokio::join!(Cluster::start("dc1"), Cluster::start("dc2"));
    peer(&acceptor, &dialer).await;
    let names: Vec<String> = (0..10_000).map(|number| format!("service-{number:05}")).collect();
    let services: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["dc2"][..])).collect();
    acceptor.export(&services).await;
    tells(&dialer, "dc1", "ImportedServices", json!(names)).await;
    assert_eq!(dialer.state("dc1").await, "ACTIVE");
}
