//! Browsers of foreign pages and names that are not ours are refused before any route is looked at.

use peering_tests::cluster::Cluster;
use peering_tests::site::private_directory;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

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

#[tokio::test]
async fn the_rules_hold_for_requests_that_no_library_sends() {
    let cluster = Cluster::start("dc1").await;
    let own = cluster.http().address();
    for (target, headers, status) in [
        ("/v1/peerings", format!("Host: {own}\r\n"), 200),
        ("/v1/peerings", format!("HOST:   {own}  \r\n"), 200),
        ("/v1/peerings", String::new(), 400),
        ("/v1/peerings", "Host: \r\n".to_owned(), 403),
        ("/v1/peerings", format!("Host: {own}\r\nHost: {own}\r\n"), 403),
        ("/v1/peerings", format!("Host: {own}\r\nhost: evil.example\r\n"), 403),
        ("/v1/peerings", format!("Host: {own}\r\nOrigin: http://{own}\r\nOrigin: http://evil.example\r\n"), 403),
        ("/v1/peerings", "Host: localhost.\r\n".to_owned(), 403),
        ("/v1/peerings", format!("Host: {own}@evil.example\r\n"), 403),
        (&format!("http://{own}/v1/peerings"), format!("Host: {own}\r\n"), 200),
        (&format!("http://{own}/v1/peerings"), "Host: evil.example\r\n".to_owned(), 403),
        ("http://evil.example/v1/peerings", format!("Host: {own}\r\n"), 403),
        ("http://evil.example/v1/peerings", String::new(), 403),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let answer = cluster.http().raw(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
    }
}

#[tokio::test]
async fn a_unix_socket_takes_any_host_and_no_foreign_origin() {
    let directory = private_directory();
    let path = directory.path().join("api.sock");
    let cluster = Cluster::start_changed("dc1", |config| config.http_unix.push(path.clone())).await;
    for (headers, status) in [
        ("Host: anything\r\n", 200),
        ("Host: evil.example:8500\r\n", 200),
        ("", 400),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 200),
        ("Host: localhost\r\nOrigin: http://evil.example\r\n", 403),
        ("Host: localhost\r\nOrigin: null\r\n", 403),
        ("Host: a\r\nHost: b\r\n", 403),
    ] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let request = format!("GET /v1/peerings HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
    }
    drop(cluster);
}
