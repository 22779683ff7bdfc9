//! Redirects: followed on the same server, without secrets to another.

use super::mock::{Mock, answer, redirect};
use super::{failed, peering, succeeded};

#[test]
fn a_redirect_on_the_same_server_keeps_method_body_and_token() {
    for status in [301, 302, 307, 308] {
        let server = Mock::start(move |seen| match seen.uri.path() {
            "/v1/peering/establish" => redirect(status, "/moved?x=1"),
            _ => answer(200, "{}"),
        });
        let words = ["establish", "-name=c", "-peering-token=t", "-token=acl", "-http-addr", &server.address];
        assert_eq!(peering(&words, &[]), succeeded("Successfully established peering connection with c\n"));
        let seen = server.seen();
        assert_eq!(seen[1].uri.to_string(), "/moved?x=1");
        assert_eq!((&seen[1].method, &seen[1].body), (&seen[0].method, &seen[0].body));
        assert_eq!(seen[1].header("x-consul-token"), "acl");
    }
}

#[test]
fn a_deletion_stays_one_when_redirected() {
    let server = Mock::start(|seen| match seen.uri.path() {
        "/v1/peering/x" => redirect(301, "/elsewhere"),
        _ => answer(200, ""),
    });
    peering(&["delete", "-name=x", "-http-addr", &server.address], &[]);
    let methods: Vec<String> = server.seen().iter().map(|seen| seen.method.to_string()).collect();
    assert_eq!(methods, ["DELETE", "DELETE"]);
}

#[test]
fn another_server_gets_no_token() {
    let other = Mock::always(200, "[]");
    let location = format!("http://{}/v1/peerings", other.address);
    let server = Mock::start(move |_| redirect(302, &location));
    let words = ["list", "-token=acl", "-http-addr", &server.address];
    assert_eq!(peering(&words, &[("CONSUL_HTTP_AUTH", "a:b")]), succeeded("There are no peering connections.\n"));
    let seen = other.only();
    assert_eq!((seen.header("x-consul-token"), seen.header("authorization")), ("", ""));
    assert_eq!(server.only().header("x-consul-token"), "acl");
}

#[test]
fn another_server_gets_no_peering_token() {
    let other = Mock::always(200, "{}");
    let location = format!("http://{}/v1/peering/establish", other.address);
    let server = Mock::start(move |_| redirect(307, &location));
    let ran = peering(&["establish", "-name=c", "-peering-token=t", "-http-addr", &server.address], &[]);
    let message = format!(
        "Error establishing peering for c: Post \"http://{}/v1/peering/establish\": redirected to http://{}, another \
        server: if you trust it, give its address with -http-addr",
        server.address, other.address
    );
    assert_eq!(ran, failed(&message));
    assert!(other.seen().is_empty());
}

#[test]
fn endless_redirects_are_given_up() {
    let server = Mock::start(|_| redirect(302, "/again"));
    let ran = peering(&["list", "-http-addr", &server.address], &[]);
    let message =
        format!("Error listing peerings: Get \"http://{}/again\": stopped after 10 redirects", server.address);
    assert_eq!(ran, failed(&message));
    assert_eq!(server.seen().len(), 11);
}

#[test]
fn a_redirect_to_another_scheme_is_an_error() {
    let server = Mock::start(|_| redirect(302, "file:///etc/passwd"));
    let ran = peering(&["list", "-http-addr", &server.address], &[]);
    let message = format!(
        "Error listing peerings: Get \"http://{}/v1/peerings\": redirected to \"file:///etc/passwd\", which is not a URL",
        server.address
    );
    assert_eq!(ran, failed(&message));
}
