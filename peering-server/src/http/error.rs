//! Everything but success on the way out: the only file with status codes, each with its reason.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode, Uri};
use peering_core::acl::RulesError;
use peering_core::api::acl::AclBodyError;
use peering_core::api::body::BodyError;
use peering_core::config_entry::DecodeError;
use peering_core::foreign;
use peering_core::secrets::Refusal as Refused;
use peering_core::token::VerifyError;

use super::requests::Refusal;
use crate::causes::chain;
use crate::service::ServiceError;
use crate::service::acl::AclError;
use crate::service::establish::CallCode;

/// An answer other than success: a status and bare text, as Consul's.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    text: String,
    /// What the log tells; the text if there is nothing else to tell.
    cause: Option<String>,
}

impl HttpError {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), cause: None }
    }

    /// What is told to the caller.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The request is not well formed, so no service was asked.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// The caller is a browser page or a name that is not ours.
    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// The request is for a datacenter that nobody here knows.
    pub(crate) fn no_datacenter() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "No path to datacenter")
    }

    /// A handler broke off: a fault of ours, which the log tells.
    pub(crate) fn broken(cause: &dyn std::error::Error) -> Self {
        let text = "the request broke off; the server's log has the cause".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text, cause: Some(chain(cause)) }
    }

    /// What was asked for is not there, and no service need be asked.
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// The request is not well formed, and Consul answers 500 to it.
    pub(crate) fn as_consul(text: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// The body took longer than anybody may hold a place.
    pub(crate) fn too_slow(text: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, text)
    }

    /// The body is longer than any request of ours.
    pub(crate) fn too_large(text: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }
}

impl From<BodyError> for HttpError {
    fn from(error: BodyError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<DecodeError> for HttpError {
    fn from(error: DecodeError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<AclBodyError> for HttpError {
    fn from(error: AclBodyError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<ServiceError> for HttpError {
    fn from(error: ServiceError) -> Self {
        let status = match &error {
            // Consul answers 403 so that callers know to generate a new token.
            ServiceError::NewTokenNeeded(_) | ServiceError::Denied(_) => StatusCode::FORBIDDEN,
            // Consul's tokens have no end; one of ours that ended needs what a spent one needs.
            ServiceError::TokenRefused(VerifyError::Expired { .. }) => StatusCode::FORBIDDEN,
            ServiceError::NotFound(_) | ServiceError::NoConfigEntry { .. } | ServiceError::NoAuditTrail => {
                StatusCode::NOT_FOUND
            }
            ServiceError::Acl(error) => of_acl(error),
            // A key of ours, so the status is ours to choose.
            ServiceError::TtlTooShort(_) | ServiceError::TtlTooLong { .. } => StatusCode::BAD_REQUEST,
            // Of issued tokens, which are ours too.
            ServiceError::Refused(Refused::NoToken(_)) => StatusCode::NOT_FOUND,
            ServiceError::Refused(Refused::TokenInUse(_) | Refused::TokenEnded { .. } | Refused::TokenOfDeleted(_)) => {
                StatusCode::CONFLICT
            }
            // The first failure decides, as in Consul.
            ServiceError::Exchange(failure) => match failure.first_code() {
                CallCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                CallCode::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            // Ours: the request is fine and may be repeated.
            ServiceError::Contended { .. } | ServiceError::OutboxFull { .. } | ServiceError::DiskFull(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ServiceError::TooManyWaiting { .. } => StatusCode::TOO_MANY_REQUESTS,
            // Consul answers 500 to everything else, bad names and tokens too; its clients know no other status.
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let text = error.to_string();
        match &error {
            ServiceError::DiskFull(_) => Self { status, text, cause: Some(chain(&error)) },
            ServiceError::Store(_)
            | ServiceError::Record(_)
            | ServiceError::Keyring(_)
            | ServiceError::OutcomeUnknown => {
                let text = format!("{text}; the server's log has the cause");
                Self { status, text, cause: Some(chain(&error)) }
            }
            _ => Self::new(status, text),
        }
    }
}

/// Consul's statuses for what is wrong with tokens and policies.
const fn of_acl(error: &AclError) -> StatusCode {
    match error {
        // Consul's word for endpoints that are there and of no use.
        AclError::Disabled => StatusCode::UNAUTHORIZED,
        // Consul answers 403 wherever its text says that a token is not found.
        AclError::NotFound
        | AclError::NoToken
        | AclError::BootstrapOver { .. }
        | AclError::BootstrapSecret
        | AclError::BootstrapRemote => StatusCode::FORBIDDEN,
        AclError::NoPolicy | AclError::NoTokenToDelete | AclError::NoPolicyToDelete => StatusCode::NOT_FOUND,
        // Ours: bounds that Consul does not have.
        AclError::Rules(RulesError::TooLong { .. }) | AclError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let refusal = self.cause.map_or_else(|| Refusal::of_request(&self.text), Refusal::of_ours);
        refused(plain(self.status, self.text), refusal)
    }
}

/// Leaves word for the log.
fn refused(mut response: Response, refusal: Refusal) -> Response {
    response.extensions_mut().insert(refusal);
    response
}

fn plain(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Names the methods of an endpoint.
pub(crate) fn options(allow: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Refuses a method that the endpoint does not have.
pub(crate) fn method_not_allowed(request: &Request, allow: &'static str) -> Response {
    let text = format!("method {} not allowed", foreign::echo(request.method().as_str()));
    let refusal = Refusal::of_request(&text);
    let mut response = refused(plain(StatusCode::METHOD_NOT_ALLOWED, text), refusal);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Refuses a path that is no endpoint.
pub(crate) async fn unknown_path(uri: Uri) -> Response {
    let reason = if uri.path().contains("/v1/") {
        "not a recognized HTTP API endpoint"
    } else {
        "if attempting to use the HTTP API, ensure the path starts with '/v1/'"
    };
    plain(StatusCode::NOT_FOUND, format!("Invalid URL path: {reason}\n"))
}

/// Refuses a query string that cannot be read, as Consul does: 500 and no word.
pub(crate) fn bad_query() -> Response {
    refused(plain(StatusCode::INTERNAL_SERVER_ERROR, ""), Refusal::of_request("Failed to decode query"))
}

/// Leads to the canonical spelling of a path; 301 is what Consul's releases answer. As Go does, a page says so too to
/// whoever reads one.
pub(crate) fn moved(method: &Method, location: &str) -> Response {
    let Ok(value) = HeaderValue::from_str(location) else { return plain(StatusCode::BAD_REQUEST, "") };
    let has_page = [Method::GET, Method::HEAD].contains(method);
    let page =
        if has_page { format!("<a href=\"{}\">Moved Permanently</a>.\n\n", in_html(location)) } else { String::new() };
    let mut response = Response::new(Body::from(page));
    if has_page {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(LOCATION, value);
    response
}

/// Escapes what would be markup.
fn in_html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&#34;").replace('\'', "&#39;")
}
