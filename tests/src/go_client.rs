//! Requests as Go's HTTP client sends them, header by header, on one connection that is used again and again.

use std::io::Read;
use std::net::SocketAddr;

use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::http::Answer;

/// A program on Consul's Go client. Since `github.com/hashicorp/consul/api` 1.32 that client names a content type on
/// every request, also where there is no content.
#[derive(Debug, Clone)]
pub struct GoClient {
    address: SocketAddr,
    user_agent: &'static str,
    token: Option<String>,
    content_types: usize,
}

/// The connection of one run of a program.
#[derive(Debug)]
pub struct Connection {
    client: GoClient,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl GoClient {
    /// Makes a program that says this of itself.
    #[must_use]
    pub const fn new(address: SocketAddr, user_agent: &'static str) -> Self {
        Self { address, user_agent, token: None, content_types: 1 }
    }

    /// Has it present a token.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Has it name the content type of each body twice, as a program does that knows older versions of its library.
    #[must_use]
    pub const fn content_type_twice(mut self) -> Self {
        self.content_types = 2;
        self
    }

    /// Connects.
    pub async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut builder = http1::Builder::new();
        builder.title_case_headers(true);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        // It ends with the sender, or when the server closes.
        tokio::spawn(connection);
        Connection { client: self.clone(), sender }
    }
}

impl Connection {
    /// Sends a GET.
    pub async fn get(&mut self, target: &str) -> Answer {
        self.send(Method::GET, target, None).await
    }

    /// Sends a DELETE.
    pub async fn delete(&mut self, target: &str) -> Answer {
        self.send(Method::DELETE, target, None).await
    }

    /// Sends a POST with this JSON, after which Go's encoder puts a newline.
    pub async fn post(&mut self, target: &str, json: String) -> Answer {
        self.send(Method::POST, target, Some(json + "\n")).await
    }

    async fn send(&mut self, method: Method, target: &str, body: Option<String>) -> Answer {
        let GoClient { address, user_agent, token, content_types } = &self.client;
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", address.to_string())
            .header("user-agent", *user_agent);
        if let Some(body) = &body {
            request = request.header("content-length", body.len());
        }
        for _ in 0..body.as_ref().map_or(1, |_| *content_types) {
            request = request.header("content-type", "application/json");
        }
        if let Some(token) = token {
            request = request.header("x-consul-token", token);
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let request = request.header("accept-encoding", "gzip").body(body).unwrap();

        // A server that has closed the connection in between would be found here, and no answer is worth more than one.
        self.sender.ready().await.expect("the server keeps the connection");
        let (head, body) = self.sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let is_packed = head.headers.get(CONTENT_ENCODING) == Some(&HeaderValue::from_static("gzip"));
        let body = if is_packed { unpack(&body) } else { String::from_utf8(body.to_vec()).unwrap() };
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }
}

fn unpack(packed: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Takes one request on a connection, and returns it as it came.
    async fn heard(listener: TcpListener) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        heard.truncate(read);
        String::from_utf8(heard).unwrap()
    }

    // What was expected here was read off a socket, from the Go client 1.32.1 built with Go 1.26.
    #[tokio::test]
    async fn a_request_is_what_the_go_client_sends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = GoClient::new(address, "Go-http-client/1.1").token("tok").content_type_twice();
        let mut connection = client.connect().await;
        let body = r#"{"PeerName":"p"}"#.to_owned();
        let (heard, _) = tokio::join!(heard(listener), connection.post("/v1/peering/token?dc=dc1", body));
        assert_eq!(
            heard,
            format!(
                "POST /v1/peering/token?dc=dc1 HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Go-http-client/1.1\r\n\
                 Content-Length: 17\r\nContent-Type: application/json\r\nContent-Type: application/json\r\n\
                 X-Consul-Token: tok\r\nAccept-Encoding: gzip\r\n\r\n{{\"PeerName\":\"p\"}}\n"
            )
        );
    }

    #[tokio::test]
    async fn a_request_without_content_names_a_content_type_once_all_the_same() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connection = GoClient::new(address, "consul-k8s/v2.0.3").content_type_twice().connect().await;
        let (heard, _) = tokio::join!(heard(listener), connection.get("/v1/peering/p"));
        assert_eq!(
            heard,
            format!(
                "GET /v1/peering/p HTTP/1.1\r\nHost: {address}\r\nUser-Agent: consul-k8s/v2.0.3\r\n\
                 Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
            )
        );
    }
}
