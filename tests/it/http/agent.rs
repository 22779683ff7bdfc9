//! What the server says of itself and of its root.

use peering_core::trust::CaCertificate;
use peering_tests::cluster::Cluster;
use serde_json::json;

#[tokio::test]
async fn the_agent_is_one_that_consuls_clients_know() {
    let cluster = Cluster::start("dc1").await;
    let this = cluster.http().get("/v1/agent/self").await.accepts();
    let keys: Vec<&str> = this.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["Config", "Coord", "DebugConfig", "Member", "Meta", "Stats", "xDS"]);
    // Go's client reads every one into a map.
    assert!(this.as_object().unwrap().values().all(serde_json::Value::is_object));
    let config = &this["Config"];
    assert_eq!((&config["Datacenter"], &config["PrimaryDatacenter"]), (&json!("dc1"), &json!("dc1")));
    assert_eq!((&config["NodeName"], &config["Server"]), (&json!("peering"), &json!(true)));
    assert_eq!((&config["Version"], &config["Revision"]), (&json!("1.21.0"), &json!("")));
    assert_eq!(config["BuildDate"], "1970-01-01T00:00:01Z");
    assert_eq!(config["NodeID"].as_str().unwrap().len(), 36);
    assert_eq!(this["DebugConfig"]["PeeringEnabled"], true);
    assert_eq!(this["Meta"]["peering-version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_root_is_the_one_that_tokens_carry() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().get("/v1/connect/ca/roots").await;
    let roots = answer.accepts();
    assert_eq!(cluster.http().get("/v1/agent/connect/ca/roots").await.accepts(), roots);
    let [root] = roots["Roots"].as_array().unwrap().as_slice() else { panic!("{roots:#}") };
    assert_eq!(answer.header("x-consul-index"), Some(root["ModifyIndex"].to_string().as_str()));
    assert_eq!(roots["ActiveRootID"], root["ID"]);
    assert_eq!(root["ID"].as_str().unwrap().len(), 59, "20 bytes in pairs");
    let domain = roots["TrustDomain"].as_str().unwrap();
    assert_eq!(format!("{}.consul", root["ExternalTrustDomain"].as_str().unwrap()), domain);
    assert!(root["SigningKeyID"].as_str().unwrap().contains(':'));
    assert!(root["SerialNumber"].is_u64());
    assert_eq!((&root["Active"], &root["IntermediateCerts"]), (&json!(true), &json!(null)));
    assert_eq!((&root["PrivateKeyType"], &root["PrivateKeyBits"]), (&json!("ec"), &json!(256)));
    let pem = root["RootCert"].as_str().unwrap();
    let parsed = CaCertificate::parse(pem).unwrap();
    parsed.usable_at(root["NotAfter"].as_str().unwrap().parse().unwrap()).unwrap();
    parsed.usable_at(root["NotBefore"].as_str().unwrap().parse().unwrap()).unwrap();
    let token = peering_tests::token::claims(&cluster.generate("west").await);
    assert_eq!(token["CA"], json!([pem]));

    let plain = cluster.http().get("/v1/connect/ca/roots?pem=1").await;
    assert_eq!((plain.status, plain.body.as_str()), (200, pem));
    assert_eq!(plain.header("content-type"), Some("application/pem-certificate-chain"));
}
