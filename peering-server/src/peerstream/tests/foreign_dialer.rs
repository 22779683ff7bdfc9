//! A dialer that is not ours: it says what it is told to, over the server's own TLS.

use std::sync::Arc;

use http::uri::PathAndQuery;
use peering_core::token::PeeringToken;
use prost_types::Any;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::clock::soon;
use crate::bounds::FRAME_BYTES_MAX;
use crate::dial::connect::once;
use crate::peerstream::proto::peering::RemoteInfo;
use crate::peerstream::proto::peerstream::peer_stream_service_client::PeerStreamServiceClient;
use crate::peerstream::proto::peerstream::replication_message::{
    Heartbeat, Open, Payload, Request as Ask, Response, Terminated,
};
use crate::peerstream::proto::peerstream::{ExchangeSecretRequest, ReplicationMessage};
use crate::tls::provider;

pub(super) const SERVICES: &str = "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedService";
pub(super) const SERVICE_LIST: &str = "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedServiceList";
pub(super) const TRUST_BUNDLE: &str = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle";
pub(super) const ADDRESSES: &str = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringServerAddresses";
/// What a dialer subscribes to, in Consul's order.
pub(super) const ALL: [&str; 4] = [SERVICES, SERVICE_LIST, TRUST_BUNDLE, ADDRESSES];

/// A call's status as the tables of the protocol give it.
pub(super) fn told(status: &Status) -> (i32, &str) {
    (status.code().into(), status.message())
}

/// Shakes hands with the first address of a token, under a name, believing the token's roots.
pub(super) async fn shake_hands(
    token: &PeeringToken,
    name: ServerName<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for pem in &token.ca {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider())).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(&token.server_addresses[0]).await?;
    socket.set_nodelay(true)?;
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// A connection to a server, as a token leads to it.
#[derive(Clone)]
pub(super) struct ForeignDialer {
    channel: Channel,
}

impl ForeignDialer {
    pub(super) async fn connect(token: &PeeringToken) -> Self {
        Self::connect_by(token, |endpoint| endpoint).await
    }

    pub(super) async fn connect_by(token: &PeeringToken, adjust: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        let name = ServerName::try_from(token.server_name.clone()).unwrap();
        let socket = shake_hands(token, name).await.unwrap();
        let endpoint = adjust(Endpoint::from_static("http://foreign"));
        Self { channel: endpoint.connect_with_connector(once(socket.into())).await.unwrap() }
    }

    fn client(&self) -> PeerStreamServiceClient<Channel> {
        PeerStreamServiceClient::new(self.channel.clone()).max_decoding_message_size(FRAME_BYTES_MAX)
    }

    /// Asks for a stream secret; with a redemption if there is one.
    pub(super) async fn exchange(
        &self,
        peer_id: &str,
        secret: &str,
        redemption: Option<&str>,
    ) -> Result<String, Status> {
        let (peer_id, establishment_secret) = (peer_id.to_owned(), secret.to_owned());
        let mut request = Request::new(ExchangeSecretRequest { peer_id, establishment_secret });
        if let Some(redemption) = redemption {
            request.metadata_mut().insert("peering-redemption", redemption.parse().unwrap());
        }
        let answer = soon("an exchange", self.client().exchange_secret(request)).await?;
        Ok(answer.into_inner().stream_secret)
    }

    /// Redeems a token without telling who asks.
    pub(super) async fn redeem(&self, token: &PeeringToken) -> String {
        self.exchange(&token.peer_id, token.establishment_secret.expose(), None).await.unwrap()
    }

    /// Calls a method that is not one of ours.
    pub(super) async fn call(&self, path: &'static str) -> Status {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let codec = ProstCodec::<ExchangeSecretRequest, ExchangeSecretRequest>::default();
        let request = Request::new(ExchangeSecretRequest::default());
        soon("a refusal", grpc.unary(request, PathAndQuery::from_static(path), codec)).await.unwrap_err()
    }

    /// Begins a stream without saying anything.
    pub(super) fn stream(&self) -> ForeignStream {
        let (sender, frames) = mpsc::channel(64);
        let mut client = self.client();
        let call = tokio::spawn(async move {
            let answer = client.stream_resources(ReceiverStream::new(frames)).await?;
            Ok(answer.into_inner())
        });
        ForeignStream { frames: Some(sender), answer: Answer::Awaited(call) }
    }

    /// Opens a stream.
    pub(super) async fn open(&self, peer_id: &str, secret: &str) -> ForeignStream {
        let stream = self.stream();
        stream.open(peer_id, secret, "dc-foreign").await;
        stream
    }

    /// Opens a stream and subscribes, as every dialer does.
    pub(super) async fn dial(&self, peer_id: &str, secret: &str) -> ForeignStream {
        let stream = self.open(peer_id, secret).await;
        for url in ALL {
            stream.subscribe(peer_id, url).await;
        }
        stream
    }

    /// Opens a stream, subscribes, and waits until it is accepted.
    pub(super) async fn dialed(&self, peer_id: &str, secret: &str) -> ForeignStream {
        let mut stream = self.dial(peer_id, secret).await;
        stream.next().await.unwrap().unwrap();
        stream
    }
}

/// One stream, seen from the dialer.
pub(super) struct ForeignStream {
    frames: Option<mpsc::Sender<ReplicationMessage>>,
    answer: Answer,
}

enum Answer {
    Awaited(JoinHandle<Result<Streaming<ReplicationMessage>, Status>>),
    Frames(Box<Streaming<ReplicationMessage>>),
}

impl ForeignStream {
    /// Says something; nobody hears it if the call is over.
    pub(super) async fn say(&self, payload: Option<Payload>) {
        if let Some(frames) = &self.frames {
            let _ = frames.send(ReplicationMessage { payload }).await;
        }
    }

    pub(super) async fn open(&self, peer_id: &str, secret: &str, datacenter: &str) {
        let remote = Some(RemoteInfo { datacenter: datacenter.to_owned(), ..RemoteInfo::default() });
        let (peer_id, stream_secret_id) = (peer_id.to_owned(), secret.to_owned());
        self.say(Some(Payload::Open(Open { peer_id, stream_secret_id, remote }))).await;
    }

    pub(super) async fn subscribe(&self, peer_id: &str, url: &str) {
        let (peer_id, resource_url) = (peer_id.to_owned(), url.to_owned());
        self.say(Some(Payload::Request(Ask { peer_id, resource_url, ..Ask::default() }))).await;
    }

    pub(super) async fn acknowledge(&self, url: &str, nonce: &str) {
        let (resource_url, response_nonce) = (url.to_owned(), nonce.to_owned());
        self.say(Some(Payload::Request(Ask { resource_url, response_nonce, ..Ask::default() }))).await;
    }

    pub(super) async fn beat(&self) {
        self.say(Some(Payload::Heartbeat(Heartbeat {}))).await;
    }

    pub(super) async fn terminate(&self) {
        self.say(Some(Payload::Terminated(Terminated {}))).await;
    }

    /// Sends a resource and returns what the server says of it.
    pub(super) async fn offer(&mut self, response: Response) -> Ask {
        let nonce = response.nonce.clone();
        self.say(Some(Payload::Response(response))).await;
        self.reply(&nonce).await
    }

    /// Waits for the reply to a response with this nonce.
    pub(super) async fn reply(&mut self, nonce: &str) -> Ask {
        loop {
            match self.next().await.unwrap() {
                Some(Payload::Request(reply)) if reply.response_nonce == nonce && !is_subscription(&reply) => {
                    return reply;
                }
                Some(_) => {}
                None => panic!("the call ended before it answered {nonce:?}"),
            }
        }
    }

    pub(super) fn half_close(&mut self) {
        self.frames = None;
    }

    /// Waits for the next frame; `None` at the end of a call that ended well.
    pub(super) async fn next(&mut self) -> Result<Option<Payload>, Status> {
        if let Answer::Awaited(call) = &mut self.answer {
            let frames = soon("an answer to the call", call).await.unwrap()?;
            self.answer = Answer::Frames(Box::new(frames));
        }
        let Answer::Frames(frames) = &mut self.answer else { unreachable!() };
        let message = soon("a frame", frames.message()).await?;
        Ok(message.map(|message| message.payload.unwrap()))
    }

    /// Expects a refusal that is a status alone: no headers went before it, as a dialer of Consul expects.
    pub(super) async fn refused(self) -> (i32, String) {
        let Answer::Awaited(call) = self.answer else { panic!("the call was answered") };
        let status = soon("a refusal", call).await.unwrap().unwrap_err();
        let (code, text) = told(&status);
        (code, text.to_owned())
    }

    /// Reads to the end of the call and returns the frames and the status; code 0 for a call that ended well.
    pub(super) async fn ended(&mut self) -> (Vec<Payload>, (i32, String)) {
        let mut frames = vec![];
        loop {
            match self.next().await {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, (Code::Ok.into(), String::new())),
                Err(status) => {
                    let (code, text) = told(&status);
                    return (frames, (code, text.to_owned()));
                }
            }
        }
    }
}

/// A subscription has neither nonce nor error; a reply to a response without a nonce has an error.
fn is_subscription(request: &Ask) -> bool {
    request.response_nonce.is_empty() && request.error.is_none()
}

/// Makes an upsert of a message under its type.
pub(super) fn upsert(nonce: &str, url: &str, id: &str, message: &impl prost::Message) -> Response {
    Response {
        nonce: nonce.to_owned(),
        resource_url: url.to_owned(),
        resource_id: id.to_owned(),
        resource: Some(Any { type_url: url.to_owned(), value: message.encode_to_vec() }),
        operation: 1,
    }
}
