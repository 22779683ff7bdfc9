//! Sizes: what is longer than its bound is refused, and what is not is read.

use peering_tests::cluster::Cluster;
use peering_tests::token;
use serde_json::json;

/// The longest head: 64 KiB.
const REQUEST_HEAD_BYTES_MAX: usize = 65_536;
/// The longest body: 1 MiB.
const BODY_BYTES_MAX: usize = 1_048_576;

/// A request without content that has so many bytes.
fn padded(bytes: usize) -> String {
    format!("{}{{}}", " ".repeat(bytes - 2))
}

#[tokio::test]
async fn a_body_of_one_byte_more_than_a_mebibyte_is_refused() {
    let cluster = Cluster::start("dc1").await;
    for (path, required) in [
        ("/v1/peering/token", "PeerName is required in the payload when generating a new peering token."),
        ("/v1/peering/establish", "PeerName is required in the payload when establishing a peering."),
    ] {
        cluster.http().post(path, padded(BODY_BYTES_MAX)).await.refuses(400, required);
        cluster
            .http()
            .post(path, padded(BODY_BYTES_MAX + 1))
            .await
            .refuses(413, "request body: expected at most 1048576 bytes, sent whole; got more, or a broken transfer");
    }
}

#[tokio::test]
async fn a_head_may_have_64_kib() {
    let cluster = Cluster::start("dc1").await;
    let begin = format!("GET /v1/peerings HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX: ", cluster.http().address());
    // One more may have come with the last piece; what is as long and not at its end is not waited for.
    for (end, status) in [("\r\n\r\n", 200), ("x", 431)] {
        let bytes = REQUEST_HEAD_BYTES_MAX;
        let request = format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()));
        let answer = cluster.http().raw(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{end:?}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_hides_its_length_is_refused_at_the_same_bound() {
    let cluster = Cluster::start("dc1").await;
    let host = cluster.http().address();
    let post = async |bytes: usize| {
        let body = padded(bytes);
        cluster
            .http()
            .raw(&format!(
                "POST /v1/peering/token HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n"
            ))
            .await
    };
    let answer = post(BODY_BYTES_MAX).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = post(BODY_BYTES_MAX + 1).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_request_for_more_addresses_than_we_would_accept_is_refused_and_makes_nothing() {
    let cluster = Cluster::start("dc1").await;
    let addresses = |count: usize| vec!["203.0.113.7:8503"; count];
    cluster
        .ask_token(json!({ "PeerName": "c2", "ServerExternalAddresses": addresses(65) }))
        .await
        .refuses(500, "a token carries at most 64 addresses, got 65; give fewer in ServerExternalAddresses");
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
    cluster.generate_with(json!({ "PeerName": "c2", "ServerExternalAddresses": addresses(64) })).await;
}

#[tokio::test]
async fn a_token_that_is_too_long_or_has_too_many_parts_is_refused() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let good = acceptor.generate("dc2").await;
    dialer
        .establish("dc1", &"A".repeat(524_292))
        .await
        .refuses(500, "peering token is too long: expected at most 524288 bytes, got 524292; check what was pasted");
    let roots = token::changed(&good, |claims| claims["CA"] = json!(vec![claims["CA"][0].clone(); 17]));
    dialer
        .establish("dc1", &roots)
        .await
        .refuses(500, "peering token has too many entries in CA: expected at most 16, got 17");
    let addresses = token::changed(&good, |claims| claims["ServerAddresses"] = json!(vec!["203.0.113.7:8503"; 65]));
    dialer
        .establish("dc1", &addresses)
        .await
        .refuses(500, "peering token has too many entries in ServerAddresses: expected at most 64, got 65");
    assert_eq!(dialer.http().get("/v1/peerings").await.body, "[]");
}
