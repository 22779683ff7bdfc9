//! Paths and methods: what is there, what is not, and how the difference is told.

use peering_tests::cluster::Cluster;
use reqwest::Method;

/// Every endpoint with the methods that it has.
const ENDPOINTS: &[(&str, &str)] = &[
    ("/v1/peering/token", "OPTIONS,POST"),
    ("/v1/peering/establish", "OPTIONS,POST"),
    ("/v1/peering/", "OPTIONS,GET,DELETE"),
    ("/v1/peering/x", "OPTIONS,GET,DELETE"),
    ("/v1/peerings", "OPTIONS,GET"),
    ("/v1/peering-tokens", "OPTIONS,GET"),
    ("/v1/peering-tokens/", "OPTIONS,GET,DELETE"),
    ("/v1/peering-tokens/x", "OPTIONS,GET,DELETE"),
    ("/metrics", "OPTIONS,GET"),
    ("/v1/agent/connect/ca/roots", "OPTIONS,GET"),
    ("/v1/agent/metrics", "OPTIONS,GET"),
    ("/v1/agent/self", "OPTIONS,GET"),
    ("/v1/catalog/datacenters", "OPTIONS,GET"),
    ("/v1/catalog/node/n", "OPTIONS,GET"),
    ("/v1/catalog/nodes", "OPTIONS,GET"),
    ("/v1/catalog/service/web", "OPTIONS,GET"),
    ("/v1/catalog/services", "OPTIONS,GET"),
    ("/v1/config", "OPTIONS,PUT"),
    ("/v1/config/", "OPTIONS,GET,DELETE"),
    ("/v1/config/mesh", "OPTIONS,GET,DELETE"),
    ("/v1/config/mesh/", "OPTIONS,GET,DELETE"),
    ("/v1/config/mesh/mesh", "OPTIONS,GET,DELETE"),
    ("/v1/connect/ca/roots", "OPTIONS,GET"),
    ("/v1/exported-services", "OPTIONS,GET"),
    ("/v1/health/service/web", "OPTIONS,GET"),
    ("/v1/internal/ui/exported-services", "OPTIONS,GET"),
    ("/v1/internal/ui/services", "OPTIONS,GET"),
    ("/v1/peering-audit/head", "OPTIONS,GET"),
    ("/v1/peering-audit/key", "OPTIONS,GET"),
    ("/v1/status/leader", "OPTIONS,GET"),
    ("/v1/status/peers", "OPTIONS,GET"),
];

#[tokio::test]
async fn api_case_16_a_method_that_an_endpoint_lacks_is_refused_with_those_that_it_has() {
    let cluster = Cluster::start("dc1").await;
    for &(path, allow) in ENDPOINTS {
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
    for &(path, allow) in ENDPOINTS {
        let answer = cluster.http().ask(Method::OPTIONS, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(answer.headers("allow"), [allow]);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-consul-default-acl-policy"), Some("allow"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    }
}

#[tokio::test]
async fn api_case_18_a_read_needs_a_name_and_the_path_its_slash() {
    let cluster = Cluster::start("dc1").await;
    for method in [Method::GET, Method::DELETE] {
        cluster.http().ask(method, "/v1/peering/").await.refuses(400, "Must specify a name to fetch.");
    }
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        let answer = cluster.http().ask(Method::from_bytes(method.as_bytes()).unwrap(), "/v1/peering").await;
        assert_eq!((answer.status, answer.header("location")), (301, Some("/v1/peering/")), "{method}");
        let page = "<a href=\"/v1/peering/\">Moved Permanently</a>.\n\n";
        assert_eq!(answer.body, if method == "GET" { page } else { "" }, "{method}");
        let has_page = ["GET", "HEAD"].contains(&method);
        assert_eq!(answer.header("content-type"), has_page.then_some("text/html; charset=utf-8"), "{method}");
    }
    // What else would be markup is in no target that can be sent.
    let odd = cluster.http().raw_get("/v1//peering/x?a='&c").await;
    assert!(odd.ends_with("<a href=\"/v1/peering/x?a=&#39;&amp;c\">Moved Permanently</a>.\n\n"), "{odd}");
}

#[tokio::test]
async fn another_spelling_of_a_path_leads_to_it() {
    let cluster = Cluster::start("dc1").await;
    // The client cleans paths before it sends them, so these are sent by hand.
    let moved = async |target: &str| {
        let answer = cluster.http().raw_get(target).await;
        let status = answer.lines().next().unwrap_or_default().to_owned();
        (status, answer.lines().find_map(|line| line.strip_prefix("Location: ")).map(str::to_owned))
    };
    for (target, location) in [
        ("/v1//peerings?pretty", "/v1/peerings?pretty"),
        ("//v1/peering/x/../y", "/v1/peering/y"),
        ("//evil.example//", "/evil.example/"),
    ] {
        assert_eq!(moved(target).await, ("HTTP/1.1 301 Moved Permanently".to_owned(), Some(location.to_owned())));
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_shown_and_a_query_that_cannot_be_read_are_refused_without_a_word() {
    let cluster = Cluster::start("dc1").await;
    for path in ["/v1/peering/%01", "/v1/peering/%E2%80%AE", "/nothing%7f"] {
        let answer = cluster.http().get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, ""), "{path}");
    }
    for path in ["/v1/peerings?%zz", "/v1/peerings?a;b", "/v1/peering/x?a=%2", "/v1/status/leader?;"] {
        cluster.http().get(path).await.refuses(500, "");
    }
}

#[tokio::test]
async fn a_path_that_is_no_endpoint_is_named_so_whatever_the_method() {
    let cluster = Cluster::start("dc1").await;
    let unknown = "Invalid URL path: not a recognized HTTP API endpoint\n";
    let elsewhere = "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n";
    for (path, text) in [
        ("/v1/", unknown),
        ("/v1/peeringss", unknown),
        ("/v1/peerings/", unknown),
        ("/v1/peering.token", unknown),
        ("/a/v1/b?%zz", unknown),
        ("/", elsewhere),
        ("/v1", elsewhere),
        ("/V1/peerings", elsewhere),
        ("/v2/peerings", elsewhere),
    ] {
        for method in [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE] {
            let answer = cluster.http().ask(method, path).await;
            assert_eq!((answer.status, answer.body.as_str()), (404, text), "{path}");
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
    let peers = cluster.http().get("/v1/status/peers?dc=dc1").await;
    assert_eq!(peers.accepts(), serde_json::json!([cluster.peer_address().to_string()]));
    cluster.http().get("/v1/status/peers?dc=dc2").await.refuses(500, "No path to datacenter");
}

#[tokio::test]
async fn header_names_go_out_in_consuls_spelling() {
    let cluster = Cluster::start("dc1").await;
    let answer = cluster.http().raw_get("/v1/peerings").await;
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
