//! The log of requests: one line for each, one more for each that was refused, and no secret in either.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::Uri;
use peering_core::foreign;
use peering_core::peerstream::PEER_MESSAGE_CHARS_MAX;
use tracing::{debug, error};

use super::path::decoded;
use crate::bounds::ECHO_BYTES_MAX;
use crate::listen::http::Caller;

/// What stands in the log for a secret.
const HIDDEN: &str = "<hidden>";
/// Endpoints of Consul's older releases, which had a secret in their path.
const WITH_SECRET: [&str; 3] = ["/v1/acl/info/", "/v1/acl/clone/", "/v1/acl/destroy/"];

/// Why a request was refused; an extension of the answer.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    text: String,
}

impl Refusal {
    /// Something in the request, in words that may be the caller's.
    pub(super) fn of_request(text: &str) -> Self {
        Self { text: foreign::escaped(text, PEER_MESSAGE_CHARS_MAX) }
    }

    /// A fault of ours, with all its causes.
    pub(super) const fn of_ours(text: String) -> Self {
        Self { text }
    }
}

/// Tells of a request when it was answered. One whose caller hung up before is not told of.
pub(super) async fn told(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let caller = request.extensions().get::<Caller>().copied();
    let response = next.run(request).await;
    if let Some(Refusal { text }) = response.extensions().get() {
        error!(method = shown_method(&method), url = shown(&uri), from = from(caller), error = text, "Request error");
    }
    debug!(method = shown_method(&method), url = shown(&uri), from = from(caller), latency = ?begun.elapsed(),
        "Request finished"
    );
    response
}

fn shown_method(method: &http::Method) -> String {
    foreign::escaped(method.as_str(), foreign::SHOWN_CHARACTERS_MAX)
}

/// Names a caller as Go does, for whom a unix socket without a name is `@`.
fn from(caller: Option<Caller>) -> String {
    match caller {
        Some(Caller { source: Some(source), port, .. }) => {
            std::net::SocketAddr::new(source, port.unwrap_or_default()).to_string()
        }
        _ => "@".to_owned(),
    }
}

/// Writes the target of a request without what opens anything.
fn shown(uri: &Uri) -> String {
    let path = uri.path();
    let mut text = match WITH_SECRET.into_iter().find(|prefix| path.starts_with(prefix)) {
        Some(prefix) => format!("{prefix}{HIDDEN}"),
        None => path.to_owned(),
    };
    if let Some(query) = uri.query() {
        text.push('?');
        // A semicolon separates nothing in Go's eyes; in those of whoever wrote it, it may.
        for part in query.split_inclusive(['&', ';']) {
            let end = part.len() - usize::from(part.ends_with(['&', ';']));
            match part[..end].split_once('=') {
                Some((key, value)) if is_token(key) && !value.is_empty() => {
                    text.extend([key, "=", HIDDEN, &part[end..]]);
                }
                _ => text.push_str(part),
            }
        }
    }
    foreign::escaped(&text, ECHO_BYTES_MAX)
}

/// Says whether a key of a query is the one behind which tokens stand, however it is spelt.
fn is_token(key: &str) -> bool {
    decoded(key).is_some_and(|key| key.eq_ignore_ascii_case(b"token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(target: &str) -> String {
        shown(&target.parse().unwrap())
    }

    #[test]
    fn a_token_in_a_query_is_hidden_however_it_is_spelt() {
        for (target, expected) in [
            ("/v1/peerings?token=s3cret", "/v1/peerings?token=<hidden>"),
            ("/v1/peerings?a=b&token=s3cret&c=d", "/v1/peerings?a=b&token=<hidden>&c=d"),
            ("/v1/peerings?token=s3=cret&token=s3cret", "/v1/peerings?token=<hidden>&token=<hidden>"),
            ("/?%74oken=s3cret", "/?%74oken=<hidden>"),
            ("/?Token=s3cret", "/?Token=<hidden>"),
            ("/?a;token=s3cret;b", "/?a;token=<hidden>;b"),
            ("/?token=s3cret%zz", "/?token=<hidden>"),
        ] {
            assert_eq!(shown_of(target), expected);
        }
    }

    #[test]
    fn everything_else_is_shown_as_it_came() {
        for target in
            ["/v1/peering/x?pretty", "/?token", "/?token=", "/?tokens=a&accessor_token=b", "/?index=1&wait=5s", "/?"]
        {
            assert_eq!(shown_of(target), target);
        }
    }

    #[test]
    fn a_secret_in_the_path_of_an_older_release_is_hidden() {
        assert_eq!(shown_of("/v1/acl/info/s3cret?x"), "/v1/acl/info/<hidden>?x");
        assert_eq!(shown_of("/v1/acl/token/accessor"), "/v1/acl/token/accessor");
    }

    #[test]
    fn a_long_target_is_cut() {
        assert_eq!(shown_of(&format!("/{}", "a".repeat(5_000))).len(), ECHO_BYTES_MAX);
    }

    #[test]
    fn a_caller_is_named_with_its_port() {
        let caller =
            |source: &str| Caller { source: Some(source.parse().unwrap()), port: Some(7), unix: false, tls: true };
        assert_eq!(from(Some(caller("127.0.0.1"))), "127.0.0.1:7");
        assert_eq!(from(Some(caller("::1"))), "[::1]:7");
        assert_eq!(from(Some(Caller { source: None, port: None, unix: true, tls: false })), "@");
    }
}
