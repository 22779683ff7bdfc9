//! `POST /v1/peering/token`: what is in a token, and what generating again changes.

use peering_server::config::Advertise;
use peering_tests::cluster::Cluster;
use peering_tests::token;
use serde_json::json;
use uuid::Uuid;

const TOKEN: &str = "/v1/peering/token";

#[tokio::test]
async fn api_case_01_a_token_holds_consuls_seven_keys_in_order_and_then_ours() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().post(TOKEN, r#"{"PeerName":"c2"}"#).await;
    let body = answer.accepts();
    let token = body["PeeringToken"].as_str().unwrap();
    assert_eq!(answer.body, format!(r#"{{"PeeringToken":"{token}"}}"#));
    assert_eq!(
        answer.header_names(),
        ["content-length", "content-type", "date", "vary", "x-consul-default-acl-policy", "x-peering-warning"]
    );
    let claims = token::claims(token);
    let text = |key: &str| claims[key].as_str().unwrap();
    let (name, id, secret, token_id) =
        (text("ServerName"), text("PeerID"), text("EstablishmentSecret"), text("TokenID"));
    let (ca, address) = (&claims["CA"], cluster.peer_address());
    let consuls = format!(
        r#""CA":{ca},"ManualServerAddresses":null,"ServerAddresses":["{address}"],"ServerName":"{name}","PeerID":"{id}","EstablishmentSecret":"{secret}","Remote":{{"Partition":"","Datacenter":"dc1","Locality":null}}"#
    );
    let ours = format!(r#""PeerName":"c2","TokenID":"{token_id}""#);
    assert_eq!(token::text(token), format!("{{{consuls},{ours}}}"));

    for uuid in [id, secret, token_id] {
        assert_eq!(Uuid::parse_str(uuid).unwrap().to_string(), uuid, "lower case, in five groups");
    }
    let cluster_id = name.strip_prefix("server.dc1.peering.").and_then(|rest| rest.strip_suffix(".consul")).unwrap();
    assert_eq!(Uuid::parse_str(cluster_id).unwrap().to_string(), cluster_id);
    let roots: Vec<&str> = ca.as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
    assert_eq!(roots.len(), 1);
    assert!(roots[0].starts_with("-----BEGIN CERTIFICATE-----\n") && roots[0].ends_with("-----END CERTIFICATE-----\n"));
}

#[tokio::test]
async fn our_keys_carry_metadata_and_the_end_of_a_token_when_there_are_any() {
    let cluster = Cluster::start("dc1").await;
    let request = json!({ "PeerName": "c2", "Meta": { "b": "2", "a": "<1>" }, "TTL": "90m" });
    let text = token::text(&cluster.generate_with(request).await);
    assert!(text.contains(r#""Meta":{"a":"\u003c1\u003e","b":"2"},"ExpiresAt":""#), "{text}");
}

#[tokio::test]
async fn api_case_03_generating_again_keeps_the_peering_and_draws_another_secret() {
    let cluster = Cluster::start("dc1").await;
    let first = cluster.generate("c2").await;
    let mut before = cluster.read("c2").await;
    let second = cluster.generate("c2").await;
    let mut after = cluster.read("c2").await;
    assert_eq!(token::claim(&first, "PeerID"), token::claim(&second, "PeerID"));
    assert_ne!(token::claim(&first, "EstablishmentSecret"), token::claim(&second, "EstablishmentSecret"));
    assert_ne!(token::claim(&first, "TokenID"), token::claim(&second, "TokenID"));
    assert!(after["ModifyIndex"].as_u64() > before["ModifyIndex"].as_u64());
    assert_eq!(before["ModifyIndex"], before["CreateIndex"]);
    for peering in [&mut before, &mut after] {
        peering.as_object_mut().unwrap().remove("ModifyIndex");
    }
    assert_eq!(before, after);
}

#[tokio::test]
async fn api_case_04_metadata_given_when_generating_again_is_not_stored() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate_with(json!({ "PeerName": "bare" })).await;
    cluster.generate_with(json!({ "PeerName": "bare", "Meta": { "a": "b" } })).await;
    assert_eq!(cluster.read("bare").await.get("Meta"), None);

    cluster.generate_with(json!({ "PeerName": "tagged", "Meta": { "a": "b" } })).await;
    cluster.generate_with(json!({ "PeerName": "tagged", "Meta": { "c": "d" } })).await;
    assert_eq!(cluster.read("tagged").await["Meta"], json!({ "a": "b" }));
}

#[tokio::test]
async fn api_case_05_an_external_address_appears_in_the_token_as_it_was_given() {
    let cluster = Cluster::start("dc1").await;
    let token = cluster.generate_with(json!({ "PeerName": "c2", "ServerExternalAddresses": ["32.1.2.3", ""] })).await;
    let claims = token::claims(&token);
    assert_eq!(claims["ManualServerAddresses"], json!(["32.1.2.3", ""]));
    assert_eq!(claims["ServerAddresses"], json!([cluster.peer_address().to_string()]));
    // They belong to this token; the next one has none, unless they are given again.
    assert_eq!(token::claims(&cluster.generate("c2").await)["ManualServerAddresses"], json!(null));
}

#[tokio::test]
async fn api_case_10_keys_of_a_request_may_be_in_any_case() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().post(TOKEN, r#"{"peername":"c3","META":{"a":"b"}}"#).await;
    let answer = answer.accepts();
    let token = answer["PeeringToken"].as_str().unwrap();
    assert_eq!(token::claim(token, "PeerName"), "c3");
    assert_eq!(cluster.read("c3").await["Meta"], json!({ "a": "b" }));
}

#[tokio::test]
async fn addresses_that_not_everyone_can_reach_are_named_in_a_header_each() {
    let cluster = Cluster::start("dc1").await;
    let only_here = |address: &str| {
        format!(
            "address {address:?} can be reached from this machine only; set -advertise or -server-external-addresses"
        )
    };
    let own = cluster.ask_token(json!({ "PeerName": "c2" })).await;
    assert_eq!(own.headers("x-peering-warning"), [only_here(&cluster.peer_address().to_string())]);

    let given = json!({ "PeerName": "c2", "ServerExternalAddresses": ["lb.example.net:8503"] });
    assert_eq!(cluster.ask_token(given.clone()).await.headers("x-peering-warning"), [""; 0]);

    // On every address of the machine, the one in the token is a guess, unless somebody says better.
    let everywhere = |advertise| {
        Cluster::start_changed("dc1", move |config| {
            (config.peer_addr, config.advertise) = ("0.0.0.0:0".parse().unwrap(), advertise);
        })
    };
    let guessing = everywhere(Advertise::Discover).await;
    let answer = guessing.ask_token(json!({ "PeerName": "c2" })).await;
    let guess = "nobody said where peers reach this server, so the token names this machine's own address, \"";
    let first = answer.headers("x-peering-warning")[0];
    assert!(first.starts_with(guess) && first.ends_with("; set -advertise"), "{first}");
    assert_eq!(guessing.ask_token(given).await.headers("x-peering-warning"), [""; 0]);
    let told = everywhere(Advertise::Given(vec![("peer.example.net".to_owned(), None)])).await;
    assert_eq!(told.ask_token(json!({ "PeerName": "c2" })).await.headers("x-peering-warning"), [""; 0]);

    let given =
        json!({ "PeerName": "c2", "ServerExternalAddresses": ["32.1.2.3", "203.0.113.1:1", "[::1]:1", "a\nb"] });
    let answer = cluster.ask_token(given).await;
    let refused =
        |quoted: &str| format!("address {quoted} has no port, the peer will refuse this token; write host:port");
    assert_eq!(
        answer.headers("x-peering-warning"),
        [refused(r#""32.1.2.3""#), only_here("[::1]:1"), refused(r#""a\nb""#)]
    );
}
