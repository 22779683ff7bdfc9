//! A client for the HTTP API that shows everything of an answer.

use std::net::SocketAddr;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Body, Client, Method, redirect};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks one server. It follows no redirect, knows no proxy and adds no header of its own but `Host`, `Accept` and, with
/// a body, `Content-Length`.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    address: SocketAddr,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: String,
}

impl Http {
    /// Makes a client for the server at this address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        // It speaks no TLS, so it need not read the roots of this machine, which takes longer than most tests.
        let client = Client::builder().no_proxy().no_gzip().redirect(redirect::Policy::none()).tls_certs_only([]);
        let client = client.build().unwrap();
        Self { client, address }
    }

    /// Returns where the server is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request with these headers and this body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// Sends a request to a server that may not be there, or not until it has answered.
    ///
    /// # Errors
    /// Why there is no whole answer; the server may have done what it was asked all the same.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Body>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address)).body(body);
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), *value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.text().await? })
    }

    /// Sends a request without headers and body.
    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(method, path, &[], "").await
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path).await
    }

    /// Sends a POST with this body.
    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Method::POST, path, &[], body).await
    }

    /// Sends a PUT with this body.
    pub async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Method::PUT, path, &[], body).await
    }

    /// Sends a GET for exactly this target on a connection of its own, and returns the answer as it came.
    pub async fn raw_get(&self, target: &str) -> String {
        let host = self.address;
        self.raw(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    /// Sends these bytes and returns all that comes back until the server closes, which the bytes should ask for.
    pub async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

impl Answer {
    /// Returns the value of a header; of several, the first.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns every value of a header.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// Returns the names of all headers, sorted.
    #[must_use]
    pub fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Reads the body as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.body))
    }

    /// Checks status and body, and that body and headers are those of Consul's errors: bare text, no JSON, no newline.
    #[track_caller]
    pub fn refuses(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, text));
        assert_eq!(self.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(self.header("x-consul-default-acl-policy"), Some("allow"));
        assert_eq!(self.header("vary"), Some("Accept-Encoding"));
        assert_eq!(self.header("x-consul-index"), None, "an error has no index");
    }

    /// Checks for success with a JSON body, and returns that.
    #[must_use = "the body may say more than that it went well"]
    #[track_caller]
    pub fn accepts(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-consul-default-acl-policy"), Some("allow"));
        assert_eq!(self.header("vary"), Some("Accept-Encoding"));
        self.json()
    }
}
