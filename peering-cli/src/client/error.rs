//! What can go wrong with a call, in the words of Consul's Go client.

use reqwest::{Method, Url};
use thiserror::Error;

use crate::client::settings::SettingsError;
use crate::client::transport::TransportCause;

/// Says why a call failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ClientError {
    /// The settings do not do for this request.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There was no answer.
    #[error("{} \"{url}\": {cause}", verb(method))]
    Transport {
        /// Method of the request.
        method: Method,
        /// URL of the request.
        url: String,
        /// Why.
        cause: Box<TransportCause>,
    },
    /// The answer is a refusal. The body says why.
    #[error("Unexpected response code: {code} ({body})")]
    Status {
        /// Status code.
        code: u16,
        /// The body without blanks around it, escaped.
        body: String,
    },
    /// A request has no JSON form.
    #[error("cannot encode the request: {source}")]
    Request {
        /// Why.
        source: serde_json::Error,
    },
    /// The answer is not the JSON that it should be.
    #[error("cannot read the server's answer: {source}; is this the HTTP API of Consul or peering?")]
    Answer {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The answer does not end.
    #[error("the server's answer is longer than {bytes_max} bytes")]
    AnswerTooLarge {
        /// Most bytes that are read.
        bytes_max: usize,
    },
    /// A redirect leads nowhere.
    #[error("{} \"{url}\": redirected to {location:?}, which is not a URL", verb(method))]
    RedirectTarget {
        /// Method of the request.
        method: Method,
        /// URL of the request.
        url: String,
        /// Where it was sent.
        location: String,
    },
    /// A request with secrets in its body was sent to another server.
    #[error(
        "{} \"{url}\": redirected to {}, another server: if you trust it, give its address with -http-addr",
        verb(method),
        origin(target)
    )]
    RedirectAway {
        /// Method of the request.
        method: Method,
        /// URL of the request.
        url: String,
        /// Where it was sent.
        target: Box<Url>,
    },
    /// Redirects go on and on.
    #[error("{} \"{url}\": stopped after {redirects_max} redirects", verb(method))]
    TooManyRedirects {
        /// Method of the request.
        method: Method,
        /// URL of the last request.
        url: String,
        /// Most redirects that are followed.
        redirects_max: usize,
    },
    /// The name is one that URLs take for a step in the path.
    #[error("{name:?} is not a valid peer name: a path cannot carry it")]
    Unaddressable {
        /// The name.
        name: String,
    },
    /// The same of an id.
    #[error("{id:?} is not a valid id: a path cannot carry it")]
    UnaddressableId {
        /// The id.
        id: String,
    },
}

/// Body of a 404 from a server that has no such endpoint, in Consul's words, which are ours too.
const UNKNOWN_PATH: &str = "Invalid URL path";

impl ClientError {
    /// Says whether the server has no such endpoint.
    pub(crate) fn is_unknown_path(&self) -> bool {
        matches!(self, Self::Status { code: 404, body } if body.starts_with(UNKNOWN_PATH))
    }

    /// Says whether the server refused a key of the request's JSON that it does not know, as Go's decoder does.
    pub(crate) fn is_unknown_field(&self, field: &str) -> bool {
        matches!(self, Self::Status { code: 400, body } if body.ends_with(&format!("unknown field {field:?}")))
    }
}

/// Returns the method as Go's errors name it: `Get`, `Post`, `Delete`.
fn verb(method: &Method) -> String {
    let (first, rest) = method.as_str().split_at(1);
    format!("{first}{}", rest.to_ascii_lowercase())
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
