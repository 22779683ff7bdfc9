//! Success on the way out: JSON as Consul prints it, with the headers of a query.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use peering_core::gojson;
use serde::Serialize;

use super::App;
use super::extract::Asked;
use crate::store::Revision;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Prints a value: compact, or indented if asked for; `?pretty` also adds a newline.
pub(crate) fn json(app: &App, asked: &Asked, value: &impl Serialize) -> Response {
    let text = if asked.pretty {
        gojson::to_string_pretty(value).map(|text| text + "\n")
    } else if app.always_pretty {
        gojson::to_string_pretty(value)
    } else {
        gojson::to_string(value)
    };
    match text {
        Ok(text) => with_type(text),
        // Our shapes are maps with string keys; this cannot happen, and says so if it does.
        Err(error) => axum::response::IntoResponse::into_response(super::error::HttpError::bad_request(format!(
            "the answer has no JSON form: {error}"
        ))),
    }
}

/// Answers with nothing, as Consul answers a deletion.
pub(crate) fn empty() -> Response {
    with_type("")
}

/// Answers with a text of this type.
pub(crate) fn text(content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Says that the caller may not see everything.
pub(crate) fn filtered(mut response: Response) -> Response {
    response.headers_mut().insert("x-consul-results-filtered-by-acls", HeaderValue::from_static("true"));
    response
}

fn with_type(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Adds what a client needs to wait for the next change.
pub(crate) fn with_index(mut response: Response, index: Revision) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-consul-index", HeaderValue::from(index));
    headers.insert("x-consul-knownleader", HeaderValue::from_static("true"));
    headers.insert("x-consul-lastcontact", HeaderValue::from_static("0"));
    headers.insert("x-consul-query-backend", HeaderValue::from_static("blocking-query"));
    response
}

/// Says after which index a list goes on that was cut.
pub(crate) fn with_next(mut response: Response, after: Revision) -> Response {
    response.headers_mut().insert("x-peering-next-after", HeaderValue::from(after));
    response
}

/// Adds one header a warning; what cannot stand in a header is escaped.
pub(crate) fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    let name = HeaderName::from_static("x-peering-warning");
    for warning in warnings {
        let mut text = String::new();
        for c in warning.chars() {
            if c == ' ' || c.is_ascii_graphic() { text.push(c) } else { text.extend(c.escape_unicode()) }
        }
        let Ok(value) = HeaderValue::from_str(&text) else { continue };
        response.headers_mut().append(&name, value);
    }
    response
}
