//! Which redirects are followed, and what goes along.
//!
//! A token and a request body are for the server that was named, so neither leaves it: a redirect to another host, another
//! port or from TLS to plain text gets no token, and none at all if the request has a body.

use reqwest::{Method, StatusCode, Url};

/// Most redirects that are followed, as in Go.
pub(crate) const REDIRECTS_MAX: usize = 10;

/// Returns the method of the next request, if the status asks for one.
///
/// 303 asks for the result of what was done and is fetched. The others repeat the request as it was: turning a `DELETE`
/// into a `GET`, as some clients do, would report a deletion that never took place.
///
/// # Source
/// RFC 9110, section 15.4.
pub(crate) fn next_method(status: StatusCode, method: &Method) -> Option<Method> {
    match status {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => Some(method.clone()),
        StatusCode::SEE_OTHER => Some(Method::GET),
        _ => None,
    }
}

/// Says whether a URL is the same server as another, or the same one with TLS added.
pub(crate) fn is_same_server(from: &Url, to: &Url) -> bool {
    let is_upgrade = from.scheme() == "http" && to.scheme() == "https";
    let has_same_port = from.port_or_known_default() == to.port_or_known_default();
    from.host() == to.host() && (is_upgrade || (from.scheme() == to.scheme() && has_same_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_303_changes_the_method() {
        for status in [301, 302, 307, 308] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(next_method(status, &Method::DELETE), Some(Method::DELETE));
        }
        assert_eq!(next_method(StatusCode::SEE_OTHER, &Method::POST), Some(Method::GET));
        for status in [StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::MULTIPLE_CHOICES] {
            assert_eq!(next_method(status, &Method::GET), None);
        }
    }

    #[test]
    fn another_host_port_or_plain_text_is_another_server() {
        for (from, to, is_same) in [
            ("http://h:1/a", "http://h:1/b", true),
            ("http://h", "http://h:80/", true),
            ("http://h:8500", "https://h:8501", true),
            ("https://h", "http://h", false),
            ("http://h:1", "http://h:2", false),
            ("http://h", "http://other", false),
        ] {
            let parse = |text: &str| Url::parse(text).unwrap();
            assert_eq!(is_same_server(&parse(from), &parse(to)), is_same, "{from} {to}");
        }
    }
}
