//! What is refused before anything is looked up: bodies, names, metadata, partitions.

use peering_tests::cluster::Cluster;
use serde_json::{Map, Value, json};

const TOKEN: &str = "/v1/peering/token";
const ESTABLISH: &str = "/v1/peering/establish";

/// Posts each body to a path and checks the refusals.
async fn each_is_refused(cluster: &Cluster, path: &str, status: u16, cases: &[(&str, &str)]) {
    for (body, text) in cases {
        cluster.http().post(path, (*body).to_owned()).await.refuses(status, text);
    }
}

/// Checks that nothing that was refused left a trace.
async fn nothing_was_made(cluster: &Cluster) {
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn api_case_07_an_empty_body_is_refused() {
    let cluster = Cluster::start("dc1").await;
    for path in [TOKEN, ESTABLISH] {
        each_is_refused(
            &cluster,
            path,
            400,
            &[("", "Body decoding failed: EOF"), (" \n", "Body decoding failed: EOF")],
        )
        .await;
    }
}

#[tokio::test]
async fn api_case_08_a_body_that_is_no_json_is_refused_in_gos_words() {
    let cluster = Cluster::start("dc1").await;
    for path in [TOKEN, ESTABLISH] {
        let cases = [
            ("abc", "Body decoding failed: invalid character 'a' looking for beginning of value"),
            (r#"{"PeerName":"c5""#, "Body decoding failed: unexpected EOF"),
        ];
        each_is_refused(&cluster, path, 400, &cases).await;
    }
    for (path, shape) in [(TOKEN, "PeeringGenerateTokenRequest"), (ESTABLISH, "PeeringEstablishRequest")] {
        let decoding = "Body decoding failed: json: cannot unmarshal";
        let (array, string) = (
            format!("{decoding} array into Go value of type api.{shape}"),
            format!("{decoding} string into Go value of type api.{shape}"),
        );
        let name = format!("{decoding} number into Go struct field {shape}.PeerName of type string");
        let meta = format!("{decoding} number into Go struct field {shape}.Meta of type string");
        let cases = [
            ("[]", array.as_str()),
            ("[1]", &array),
            (r#""x""#, &string),
            (r#"{"PeerName":5}"#, &name),
            (r#"{"PeerName":"c9","Meta":{"a":1}}"#, &meta),
        ];
        each_is_refused(&cluster, path, 400, &cases).await;
    }
    nothing_was_made(&cluster).await;
}

#[tokio::test]
async fn api_case_09_a_body_without_a_name_is_refused() {
    let cluster = Cluster::start("dc1").await;
    let text = "PeerName is required in the payload when generating a new peering token.";
    for body in ["{}", "null", r#"{"PeerName":""}"#, r#"{"PeerName":null}"#] {
        cluster.http().post(TOKEN, body).await.refuses(400, text);
    }
}

#[tokio::test]
async fn api_case_11_an_unknown_key_is_refused_by_name() {
    let cluster = Cluster::start("dc1").await;
    for path in [TOKEN, ESTABLISH] {
        let cases = [
            (r#"{"peer_name":"c3"}"#, r#"Body decoding failed: json: unknown field "peer_name""#),
            (r#"{"PeerName":"c3","Datacenter":"dc1"}"#, r#"Body decoding failed: json: unknown field "Datacenter""#),
        ];
        each_is_refused(&cluster, path, 400, &cases).await;
    }
    nothing_was_made(&cluster).await;
}

#[tokio::test]
async fn what_follows_the_first_value_of_a_body_is_not_read() {
    let cluster = Cluster::start("dc1").await;
    let _ = cluster.http().post(TOKEN, r#"{"PeerName":"c6"} xyz"#).await.accepts();
    assert_eq!(cluster.state("c6").await, "PENDING");
}

#[tokio::test]
async fn api_case_12_a_name_is_at_most_63_lower_case_letters_digits_and_inner_hyphens() {
    let cluster = Cluster::start("dc1").await;
    let longest = "a".repeat(63);
    for name in ["C3", "-a", "a-", "a.b", "a_b", "é", " a", &"a".repeat(64)] {
        let text = format!(
            "{name} is not a valid peer name: a valid peering name must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
        );
        cluster.ask_token(json!({ "PeerName": name })).await.refuses(500, &text);
        cluster.establish(name, "e30=").await.refuses(500, &text);
    }
    nothing_was_made(&cluster).await;
    for name in [longest.as_str(), "a", "0", "a--b", "xn--a"] {
        cluster.generate(name).await;
    }
}

fn pairs(count: usize) -> Value {
    (0..count).map(|number| (format!("key-{number}"), json!("value"))).collect::<Map<_, _>>().into()
}

#[tokio::test]
async fn api_case_13_more_than_64_pairs_of_metadata_are_refused() {
    let cluster = Cluster::start("dc1").await;
    let text = "meta tags failed validation: Node metadata cannot contain more than 64 key/value pairs";
    cluster.ask_token(json!({ "PeerName": "c2", "Meta": pairs(65) })).await.refuses(500, text);
    nothing_was_made(&cluster).await;
    cluster.generate_with(json!({ "PeerName": "c2", "Meta": pairs(64) })).await;
}

#[tokio::test]
async fn api_case_14_each_fault_of_a_pair_of_metadata_has_its_text() {
    let cluster = Cluster::start("dc1").await;
    let (key, value) = ("k".repeat(128), "v".repeat(512));
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(513));
    for (key, value, reason) in [
        ("consul-x", "y", "Key prefix 'consul-' is reserved for internal use"),
        (&long_key, "y", "Key is too long (limit: 128 characters)"),
        ("x", &long_value, "Value is too long (limit: 512 characters)"),
        ("a b", "y", "Key contains invalid characters"),
        ("", "y", "Key cannot be blank"),
    ] {
        let text = format!("meta tags failed validation: Couldn't load metadata pair ('{key}', '{value}'): {reason}");
        cluster.ask_token(json!({ "PeerName": "c2", "Meta": { key: value } })).await.refuses(500, &text);
    }
    nothing_was_made(&cluster).await;
    cluster.generate_with(json!({ "PeerName": "c2", "Meta": { key: value, "consul_x": "" } })).await;
}

#[tokio::test]
async fn api_case_15_any_partition_but_the_default_one_in_a_body_is_refused() {
    let cluster = Cluster::start("dc1").await;
    let query = r#"Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature"#;
    let header = r#"Invalid header: "X-Consul-Partition" - Partitions are a Consul Enterprise feature"#;
    let body = r#"{"PeerName":"c2"}"#;
    for given in ["default", "foo"] {
        cluster.http().post(&format!("{TOKEN}?partition={given}"), body).await.refuses(400, query);
        let headers = [("x-consul-partition", given)];
        cluster.http().send(reqwest::Method::POST, TOKEN, &headers, body).await.refuses(400, header);
    }
    cluster
        .ask_token(json!({ "PeerName": "c2", "Partition": "foo" }))
        .await
        .refuses(500, "Partitions are a Consul Enterprise feature");
    nothing_was_made(&cluster).await;
    for given in ["default", "Default", ""] {
        cluster.generate_with(json!({ "PeerName": "c2", "Partition": given })).await;
    }
    let _ = cluster.http().post(&format!("{TOKEN}?partition=&ns=a&ap=b&dc=c"), body).await.accepts();
}

#[tokio::test]
async fn a_partition_is_refused_by_every_call_after_what_is_required() {
    let cluster = Cluster::start("dc1").await;
    let text = r#"Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature"#;
    for path in ["/v1/peerings?partition=default", "/v1/peering/c2?partition=default"] {
        cluster.http().get(path).await.refuses(400, text);
    }
    cluster.http().delete("/v1/peering/c2?partition=default").await.refuses(400, text);
    let establish = format!("{ESTABLISH}?partition=default");
    cluster.http().post(&establish, r#"{"PeerName":"c2","PeeringToken":"e30="}"#).await.refuses(400, text);
    cluster
        .http()
        .post(&establish, r#"{"PeerName":"c2"}"#)
        .await
        .refuses(400, "PeeringToken is required in the payload when establishing a peering.");
}
