//! Paths before they are routed: what is no path is refused, and what is a path in another spelling is sent to it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Uri;

use super::error;

/// A path that has endpoints below it and is none.
const WITHOUT_SLASH: &str = "/v1/peering";

/// Answers for paths that no route should see, as Consul does.
pub(super) async fn only_canonical(request: Request, next: Next) -> Response {
    match check(request.uri()) {
        Ok(None) => next.run(request).await,
        Ok(Some(location)) => error::moved(request.method(), &location),
        Err(error) => error.into_response(),
    }
}

/// Says where a request should go instead, if anywhere.
fn check(uri: &Uri) -> Result<Option<String>, error::HttpError> {
    let path = uri.path();
    let decoded = decoded(path).ok_or_else(|| error::HttpError::bad_request("400 Bad Request"))?;
    // Consul refuses what it could not log safely, without a word.
    if !String::from_utf8(decoded).is_ok_and(|text| text.chars().all(is_printable)) {
        return Err(error::HttpError::bad_request(""));
    }
    if !path.starts_with('/') {
        return Ok(None);
    }
    let mut canonical = cleaned(path);
    if canonical == WITHOUT_SLASH {
        canonical.push('/');
    }
    if canonical == path {
        return Ok(None);
    }
    // Browsers take a backslash for a slash, and two of those for the begin of a host.
    let mut location = canonical.replace('\\', "%5C");
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    Ok(Some(location))
}

/// Says whether Go could read a query string: it takes `&` alone as separator, and whole escapes.
pub(super) fn is_query(query: &str) -> bool {
    !query.contains(';') && decoded(query).is_some()
}

/// Undoes percent escapes; `None` if one is not whole.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

/// Says whether a character can be shown: no control or format character, and no space but the ordinary one.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// Takes out empty segments and resolves `.` and `..`. A slash at the end stays.
fn cleaned(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let ends_with_slash = path.ends_with('/') && !segments.is_empty();
    format!("/{}{}", segments.join("/"), if ends_with_slash { "/" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(target: &str) -> Option<String> {
        check(&target.parse().unwrap()).unwrap()
    }

    #[test]
    fn canonical_paths_are_left_alone() {
        for target in ["/", "/v1/peerings", "/v1/peering/", "/v1/peering/a%2F%2Fb", "/v1/peering/..a?x=//", "*"] {
            assert_eq!(location(target), None, "{target}");
        }
    }

    #[test]
    fn other_spellings_of_a_path_lead_to_it() {
        for (target, expected) in [
            ("//v1/peerings?pretty", "/v1/peerings?pretty"),
            ("/v1//peering///x/", "/v1/peering/x/"),
            ("/v1/./peerings/.", "/v1/peerings"),
            ("/v1/peering/x/../y", "/v1/peering/y"),
            ("/../..//", "/"),
            ("/v1/peering", "/v1/peering/"),
            ("/v1/peering?a=b", "/v1/peering/?a=b"),
        ] {
            assert_eq!(location(target).as_deref(), Some(expected), "{target}");
        }
    }

    #[test]
    fn no_other_host_is_ever_led_to() {
        for target in ["//evil.example", "//evil.example/..//x", "/.//evil.example", "/x/..//\\evil.example"] {
            let location = location(target).unwrap();
            assert!(location.starts_with('/') && !location.starts_with("//") && !location.contains('\\'), "{location}");
        }
    }

    #[test]
    fn broken_escapes_and_characters_that_cannot_be_shown_are_refused() {
        for target in ["/%", "/%4", "/%zz", "/%+1", "/%01", "/%7f", "/%C2%A0", "/%E2%80%AE", "/%ff"] {
            assert!(check(&target.parse().unwrap()).is_err(), "{target}");
        }
        assert_eq!(location("/v1/peering/%C3%A9%20%22%5C%27"), None);
    }

    #[test]
    fn a_query_has_whole_escapes_and_no_semicolon() {
        assert!(["", "a", "a=b&c", "%3B", "a=%20+"].into_iter().all(is_query));
        assert!(!["%", "%zz", "a;b", "a=b&c=%2"].into_iter().any(is_query));
    }
}
