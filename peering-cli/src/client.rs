//! Calls the HTTP API of a server, ours or a real Consul.
//!
//! Only status 200 is success; `read` also takes 404, as "there is none".

pub(crate) mod acl;
pub(crate) mod address;
mod audit;
mod connection;
pub(crate) mod error;
pub(crate) mod go_io;
pub(crate) mod issued;
mod redirect;
mod resolver;
pub(crate) mod settings;
mod tls;
mod transport;
mod variables;

use peering_core::api::v1::{EstablishRequest, GenerateTokenRequest, GenerateTokenResponse, Peering};
use reqwest::header::HeaderName;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::connection::{Answer, Connection};
use self::error::ClientError;
use self::settings::{Settings, SettingsError};

/// Header in which a server of ours tells about a token that will hardly work; may be repeated.
const WARNING: HeaderName = HeaderName::from_static("x-peering-warning");

/// A client for one server.
pub(crate) struct Client {
    connection: Connection,
    /// Key and encoded value of what goes into the query of every request, sorted by key; usually none.
    query: Vec<(&'static str, String)>,
    partition: String,
}

/// A token that was generated, and what its server has to say about it.
pub(crate) struct Generated {
    pub response: GenerateTokenResponse,
    pub warnings: Vec<String>,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`] if no URL can be made of the address, or the TLS settings do not fit each other.
    pub(crate) fn new(settings: Settings) -> Result<Self, SettingsError> {
        let scope = [("dc", &settings.datacenter), ("ns", &settings.namespace), ("partition", &settings.partition)];
        let query = scope.into_iter().filter_map(|(key, value)| Some((key, form_encoded(value.as_deref()?)))).collect();
        let partition = settings.partition.clone().unwrap_or_default();
        Ok(Self { connection: Connection::new(settings)?, query, partition })
    }

    /// Returns the partition to name in a request body, empty for none.
    pub(crate) fn partition(&self) -> &str {
        &self.partition
    }

    /// Asks for a peering token.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn generate_token(&self, request: &GenerateTokenRequest) -> Result<Generated, ClientError> {
        let body = to_body(request)?;
        let answer = self.call(Method::POST, "/v1/peering/token", Some(body)).await?;
        let warnings = answer.headers.get_all(WARNING).iter();
        let warnings = warnings.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()).collect();
        Ok(Generated { response: from_body(&answer.body)?, warnings })
    }

    /// Has the server use a peering token.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn establish(&self, request: &EstablishRequest) -> Result<(), ClientError> {
        let answer = self.call(Method::POST, "/v1/peering/establish", Some(to_body(request)?)).await?;
        from_body::<serde_json::Value>(&answer.body).map(|_| ())
    }

    /// Lists all peerings. A server may answer `null`, which is told apart from an empty list.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn list(&self) -> Result<Option<Vec<Peering>>, ClientError> {
        from_body(&self.call(Method::GET, "/v1/peerings", None).await?.body)
    }

    /// Reads one peering; there may be none.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Peering>, ClientError> {
        match self.call(Method::GET, &peering_path(name)?, None).await {
            Ok(answer) => from_body(&answer.body).map(Some),
            Err(ClientError::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for the deletion of a peering, known or not.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &peering_path(name)?, None).await.map(|_| ())
    }

    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, ClientError> {
        self.connection.call(method, &format!("{path}{}", self.query_with(None)), body).await
    }

    /// Returns the query with its question mark, more keys in their places; their values are encoded.
    fn query_with(&self, more: impl IntoIterator<Item = (&'static str, String)>) -> String {
        let mut pairs: Vec<(&str, String)> = self.query.iter().cloned().chain(more).collect();
        pairs.sort_by_key(|(key, _)| *key);
        let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

/// Returns the path of one peering. Any name is sent, since it is the server that knows which names are valid.
fn peering_path(name: &str) -> Result<String, ClientError> {
    path_below("/v1/peering", name).ok_or_else(|| ClientError::Unaddressable { name: name.to_owned() })
}

/// Returns the path one step below another, or nothing if URLs take the step for something else, encoded or not.
fn path_below(parent: &str, step: &str) -> Option<String> {
    if matches!(step, "." | "..") {
        return None;
    }
    let mut url = Url::parse(&format!("http://localhost{parent}")).ok()?;
    url.path_segments_mut().ok()?.push(step);
    Some(url.path().to_owned())
}

fn form_encoded(value: &str) -> String {
    let pair = Url::parse_with_params("http://localhost/", [("", value)]).ok();
    pair.and_then(|url| url.query().map(|query| query.trim_start_matches('=').to_owned())).unwrap_or_default()
}

fn to_body(request: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(request).map_err(|source| ClientError::Request { source })
}

fn from_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|source| ClientError::Answer { source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::http::HttpFlags;

    #[test]
    fn a_name_is_one_step_of_the_path_whatever_it_holds() {
        for (name, path) in [
            ("cluster-02", "/v1/peering/cluster-02"),
            ("a/b", "/v1/peering/a%2Fb"),
            ("a?b#c%d e", "/v1/peering/a%3Fb%23c%25d%20e"),
        ] {
            assert_eq!(peering_path(name).unwrap(), path);
        }
        for name in [".", ".."] {
            assert!(matches!(peering_path(name), Err(ClientError::Unaddressable { .. })));
        }
    }

    #[test]
    fn what_is_asked_about_goes_into_the_query_by_name() {
        let plain = || Settings::resolve(&HttpFlags::default(), &|_| None, || None).unwrap();
        assert_eq!(Client::new(plain()).unwrap().query_with(None), "");
        let mut settings = plain();
        settings.namespace = Some("n".to_owned());
        settings.partition = Some("a b&c=".to_owned());
        settings.datacenter = Some("dc1".to_owned());
        let client = Client::new(settings).unwrap();
        assert_eq!(client.query_with(None), "?dc=dc1&ns=n&partition=a+b%26c%3D");
        let more = Some(("expanded", "true".to_owned()));
        assert_eq!(client.query_with(more), "?dc=dc1&expanded=true&ns=n&partition=a+b%26c%3D");
    }
}
