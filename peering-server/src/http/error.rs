//! Everything but success on the way out: the only file with status codes, each with its reason.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{StatusCode, Uri};
use peering_core::acl::RulesError;
use peering_core::api::acl::AclBodyError;
use peering_core::api::body::BodyError;
use peering_core::foreign;
use peering_core::token::VerifyError;
use tracing::{debug, error};

use crate::causes::chain;
use crate::service::ServiceError;
use crate::service::acl::AclError;
use crate::service::establish::CallCode;

/// An answer other than success: a status and bare text, as Consul's.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    text: String,
}

impl HttpError {
    /// The request is not well formed, so no service was asked.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// The caller is a browser page or a name that is not ours.
    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    /// The request is for a datacenter that nobody here knows.
    pub(crate) fn no_datacenter() -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text: "No path to datacenter".to_owned() }
    }

    /// A handler broke off: a fault of ours, which the log tells.
    pub(crate) fn broken(cause: &dyn std::error::Error) -> Self {
        error!(cause = chain(cause), "Request error");
        let text = "the request broke off; the server's log has the cause".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text }
    }

    /// The body took longer than anybody may hold a place.
    pub(crate) fn too_slow(text: impl Into<String>) -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, text: text.into() }
    }

    /// The body is longer than any request of ours.
    pub(crate) fn too_large(text: impl Into<String>) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, text: text.into() }
    }
}

impl From<BodyError> for HttpError {
    fn from(error: BodyError) -> Self {
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
            ServiceError::NotFound(_) => StatusCode::NOT_FOUND,
            ServiceError::Acl(error) => of_acl(error),
            // A key of ours, so the status is ours to choose.
            ServiceError::TtlTooShort(_) => StatusCode::BAD_REQUEST,
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
            // Consul answers 500 to everything else, bad names and tokens too; its clients know no other status.
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let text = error.to_string();
        match &error {
            ServiceError::DiskFull(_) => {
                error!(cause = chain(&error), "Request error");
                Self { status, text }
            }
            ServiceError::Store(_)
            | ServiceError::Record(_)
            | ServiceError::Keyring(_)
            | ServiceError::OutcomeUnknown => {
                error!(cause = chain(&error), "Request error");
                Self { status, text: format!("{text}; the server's log has the cause") }
            }
            _ => {
                debug!(error = foreign::quoted(&text), "Request error");
                Self { status, text }
            }
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
        plain(self.status, self.text)
    }
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
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
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
    plain(StatusCode::INTERNAL_SERVER_ERROR, "")
}

/// Leads to the canonical spelling of a path; 301 is what Consul's releases answer.
pub(crate) fn moved(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else { return plain(StatusCode::BAD_REQUEST, "") };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(LOCATION, location);
    response
}
