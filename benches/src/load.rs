//! HTTP as cheaply as can be: keep-alive connections that ask, and a server that answers with nothing.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// One connection, one request at a time.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Asks and returns the body of the answer, which must be 200.
    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<Bytes> {
        let request = Request::builder().method(method).uri(path).header("host", &self.host);
        self.sender.ready().await?;
        let answer = self.sender.send_request(request.body(Full::new(body.into()))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status == 200, "{path} answered {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// Generates a token and returns it.
    pub(crate) async fn generate(&mut self, name: &str) -> Result<String> {
        let body = self.ask(Method::POST, "/v1/peering/token", format!(r#"{{"PeerName":"{name}"}}"#)).await?;
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        Ok(answer["PeeringToken"].as_str().unwrap_or_default().to_owned())
    }

    /// Uses a token.
    pub(crate) async fn establish(&mut self, name: &str, token: &str) -> Result<()> {
        let body = format!(r#"{{"PeerName":"{name}","PeeringToken":"{token}"}}"#);
        self.ask(Method::POST, "/v1/peering/establish", body).await?;
        Ok(())
    }
}

/// Answers every request with nothing, until the process is killed.
pub(crate) async fn serve_nothing_until_killed() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(|request: Request<Incoming>| async move {
            _ = request.into_body().collect().await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
