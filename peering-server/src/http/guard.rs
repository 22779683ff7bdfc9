//! Refuses browsers of foreign pages, and names that are not ours, before any route is looked at.
//!
//! A page in an operator's browser can send requests to loopback: directly, with its own `Origin`, or under a name of
//! its own that it lets resolve to loopback, with that name as `Host`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Version;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use peering_core::foreign;

use super::error::HttpError;
use crate::listen::http::Caller;

pub(super) async fn refuse_strangers(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(request: &Request) -> Result<(), HttpError> {
    // A target in absolute form names the host too, and beats the header: RFC 9112, section 3.2.2.
    let target = request.uri().authority().map(ToString::to_string);
    let header = request.headers().get(HOST).map(|value| value.to_str().unwrap_or("\u{fffd}").to_owned());
    if request.headers().get_all(HOST).iter().count() > 1 {
        return Err(HttpError::forbidden("more than one Host: expected one"));
    }
    if request.version() == Version::HTTP_11 && target.is_none() && header.is_none() {
        return Err(HttpError::bad_request("400 Bad Request: missing required Host header"));
    }
    let caller = request.extensions().get::<Caller>();
    let (over_unix, over_tls) = caller.map(|caller| (caller.unix, caller.tls)).unwrap_or_default();
    let stranger = target.iter().chain(&header).find(|host| !is_loopback(host));
    // Over TLS the name was checked by the caller's browser, against a certificate that a page of others does not have.
    if let Some(host) = stranger.filter(|_| !over_unix && !over_tls) {
        return Err(HttpError::forbidden(format!(
            "Host {} is refused: this server listens on loopback, call it as localhost or by its IP address",
            foreign::quoted(host)
        )));
    }
    let scheme = if over_tls { "https" } else { "http" };
    for origin in request.headers().get_all(ORIGIN) {
        let origin = origin.to_str().unwrap_or("\u{fffd}");
        let own = target.as_deref().or(header.as_deref()).is_some_and(|host| origin == format!("{scheme}://{host}"));
        if !own {
            return Err(HttpError::forbidden(format!(
                "Origin {} is refused: pages of other sites may not use this API",
                foreign::quoted(origin)
            )));
        }
    }
    Ok(())
}

/// Says whether a `Host` names this machine, whatever the port: a forwarded port is still loopback.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_plain = !host.contains('@');
    let is_local = name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    is_plain && is_local
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(host: Option<&str>, origin: Option<&str>) -> Request {
        let mut request = Request::get("/v1/peerings");
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn loopback_names_are_ours() {
        for host in [
            "localhost",
            "localhost:8500",
            "LOCALHOST:8500",
            "127.0.0.1",
            "127.0.0.1:8500",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]",
            "[::1]:8500",
            "[0:0:0:0:0:0:0:1]:8500",
            "[::ffff:127.0.0.1]:1",
            "[::ffff:7f00:1]:1",
        ] {
            assert!(check(&request(Some(host), None)).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_request_of_http_1_1_names_its_host() {
        assert!(check(&request(None, None)).is_err());
        for version in [Version::HTTP_10, Version::HTTP_2] {
            let mut asked = request(None, None);
            *asked.version_mut() = version;
            assert!(check(&asked).is_ok(), "{version:?}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for host in [
            "evil.example",
            "evil.example:8500",
            "10.0.0.1",
            "0.0.0.0:8500",
            "[::]:8500",
            "[fe80::1]:8500",
            "[2001:db8::1]",
            "[::ffff:10.0.0.1]",
            // Names that a resolver may be told to lead to loopback, or that only look like it.
            "localhost.",
            "localhost.:8500",
            "127.0.0.1.",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost.localdomain",
            "evil.localhost",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            // What is no host and port.
            "",
            "[",
            "::1",
            "[::1",
            "[::1%25lo]",
            ":8500",
            "x@127.0.0.1",
            "127.0.0.1@evil.example",
            "http://127.0.0.1:8500",
            "127.0.0.1/evil",
            "127.0.0.1,evil.example",
            "127.0.0.1 evil.example",
        ] {
            assert!(check(&request(Some(host), None)).is_err(), "{host}");
        }
        let mut bytes = request(None, None);
        bytes.headers_mut().insert(HOST, http::HeaderValue::from_bytes(b"127.0.0.1\xff").unwrap());
        assert!(check(&bytes).is_err());
    }

    #[test]
    fn a_second_host_is_refused_even_if_it_is_the_same() {
        for second in ["localhost", "evil.example"] {
            let mut asked = request(Some("localhost"), None);
            asked.headers_mut().append(HOST, second.parse().unwrap());
            assert!(check(&asked).is_err(), "{second}");
        }
    }

    #[test]
    fn a_target_that_names_a_host_must_name_ours() {
        for (target, host, is_ours) in [
            ("http://127.0.0.1:8500/v1/peerings", None, true),
            ("http://127.0.0.1:8500/v1/peerings", Some("127.0.0.1:8500"), true),
            ("http://evil.example/v1/peerings", None, false),
            ("http://evil.example/v1/peerings", Some("127.0.0.1:8500"), false),
            ("http://127.0.0.1:8500/v1/peerings", Some("evil.example"), false),
        ] {
            let mut asked = request(host, None);
            *asked.uri_mut() = target.parse().unwrap();
            assert_eq!(check(&asked).is_ok(), is_ours, "{target} {host:?}");
        }
    }

    #[test]
    fn each_of_several_origins_must_be_ours() {
        let host = Some("127.0.0.1:8500");
        for (second, is_ours) in [("http://127.0.0.1:8500", true), ("http://evil.example", false)] {
            let mut asked = request(host, Some("http://127.0.0.1:8500"));
            asked.headers_mut().append(ORIGIN, second.parse().unwrap());
            assert_eq!(check(&asked).is_ok(), is_ours, "{second}");
        }
    }

    #[test]
    fn only_our_own_origin_is_accepted() {
        let host = Some("127.0.0.1:8500");
        assert!(check(&request(host, Some("http://127.0.0.1:8500"))).is_ok());
        for (host, origin) in [("[::1]:8500", "http://[::1]:8500"), ("localhost", "http://localhost")] {
            assert!(check(&request(Some(host), Some(origin))).is_ok(), "{origin}");
        }
        for origin in [
            "",
            "null",
            "http://",
            "http://evil.example",
            "https://127.0.0.1:8500",
            "http://127.0.0.1",
            "http://127.0.0.1:1",
            "http://localhost:8500",
            "http://[::1]:8500",
            "http://127.0.0.1:8500/",
            "http://127.0.0.1:8500.evil.example",
            "http://127.0.0.1:8500@evil.example",
            "http://127.0.0.1:8500 http://evil.example",
            "HTTP://127.0.0.1:8500",
            "chrome-extension://abcdefghijklmnop",
            "file://",
        ] {
            assert!(check(&request(host, Some(origin))).is_err(), "{origin}");
        }
        // Without a Host there is nothing that an Origin could be the same as.
        assert!(check(&request(None, Some("http://127.0.0.1:8500"))).is_err());
    }

    #[test]
    fn over_a_unix_socket_any_host_will_do_but_no_foreign_origin() {
        let mut asked = request(Some("anything"), None);
        asked.extensions_mut().insert(Caller { source: None, port: None, unix: true, tls: false });
        assert!(check(&asked).is_ok());
        let mut asked = request(Some("localhost"), Some("http://evil.example"));
        asked.extensions_mut().insert(Caller { source: None, port: None, unix: true, tls: false });
        assert!(check(&asked).is_err());
    }

    #[test]
    fn over_tls_any_host_will_do_and_the_origin_has_the_scheme() {
        let over_tls = |origin: Option<&str>| {
            let mut asked = request(Some("consul.example.com:8501"), origin);
            let source = Some(std::net::Ipv4Addr::LOCALHOST.into());
            asked.extensions_mut().insert(Caller { source, port: Some(1), unix: false, tls: true });
            check(&asked).is_ok()
        };
        assert!(over_tls(None) && over_tls(Some("https://consul.example.com:8501")));
        assert!(!over_tls(Some("http://consul.example.com:8501")) && !over_tls(Some("https://evil.example:8501")));
    }
}
