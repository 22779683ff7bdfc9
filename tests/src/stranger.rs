//! An acceptor that is a stranger: it speaks Consul's peer stream without TLS and says to each peering what a test wants,
//! with messages written down here once more.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::token;

/// What a stranger does to one peering.
#[derive(Debug, Clone)]
pub enum Act {
    /// Refuses the exchange.
    RefuseExchange(Status),
    /// Gives this stream secret, which a dialer may refuse.
    Give(String),
    /// Exchanges, and refuses the stream.
    RefuseStream(Status),
    /// Exchanges, takes the stream and says this, then ends it or, without a status, keeps it.
    Say(Vec<Frame>, Option<Status>),
}

/// A frame of the stream, as far as a stranger says something with it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Frame {
    #[prost(message, optional, tag = "1")]
    open: Option<Open>,
    #[prost(message, optional, tag = "2")]
    request: Option<Ask>,
    #[prost(message, optional, tag = "3")]
    response: Option<Offer>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Open {
    #[prost(string, tag = "1")]
    peer_id: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Ask {
    #[prost(string, tag = "1")]
    peer_id: String,
    #[prost(string, tag = "2")]
    nonce: String,
    #[prost(string, tag = "3")]
    url: String,
    #[prost(message, optional, tag = "5")]
    error: Option<Problem>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Problem {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Offer {
    #[prost(string, tag = "1")]
    nonce: String,
    #[prost(string, tag = "2")]
    url: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(message, optional, tag = "4")]
    resource: Option<Any>,
    #[prost(int32, tag = "5")]
    operation: i32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// A list of texts in field 1: addresses of servers, names of services.
#[derive(Clone, PartialEq, Eq, Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    texts: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Bundle {
    #[prost(string, tag = "1")]
    trust_domain: String,
    #[prost(string, repeated, tag = "4")]
    root_pems: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ExchangeAsk {
    #[prost(string, tag = "1")]
    peer_id: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ExchangeAnswer {
    #[prost(string, tag = "1")]
    stream_secret: String,
}

/// Types of resources.
pub const TRUST_BUNDLE: &str = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle";
const ADDRESSES: &str = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringServerAddresses";
const SERVICE_LIST: &str = "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedServiceList";

impl Frame {
    /// Subscribes, or, with a nonce, acknowledges; with an error, refuses.
    #[must_use]
    pub fn request(peer_id: &str, nonce: &str, url: &str, error: Option<&str>) -> Self {
        let error = error.map(|message| Problem { code: 13, message: message.to_owned() });
        let [peer_id, nonce, url] = [peer_id, nonce, url].map(str::to_owned);
        Self { request: Some(Ask { peer_id, nonce, url, error }), ..Self::default() }
    }

    /// Offers what nobody can read.
    #[must_use]
    pub fn nonsense(nonce: &str, url: &str, id: &str) -> Self {
        Self::offer(nonce, url, id, vec![0xff])
    }

    /// Tells where to dial next.
    #[must_use]
    pub fn addresses(addresses: &[&str]) -> Self {
        let texts = addresses.iter().map(ToString::to_string).collect();
        Self::offer("a", ADDRESSES, "server-addrs", Texts { texts }.encode_to_vec())
    }

    /// Names services.
    #[must_use]
    pub fn services(names: &[&str]) -> Self {
        let texts = names.iter().map(ToString::to_string).collect();
        Self::offer("s", SERVICE_LIST, "exported-service-list", Texts { texts }.encode_to_vec())
    }

    /// Tells roots.
    #[must_use]
    pub fn roots(trust_domain: &str, pem: &str) -> Self {
        let bundle = Bundle { trust_domain: trust_domain.to_owned(), root_pems: vec![pem.to_owned()] };
        Self::offer("b", TRUST_BUNDLE, "roots", bundle.encode_to_vec())
    }

    fn offer(nonce: &str, url: &str, id: &str, value: Vec<u8>) -> Self {
        let [nonce, url, id] = [nonce, url, id].map(str::to_owned);
        let resource = Some(Any { url: url.clone(), value });
        Self { response: Some(Offer { nonce, url, id, resource, operation: 1 }), ..Self::default() }
    }
}

/// A listening stranger; it stops when it is dropped.
#[derive(Debug)]
pub struct Stranger {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Stranger {
    /// Starts a stranger that does each of these to the peering of the same number.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let edge = Edge { acts: Arc::new(acts) };
        let task = tokio::spawn(async move {
            let served = Server::builder().add_service(edge).serve_with_incoming(TcpListenerStream::new(listener));
            served.await.unwrap();
        });
        Self { address, task }
    }

    /// Returns the token of a peering: without CA, so for a server that allows plaintext.
    #[must_use]
    pub fn token(&self, number: usize, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "CA": null, "ManualServerAddresses": null, "ServerAddresses": [self.address.to_string()],
            "ServerName": "server.dc9.peering.99999999-8888-7777-6666-555555555555.consul",
            "PeerID": number.to_string(), "EstablishmentSecret": "11111111-2222-3333-4444-555555555555",
            "Remote": { "Partition": "", "Datacenter": "dc9" },
        });
        change(&mut claims);
        token::of(&claims)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Edge {
    acts: Arc<Vec<Act>>,
}

impl Edge {
    fn act(&self, peer_id: &str) -> Result<Act, Status> {
        let number: Option<usize> = peer_id.parse().ok();
        number.and_then(|number| self.acts.get(number).cloned()).ok_or_else(|| Status::not_found("no such peering"))
    }
}

impl NamedService for Edge {
    const NAME: &'static str = "hashicorp.consul.internal.peerstream.PeerStreamService";
}

impl Service<http::Request<Body>> for Edge {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move {
            if request.uri().path().ends_with("/ExchangeSecret") {
                let codec: ProstCodec<ExchangeAnswer, ExchangeAsk> = ProstCodec::default();
                Ok(Grpc::new(codec).unary(edge, request).await)
            } else {
                let codec: ProstCodec<Frame, Frame> = ProstCodec::default();
                Ok(Grpc::new(codec).streaming(edge, request).await)
            }
        })
    }
}

impl UnaryService<ExchangeAsk> for Edge {
    type Response = ExchangeAnswer;
    type Future = BoxFuture<Response<ExchangeAnswer>, Status>;

    fn call(&mut self, request: Request<ExchangeAsk>) -> Self::Future {
        let act = self.act(&request.get_ref().peer_id);
        Box::pin(async move {
            let stream_secret = match act? {
                Act::RefuseExchange(status) => return Err(status),
                Act::Give(secret) => secret,
                Act::RefuseStream(_) | Act::Say(..) => "22222222-3333-4444-5555-666666666666".to_owned(),
            };
            Ok(Response::new(ExchangeAnswer { stream_secret }))
        })
    }
}

impl StreamingService<Frame> for Edge {
    type Response = Frame;
    type ResponseStream = ReceiverStream<Result<Frame, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Frame>>) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move {
            let mut heard = request.into_inner();
            let open = heard.message().await?.and_then(|frame| frame.open);
            let open = open.ok_or_else(|| Status::invalid_argument("no Open"))?;
            let (frames, status) = match edge.act(&open.peer_id)? {
                Act::Say(frames, status) => (frames, status),
                Act::RefuseStream(status) | Act::RefuseExchange(status) => return Err(status),
                Act::Give(_) => return Err(Status::internal("nobody should have taken the secret")),
            };
            let (sender, receiver) = mpsc::channel(frames.len() + 1);
            tokio::spawn(async move {
                for frame in frames {
                    let _ = sender.send(Ok(frame)).await;
                }
                match status {
                    Some(status) => drop(sender.send(Err(status)).await),
                    // What the dialer says is read and forgotten, until it leaves.
                    None => while let Ok(Some(_)) = heard.message().await {},
                }
            });
            Ok(Response::new(ReceiverStream::new(receiver)))
        })
    }
}
