//! Browsers of foreign pages and names that are not ours are refused before any route is looked at.

use peering_tests::cluster::Cluster;
use reqwest::Method;

const PATHS: [&str; 10] = [
    "/",
    "/v1/peering",
    "/v1/peering/",
    "/v1/peering/token",
    "/v1/peering/establish",
    "/v1/peering/x",
    "/v1/peerings",
    "/v1/status/leader",
    "/v1/nothing/here",
    "//v1//peerings",
];
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];

#[tokio::test]
async fn a_page_of_another_site_is_refused_on_every_path_and_changes_nothing() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("x").await;
    let before = cluster.read("x").await;
    let other_scheme = format!("https://{}", cluster.http().address());
    for path in PATHS {
        for method in METHODS {
            for origin in ["http://evil.example", "null", "http://localhost", &other_scheme] {
                let headers = [("origin", origin)];
                let answer = cluster.http().send(method.clone(), path, &headers, r#"{"PeerName":"x"}"#).await;
                let text = format!("Origin {origin:?} is refused: pages of other sites may not use this API");
                assert_eq!((answer.status, answer.body), (403, text), "{method} {path}");
                assert_eq!(answer.headers.get("access-control-allow-origin"), None);
            }
        }
    }
    assert_eq!(cluster.read("x").await, before);
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_on_every_path_and_changes_nothing() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("x").await;
    let before = cluster.read("x").await;
    for path in PATHS {
        for method in METHODS {
            for host in ["evil.example", "evil.example:8500", "127.0.0.1.evil.example"] {
                let headers = [("host", host)];
                let answer = cluster.http().send(method.clone(), path, &headers, r#"{"PeerName":"x"}"#).await;
                let text = format!(
                    "Host {host:?} is refused: this server listens on loopback, call it as localhost or by its IP address"
                );
                assert_eq!((answer.status, answer.body), (403, text), "{method} {path}");
            }
        }
    }
    assert_eq!(cluster.read("x").await, before);
}

#[tokio::test]
async fn our_own_names_and_pages_are_welcome() {
    let cluster = Cluster::start("dc1").await;
    let port = cluster.http().address().port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "localhost".to_owned()] {
        let origin = format!("http://{host}");
        let headers = [("host", host.as_str()), ("origin", origin.as_str())];
        let answer = cluster.http().send(Method::GET, "/v1/peerings", &headers, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "[]"), "{host}");
    }
}
