//! `POST /v1/peering/establish`: what makes two clusters peers, and what does not.

use std::time::Duration;

use peering_tests::cluster::{Cluster, peer};
use peering_tests::http::Answer;
use peering_tests::link::Link;
use peering_tests::token;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::time::Instant;

const ESTABLISH: &str = "/v1/peering/establish";

/// An acceptor, and a dialer that does not know it.
async fn two() -> (Cluster, Cluster) {
    (Cluster::start("dc1").await, Cluster::start("dc2").await)
}

/// Checks that a refused token made no peering.
async fn made_nothing(cluster: &Cluster) {
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn api_case_06_a_token_with_an_address_without_port_is_refused() {
    let (acceptor, dialer) = two().await;
    let token = acceptor.generate_with(json!({ "PeerName": "dc2", "ServerExternalAddresses": ["32.1.2.3"] })).await;
    dialer.establish("dc1", &token).await.refuses(500, "32.1.2.3 is not a valid peering server address");
    made_nothing(&dialer).await;
}

#[tokio::test]
async fn api_case_30_name_and_token_are_required_the_name_first() {
    let cluster = Cluster::start("dc1").await;
    for (body, text) in [
        ("{}", "PeerName is required in the payload when establishing a peering."),
        ("null", "PeerName is required in the payload when establishing a peering."),
        (r#"{"PeeringToken":"e30="}"#, "PeerName is required in the payload when establishing a peering."),
        (r#"{"PeerName":"c2"}"#, "PeeringToken is required in the payload when establishing a peering."),
        (
            r#"{"PeerName":"C7","PeeringToken":""}"#,
            "PeeringToken is required in the payload when establishing a peering.",
        ),
    ] {
        cluster.http().post(ESTABLISH, body).await.refuses(400, text);
    }
}

#[tokio::test]
async fn api_case_31_a_token_that_is_no_base64_is_refused_at_its_first_bad_byte() {
    let cluster = Cluster::start("dc1").await;
    cluster
        .establish("c2", "+++/+++")
        .await
        .refuses(500, "failed to decode token: illegal base64 data at input byte 4");
}

#[tokio::test]
async fn api_case_32_a_token_that_holds_a_newline_an_empty_object_or_null_is_refused() {
    let cluster = Cluster::start("dc1").await;
    for (token, text) in [
        ("Cg==", "unexpected end of JSON input"),
        ("e30=", "peering token server addresses value is empty"),
        ("bnVsbA==", "peering token server addresses value is empty"),
        ("aGVsbG8xMjM=", "invalid character 'h' looking for beginning of value"),
    ] {
        cluster.establish("c2", token).await.refuses(500, text);
    }
    made_nothing(&cluster).await;
}

#[tokio::test]
async fn api_case_33_a_token_with_a_bad_certificate_or_without_server_name_or_peer_id_is_refused() {
    let (acceptor, dialer) = two().await;
    let good = acceptor.generate("dc2").await;
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 5] = [
        (|claims| claims["CA"] = json!(["x"]), "peering token invalid CA: no PEM-encoded data found"),
        (
            |claims| {
                let pem = claims["CA"][0].as_str().unwrap().replace("CERTIFICATE", "PRIVATE KEY");
                claims["CA"] = json!([pem]);
            },
            "peering token invalid CA: first PEM-block should be CERTIFICATE type",
        ),
        (
            |claims| {
                claims["CA"] = json!(["-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"]);
            },
            "peering token invalid CA: x509: malformed certificate",
        ),
        (|claims| claims["ServerName"] = json!(""), "peering token server name value is empty"),
        (|claims| claims["PeerID"] = json!(""), "peering token peer ID value is empty"),
    ];
    for (change, text) in changes {
        dialer.establish("dc1", &token::changed(&good, change)).await.refuses(500, text);
    }
    made_nothing(&dialer).await;
}

#[tokio::test]
async fn a_token_without_a_certificate_is_refused_unless_the_server_allows_plaintext() {
    let (acceptor, dialer) = two().await;
    let plaintext = token::changed(&acceptor.generate("dc2").await, |claims| claims["CA"] = json!(null));
    dialer.establish("dc1", &plaintext).await.refuses(
        500,
        "peering token has no CA, so the peer stream would not be encrypted; generate a token on a cluster with TLS, or start this server with -allow-plaintext",
    );
    made_nothing(&dialer).await;
}

#[tokio::test]
async fn api_case_34_a_token_with_keys_that_nobody_knows_is_accepted() {
    let (acceptor, dialer) = two().await;
    let token = acceptor.generate_with(json!({ "PeerName": "dc2", "Meta": { "a": "b" } })).await;
    let more = token::changed(&token, |claims| {
        assert_eq!((&claims["PeerName"], &claims["Meta"]), (&json!("dc2"), &json!({ "a": "b" })));
        claims["X"] = json!([{ "y": null }]);
        claims["Remote"]["X"] = json!(1.5);
    });
    assert_eq!(dialer.establish("dc1", &more).await.accepts(), json!({}));
}

#[tokio::test]
async fn api_case_35_a_token_may_be_folded_but_not_spaced_respelled_or_stripped() {
    let (acceptor, dialer) = two().await;
    // Question marks make slashes in base64; the length of the metadata decides on the padding.
    let mut token = String::new();
    for length in 3..6 {
        token = acceptor
            .generate_with(json!({ "PeerName": format!("dc2-{length}"), "Meta": { "q": "?".repeat(length) } }))
            .await;
        if token.ends_with('=') {
            break;
        }
    }
    let stripped = token.trim_end_matches('=');
    assert!(stripped.len() < token.len() && token.contains('/'), "{token}");
    let lines: Vec<&str> = (0..token.len()).step_by(76).map(|at| &token[at..token.len().min(at + 76)]).collect();

    let respelled = token.replace('/', "_");
    let first_slash = token.find('/').unwrap();
    let last_group = stripped.len() / 4 * 4;
    for (bad, offset) in [(&lines.join(" "), 76), (&respelled, first_slash), (&stripped.to_owned(), last_group)] {
        let text = format!("failed to decode token: illegal base64 data at input byte {offset}");
        dialer.establish("dc1", bad).await.refuses(500, &text);
    }
    made_nothing(&dialer).await;
    assert_eq!(dialer.establish("dc1", &(lines.join("\r\n") + "\n")).await.accepts(), json!({}));
}

#[tokio::test]
async fn api_case_36_a_cluster_does_not_peer_with_itself() {
    let cluster = Cluster::start("dc1").await;
    let token = cluster.generate("myself").await;
    let name = token::claim(&token, "ServerName");
    cluster.establish("other", &token).await.refuses(
        500,
        &format!(
            "cannot create a peering within the same cluster \"{name}\". Refer to the `exported-services` documentation if you want to export between partitions without peering"
        ),
    );
    assert_eq!(cluster.http().get("/v1/peering/other").await.status, 404);
}

#[tokio::test]
async fn api_case_37_a_good_token_makes_both_sides_active() {
    let (acceptor, dialer) = two().await;
    let link = Link::to(acceptor.peer_address()).await;
    let token = acceptor.generate_over("dc2", link.address()).await;
    // The first connection is the exchange; the stream is held back so that the states before it can be seen.
    link.hold(1);
    let request = json!({ "PeerName": "dc1", "PeeringToken": token, "Meta": { "a": "b" } });
    let answer = dialer.http().post(ESTABLISH, request.to_string()).await;
    is_an_empty_object(&answer);
    link.saw(2).await;
    let dialed = dialer.read("dc1").await;
    assert_eq!(dialed["State"], "ESTABLISHING");
    assert_eq!(dialed["Meta"], json!({ "a": "b" }));
    assert_eq!(dialed["PeerID"], token::claims(&token)["PeerID"]);
    assert_eq!(dialed["PeerCAPems"], token::claims(&token)["CA"]);
    assert_eq!(dialed["PeerServerName"], token::claims(&token)["ServerName"]);
    assert_eq!(dialed["PeerServerAddresses"], token::claims(&token)["ServerAddresses"]);
    assert_eq!(dialed["Remote"], json!({ "Partition": "", "Datacenter": "dc1" }));
    let accepted = acceptor.read("dc2").await;
    assert_eq!(accepted["State"], "PENDING");
    assert_eq!(accepted["Remote"], json!({ "Partition": "", "Datacenter": "" }));

    link.release();
    let dialed = dialer.reaches("dc1", "ACTIVE").await;
    let has_roots = |peering: &Value| peering["State"] == "ACTIVE" && peering["PeerCAPems"].is_array();
    let accepted = acceptor.eventually_reads("dc2", "roots of an active peer", has_roots).await;
    assert_eq!(dialed["Remote"], json!({ "Partition": "", "Datacenter": "dc1" }));
    assert_eq!(accepted["Remote"], json!({ "Partition": "", "Datacenter": "dc2" }));
    for key in ["PeerID", "PeerServerName", "PeerServerAddresses"] {
        assert_eq!(accepted.get(key), None, "an acceptor does not dial");
    }
    for peering in [&dialed, &accepted] {
        assert_eq!(peering.get("TrustDomainChangedFrom"), None, "the peer is the one that it always was");
        let stream = &peering["StreamStatus"];
        assert!(stream["LastReceive"].is_string() && stream["LastSend"].is_string(), "{stream}");
        assert_eq!((&stream["ImportedServices"], &stream["ExportedServices"]), (&Value::Null, &Value::Null));
    }
}

/// Consul's clients decode the body, so it must be there.
#[track_caller]
fn is_an_empty_object(answer: &Answer) {
    let _ = answer.accepts();
    assert_eq!(answer.body, "{}");
    assert_eq!(
        answer.header_names(),
        ["content-length", "content-type", "date", "vary", "x-consul-default-acl-policy"]
    );
}

#[tokio::test]
async fn metadata_of_a_dialer_is_replaced_when_it_establishes_again() {
    let (acceptor, dialer) = two().await;
    let establish = async |meta: Value| {
        let token = acceptor.generate("dc2").await;
        let body = json!({ "PeerName": "dc1", "PeeringToken": token, "Meta": meta });
        is_an_empty_object(&dialer.http().post(ESTABLISH, body.to_string()).await);
        dialer.read("dc1").await
    };
    let first = establish(json!({ "a": "b" })).await;
    assert_eq!(first["Meta"], json!({ "a": "b" }));
    let second = establish(json!({})).await;
    assert_eq!(second.get("Meta"), None);
    assert_eq!((&second["ID"], &second["CreateIndex"]), (&first["ID"], &first["CreateIndex"]));
}

#[tokio::test]
async fn api_case_42_a_name_is_either_dialed_or_accepted() {
    let (acceptor, dialer) = two().await;
    peer(&acceptor, &dialer).await;
    dialer
        .ask_token(json!({ "PeerName": "dc1" }))
        .await
        .refuses(500, r#"cannot create peering with name: "dc1"; there is already an established peering"#);
    dialer.generate("taken").await;
    let token = acceptor.generate("another").await;
    dialer.establish("taken", &token).await.refuses(
        500,
        r#"cannot create peering with name: "taken"; there is an existing peering expecting to be dialed"#,
    );
    assert_eq!((dialer.state("dc1").await, dialer.state("taken").await), ("ACTIVE".into(), "PENDING".into()));
    // The refusal came before the exchange, so the token is as good as new.
    assert_eq!(dialer.establish("free", &token).await.accepts(), json!({}));
}

#[tokio::test]
async fn a_server_name_that_nobody_can_be_asked_for_fails_at_once() {
    let (acceptor, dialer) = two().await;
    let token = token::changed(&acceptor.generate("dc2").await, |claims| claims["ServerName"] = json!("no name"));
    dialer.establish("dc1", &token).await.refuses(
        500,
        "failed to build TLS dial option from peering: the server name of the peering token is not a DNS name; ask the \
         peer for a new token",
    );
}

#[tokio::test]
async fn api_case_43_an_acceptor_that_nobody_reaches_is_tried_for_three_seconds() {
    let (acceptor, dialer) = two().await;
    // Bound and not listening: nobody answers, and nobody else can take the port meanwhile.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = closed.local_addr().unwrap();
    let token = acceptor.generate_over("dc2", address).await;

    let started = Instant::now();
    let answer = dialer.establish("dc1", &token).await;
    let elapsed = started.elapsed();
    // The last pause of at most 187.5 ms is not begun if it would end after three seconds.
    assert!((Duration::from_millis(2_800)..Duration::from_secs(6)).contains(&elapsed), "{elapsed:?}");
    let attempts = answer.body.matches("\t* ").count();
    assert!(attempts > 1, "{}", answer.body);
    let failure = format!(
        "\t* failed to exchange peering secret through address \"{address}\": rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp {address}: connect: connection refused\"\n"
    );
    answer.refuses(503, &format!("{attempts} errors occurred:\n{}\n", failure.repeat(attempts)));

    let left = dialer.read("dc1").await;
    assert_eq!(left["State"], "PENDING");
    assert_eq!(left["PeerID"], token::claims(&token)["PeerID"]);
    assert_eq!(left["PeerServerAddresses"], token::claims(&token)["ServerAddresses"]);
    // A token that was not spent can still be used, by way of the other addresses.
    let direct = token::changed(&token, |claims| claims["ManualServerAddresses"] = json!(null));
    assert_eq!(dialer.establish("dc1", &direct).await.accepts(), json!({}));
    dialer.reaches("dc1", "ACTIVE").await;
}
