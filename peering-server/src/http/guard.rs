//! Refuses browsers of foreign pages, and names that are not ours, before any route is looked at.
//!
//! A page in an operator's browser can send requests to loopback: directly, with its own `Origin`, or under a name of
//! its own that it lets resolve to loopback, with that name as `Host`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
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
    let host = match request.headers().get(HOST) {
        Some(value) => Some(value.to_str().unwrap_or("\u{fffd}").to_owned()),
        None => request.uri().authority().map(ToString::to_string),
    };
    if request.headers().get_all(HOST).iter().count() > 1 {
        return Err(HttpError::forbidden("more than one Host: expected one"));
    }
    let over_unix = request.extensions().get::<Caller>().is_some_and(|caller| caller.unix);
    if let Some(host) = host.as_deref().filter(|_| !over_unix)
        && !is_loopback(host)
    {
        return Err(HttpError::forbidden(format!(
            "Host {} is refused: this server listens on loopback, call it as localhost or by its IP address",
            foreign::quoted(host)
        )));
    }
    for origin in request.headers().get_all(ORIGIN) {
        let origin = origin.to_str().unwrap_or("\u{fffd}");
        let own = host.as_deref().is_some_and(|host| origin == format!("http://{host}"));
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
        for host in ["localhost", "LOCALHOST:8500", "127.0.0.1:8500", "127.9.9.9", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(check(&request(Some(host), None)).is_ok(), "{host}");
        }
        assert!(check(&request(None, None)).is_ok());
    }

    #[test]
    fn other_names_are_refused() {
        for host in ["evil.example", "evil.example:8500", "10.0.0.1", "localhost.evil.example", "x@127.0.0.1", "", "["]
        {
            assert!(check(&request(Some(host), None)).is_err(), "{host}");
        }
    }

    #[test]
    fn only_our_own_origin_is_accepted() {
        let host = Some("127.0.0.1:8500");
        assert!(check(&request(host, Some("http://127.0.0.1:8500"))).is_ok());
        for origin in ["http://evil.example", "null", "https://127.0.0.1:8500", "http://127.0.0.1:1", ""] {
            assert!(check(&request(host, Some(origin))).is_err(), "{origin}");
        }
    }

    #[test]
    fn over_a_unix_socket_any_host_will_do_but_no_foreign_origin() {
        let mut asked = request(Some("anything"), None);
        asked.extensions_mut().insert(Caller { source: None, unix: true });
        assert!(check(&asked).is_ok());
        let mut asked = request(Some("localhost"), Some("http://evil.example"));
        asked.extensions_mut().insert(Caller { source: None, unix: true });
        assert!(check(&asked).is_err());
    }
}
