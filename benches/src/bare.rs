//! gRPC over TLS with nothing behind it: a server that echoes, and a client of it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result};
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use peering_core::name::{Datacenter, TrustDomain};
use peering_server::ca::{Authority, LeafKeeper, Purpose};
use peering_server::tls::{ALPN_H2, ServerTls, client_config};
use prost::Message;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::server::{Grpc as Server, StreamingService, UnaryService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

const NAME: &str = "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul";
const UNARY: &str = "/bare.Echo/Unary";
const STREAM: &str = "/bare.Echo/Stream";

/// What is echoed; as long as an Open.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Note {
    #[prost(string, tag = "1")]
    text: String,
}

impl Note {
    fn new() -> Self {
        Self { text: "0123456789abcdef0123456789abcdef0123".repeat(4) }
    }
}

#[derive(Clone)]
struct Echo;

impl UnaryService<Note> for Echo {
    type Response = Note;
    type Future = std::future::Ready<Result<Response<Note>, Status>>;

    fn call(&mut self, request: Request<Note>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

impl StreamingService<Note> for Echo {
    type Response = Note;
    type ResponseStream = Streaming<Note>;
    type Future = std::future::Ready<Result<Response<Streaming<Note>>, Status>>;

    fn call(&mut self, request: Request<Streaming<Note>>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

impl tower::Service<http::Request<Incoming>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Self::Future {
        Box::pin(async move {
            let mut server = Server::new(ProstCodec::<Note, Note>::default());
            Ok(match request.uri().path() {
                UNARY => server.unary(Echo, request).await,
                _ => server.streaming(Echo, request).await,
            })
        })
    }
}

/// A server that echoes, with the same TLS settings and kind of certificate as the product's peer listener.
pub(crate) struct BareServer {
    listener: TcpListener,
    tls: ServerTls,
    root: String,
}

impl BareServer {
    /// Listens on a free port of loopback.
    pub(crate) async fn bind() -> Result<Self> {
        let now = jiff::Timestamp::now();
        let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul")?;
        let authority = Arc::new(Authority::create(Purpose::Peering, &domain, now)?);
        let root = authority.root_pem().to_owned();
        let leaf = LeafKeeper::start(authority, Datacenter::parse("dc1")?, now)?;
        let tls = ServerTls::new([(NAME.to_owned(), leaf.slot())], &[ALPN_H2])?;
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0").await?, tls, root })
    }

    /// Returns what a client needs to know.
    pub(crate) fn client(&self) -> Result<BareClient> {
        BareClient::new(self.listener.local_addr()?, &self.root)
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) -> Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            stream.set_nodelay(true)?;
            let tls = self.tls.clone();
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let service = TowerToHyperService::new(Echo);
                _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// Serves until the process is killed. The root goes to the file named by the one argument.
pub(crate) async fn serve_until_killed() -> Result<()> {
    let server = BareServer::bind().await?;
    let root = PathBuf::from(std::env::args_os().nth(1).context("a file for the root must be named")?);
    tokio::fs::write(root, &server.root).await?;
    println!("ready {}", server.listener.local_addr()?);
    server.serve().await
}

/// Dials the server that echoes.
#[derive(Clone)]
pub(crate) struct BareClient {
    address: SocketAddr,
    tls: TlsConnector,
    name: ServerName<'static>,
}

/// A stream that was echoed once and stays open.
pub(crate) struct BareStream {
    _sender: mpsc::Sender<Note>,
    _answers: Streaming<Note>,
}

impl BareClient {
    /// Prepares to dial.
    pub(crate) fn new(address: SocketAddr, root: &str) -> Result<Self> {
        let tls = TlsConnector::from(Arc::new(client_config([root], jiff::Timestamp::now)?));
        Ok(Self { address, tls, name: ServerName::try_from(NAME)?.to_owned() })
    }

    /// Connects: one TCP connection, one TLS handshake.
    async fn channel(&self) -> Result<Channel> {
        let client = self.clone();
        let connect = tower::service_fn(move |_: http::Uri| {
            let client = client.clone();
            async move {
                let stream = TcpStream::connect(client.address).await?;
                stream.set_nodelay(true)?;
                Ok::<_, std::io::Error>(TokioIo::new(client.tls.connect(client.name, stream).await?))
            }
        });
        Ok(Endpoint::from_static("http://bare").connect_with_connector(connect).await?)
    }

    /// Connects for one unary call.
    pub(crate) async fn unary(&self) -> Result<()> {
        let mut grpc = Grpc::new(self.channel().await?);
        grpc.ready().await?;
        let codec = ProstCodec::<Note, Note>::default();
        grpc.unary(Request::new(Note::new()), PathAndQuery::from_static(UNARY), codec).await?;
        Ok(())
    }

    /// Connects for one stream, and has one message echoed.
    pub(crate) async fn stream(&self) -> Result<BareStream> {
        let mut grpc = Grpc::new(self.channel().await?);
        grpc.ready().await?;
        let (sender, notes) = mpsc::channel(1);
        sender.send(Note::new()).await?;
        let codec = ProstCodec::<Note, Note>::default();
        let request = Request::new(ReceiverStream::new(notes));
        let answer = grpc.streaming(request, PathAndQuery::from_static(STREAM), codec).await?;
        let mut answers = answer.into_inner();
        answers.message().await?.context("the echo ended")?;
        Ok(BareStream { _sender: sender, _answers: answers })
    }
}
