//! Paths and methods: what is there, what is not, and how the difference is told.

use peering_tests::cluster::Cluster;
use reqwest::Method;

/// Every endpoint with the methods that it has.
const ENDPOINTS: [(&str, &str); 5] = [
    ("/v1/peering/token", "OPTIONS,POST"),
    ("/v1/peering/establish", "OPTIONS,POST"),
    ("/v1/peering/x", "OPTIONS,GET,DELETE"),
    ("/v1/peerings", "OPTIONS,GET"),
    ("/v1/status/leader", "OPTIONS,GET"),
];

#[tokio::test]
async fn api_case_16_a_method_that_an_endpoint_lacks_is_refused_with_those_that_it_has() {
    let cluster = Cluster::start("dc1").await;
    for (path, allow) in ENDPOINTS {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"] {
            if allow.split(',').any(|allowed| allowed == method) {
                continue;
            }
            let answer = cluster.http().ask(Method::from_bytes(method.as_bytes()).unwrap(), path).await;
            let text = format!("method {method} not allowed");
            if method == "HEAD" {
                assert_eq!(answer.header("content-length"), Some(text.len().to_string().as_str()));
                answer.refuses(405, "");
            } else {
                answer.refuses(405, &text);
            }
            assert_eq!(answer.headers("allow"), [allow], "{method} {path}");
        }
    }
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn api_case_17_options_are_told_with_an_empty_body() {
    let cluster = Cluster::start("dc1").await;
    for (path, allow) in ENDPOINTS {
        let answer = cluster.http().ask(Method::OPTIONS, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(answer.headers("allow"), [allow]);
        assert_eq!(answer.header("x-consul-default-acl-policy"), Some("allow"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    }
}

#[tokio::test]
async fn api_case_18_a_read_needs_a_name_and_the_path_its_slash() {
    let cluster = Cluster::start("dc1").await;
    cluster.http().get("/v1/peering/").await.refuses(400, "Must specify a name to fetch.");
    let answer = cluster.http().get("/v1/peering").await;
    assert_eq!((answer.status, answer.header("location")), (301, Some("/v1/peering/")));
}

#[tokio::test]
async fn a_path_that_is_no_endpoint_is_named_so_whatever_the_method() {
    let cluster = Cluster::start("dc1").await;
    for path in
        ["/", "/v1", "/v1/", "/v1/peeringss", "/v1/peerings/", "/v1/peering.token", "/V1/peerings", "/v2/peerings"]
    {
        for method in [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE] {
            let answer = cluster.http().ask(method, path).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (404, "Invalid URL path: not a recognized HTTP API endpoint\n"),
                "{path}"
            );
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        }
    }
}

#[tokio::test]
async fn the_leader_is_this_server_where_its_peers_find_it() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().get("/v1/status/leader").await;
    assert_eq!(answer.accepts(), cluster.peer_address().to_string());
    assert_eq!(answer.header("x-consul-index"), None);
}

#[tokio::test]
async fn header_names_go_out_in_consuls_spelling() {
    let cluster = Cluster::start("dc1").await;
    let host = cluster.http().address();
    let answer =
        cluster.http().raw(&format!("GET /v1/peerings HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "[]");
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("HTTP/1.1 200 OK"));
    let mut names: Vec<&str> = lines.map(|line| line.split_once(": ").unwrap().0).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "Connection",
            "Content-Length",
            "Content-Type",
            "Date",
            "Vary",
            "X-Consul-Default-Acl-Policy",
            "X-Consul-Index",
            "X-Consul-Knownleader",
            "X-Consul-Lastcontact",
            "X-Consul-Query-Backend",
        ]
    );
}
