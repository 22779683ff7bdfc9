//! An acceptor that is not ours: a gRPC server with keys and TLS settings of its own, whose every answer a test gives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use peering_core::remote::RemoteInfo;
use peering_core::secret::EstablishmentSecret;
use peering_core::token::PeeringToken;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::clock::soon;
use crate::peerstream::proto::peerstream::peer_stream_service_server::{PeerStreamService, PeerStreamServiceServer};
use crate::peerstream::proto::peerstream::replication_message::{
    Heartbeat, Open, Payload, Request as Ask, Response as Answer, Terminated,
};
use crate::peerstream::proto::peerstream::{ExchangeSecretRequest, ExchangeSecretResponse, ReplicationMessage};
use crate::tls::provider;

/// Its trust domain.
pub(super) const DOMAIN: &str = "99999999-8888-7777-6666-555555555555.consul";
/// Its id of the peering.
pub(super) const PEER_ID: &str = "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d";
/// The stream secret that it gives.
pub(super) const STREAM_SECRET: &str = "22222222-3333-4444-5555-666666666666";

/// What becomes of the next connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are served.
    Serve,
    /// They are shown a certificate that nobody trusts.
    Stranger,
    /// Nothing is said on them; the test gets the socket.
    Stall,
}

/// How an acceptor differs from a friendly one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// What it answers to the dialer's ALPN.
    pub(super) alpn: &'static [&'static [u8]],
    /// Bytes that it takes on a stream before it is read, if not HTTP/2's.
    pub(super) window: Option<u32>,
    /// What it does with connections once it has exchanged a secret.
    pub(super) after_exchange: Mode,
}

impl Default for Manners {
    fn default() -> Self {
        Self { alpn: &[b"h2"], window: None, after_exchange: Mode::Serve }
    }
}

/// A certificate authority and a leaf under it.
pub(super) struct Identity {
    pub(super) ca_pem: String,
    expired_ca_pem: String,
    leaf_der: Vec<u8>,
    leaf_key_der: Vec<u8>,
}

impl Identity {
    pub(super) fn new() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        ca.not_before = rcgen::date_time_ymd(2020, 1, 1);
        ca.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let expired_ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![server_name()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::from_ca_cert_pem(&ca_pem, &ca_key).unwrap()).unwrap();
        Self { ca_pem, expired_ca_pem, leaf_der: leaf.der().to_vec(), leaf_key_der: key.serialize_der() }
    }

    /// Returns the root of years ago, with the key that signed the leaf.
    pub(super) fn expired_ca_pem(&self) -> String {
        self.expired_ca_pem.clone()
    }

    /// Returns a certificate that is valid and no CA.
    pub(super) fn leaf_pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.leaf_der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    fn tls(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        let builder = ServerConfig::builder_with_provider(Arc::clone(provider())).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.leaf_key_der.clone()));
        let chain = vec![self.leaf_der.clone().into()];
        let mut config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn server_name() -> String {
    format!("server.dc9.peering.{DOMAIN}")
}

/// A listening acceptor.
pub(super) struct ForeignAcceptor {
    pub(super) identity: Arc<Identity>,
    address: SocketAddr,
    mode: Arc<Mutex<Mode>>,
    calls: mpsc::UnboundedReceiver<ForeignCall>,
    exchanges: mpsc::UnboundedReceiver<ExchangeSecretRequest>,
    stalled: mpsc::UnboundedReceiver<TcpStream>,
}

impl ForeignAcceptor {
    pub(super) async fn start() -> Self {
        Self::start_with(Manners::default()).await
    }

    pub(super) async fn start_with(manners: Manners) -> Self {
        Self::start_as(Arc::new(Identity::new()), manners).await
    }

    pub(super) async fn start_as(identity: Arc<Identity>, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (calls_sender, calls) = mpsc::unbounded_channel();
        let (exchanges_sender, exchanges) = mpsc::unbounded_channel();
        let (stalled_sender, stalled) = mpsc::unbounded_channel();
        let mode = Arc::new(Mutex::new(Mode::Serve));
        let service = Answers {
            calls: calls_sender,
            exchanges: exchanges_sender,
            mode: Arc::clone(&mode),
            after_exchange: manners.after_exchange,
        };
        let (own, stranger) = (identity.tls(manners.alpn), Identity::new().tls(manners.alpn));
        let mode_now = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mode = *mode_now.lock().unwrap();
                let tls = match mode {
                    Mode::Serve => own.clone(),
                    Mode::Stranger => stranger.clone(),
                    Mode::Stall => {
                        let _ = stalled_sender.send(socket);
                        continue;
                    }
                };
                tokio::spawn(serve(socket, tls, manners.window, service.clone()));
            }
        });
        Self { identity, address, mode, calls, exchanges, stalled }
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn become_(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// Makes a token that leads to these acceptors, which share an identity.
    pub(super) fn token(&self, addresses: &[String]) -> PeeringToken {
        PeeringToken {
            ca: vec![self.identity.ca_pem.clone()],
            manual_server_addresses: vec![],
            server_addresses: addresses.to_vec(),
            server_name: server_name(),
            peer_id: PEER_ID.to_owned(),
            establishment_secret: EstablishmentSecret::from_text("11111111-2222-3333-4444-555555555555"),
            remote: RemoteInfo { datacenter: "dc9".to_owned(), ..RemoteInfo::default() },
            peer_name: None,
            token_id: None,
            meta: Default::default(),
            expires_at: None,
        }
    }

    pub(super) fn token_text(&self) -> String {
        self.token(&[self.address()]).encode()
    }

    /// Waits for the next stream.
    pub(super) async fn call(&mut self) -> ForeignCall {
        soon("a call", self.calls.recv()).await.unwrap()
    }

    /// Tells whether a stream has begun that nobody asked for.
    pub(super) fn has_call(&mut self) -> bool {
        !self.calls.is_empty()
    }

    /// Waits for the next exchange.
    pub(super) async fn exchange(&mut self) -> ExchangeSecretRequest {
        soon("an exchange", self.exchanges.recv()).await.unwrap()
    }

    /// Tells how many exchanges were asked for and not looked at.
    pub(super) fn exchanges_waiting(&self) -> usize {
        self.exchanges.len()
    }

    /// Waits for a connection on which nothing is said.
    pub(super) async fn stalled(&mut self) -> TcpStream {
        soon("a connection", self.stalled.recv()).await.unwrap()
    }
}

async fn serve(socket: TcpStream, tls: TlsAcceptor, window: Option<u32>, service: Answers) {
    let Ok(socket) = tls.accept(socket).await else { return };
    let service = PeerStreamServiceServer::new(service).max_decoding_message_size(64 << 20);
    let connection = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(service));
    // The end of a connection is seen on its calls.
    let _ = connection.await;
}

#[derive(Clone)]
struct Answers {
    calls: mpsc::UnboundedSender<ForeignCall>,
    exchanges: mpsc::UnboundedSender<ExchangeSecretRequest>,
    mode: Arc<Mutex<Mode>>,
    after_exchange: Mode,
}

#[tonic::async_trait]
impl PeerStreamService for Answers {
    type StreamResourcesStream = ReceiverStream<Result<ReplicationMessage, Status>>;

    async fn exchange_secret(
        &self,
        request: Request<ExchangeSecretRequest>,
    ) -> Result<Response<ExchangeSecretResponse>, Status> {
        *self.mode.lock().unwrap() = self.after_exchange;
        let _ = self.exchanges.send(request.into_inner());
        Ok(Response::new(ExchangeSecretResponse { stream_secret: STREAM_SECRET.to_owned() }))
    }

    async fn stream_resources(
        &self,
        request: Request<Streaming<ReplicationMessage>>,
    ) -> Result<Response<Self::StreamResourcesStream>, Status> {
        let (answer, answered) = oneshot::channel();
        let (sender, frames) = mpsc::channel(64);
        let call = ForeignCall { heard: request.into_inner(), answer: Some(answer), sender: Some(sender) };
        let _ = self.calls.send(call);
        match answered.await {
            Ok(Ok(())) => Ok(Response::new(ReceiverStream::new(frames))),
            Ok(Err(status)) => Err(status),
            Err(_) => Err(Status::internal("the test has dropped the call")),
        }
    }
}

/// One stream, seen from the acceptor. No headers go out before [`ForeignCall::accept`].
pub(super) struct ForeignCall {
    heard: Streaming<ReplicationMessage>,
    answer: Option<oneshot::Sender<Result<(), Status>>>,
    sender: Option<mpsc::Sender<Result<ReplicationMessage, Status>>>,
}

impl ForeignCall {
    /// Waits for the next frame; `None` after the half-close.
    pub(super) async fn next(&mut self) -> Result<Option<Payload>, Status> {
        Ok(soon("a frame of the dialer", self.heard.message()).await?.map(|message| message.payload.unwrap()))
    }

    /// Reads Open and the four subscriptions.
    pub(super) async fn opened(&mut self) -> (Open, Vec<Ask>) {
        let Some(Payload::Open(open)) = self.next().await.unwrap() else { panic!("the first frame is not Open") };
        let mut subscriptions = vec![];
        while subscriptions.len() < 4 {
            match self.next().await.unwrap() {
                Some(Payload::Request(request)) => subscriptions.push(request),
                other => panic!("{other:?}"),
            }
        }
        (open, subscriptions)
    }

    /// Reads until the half-close or the end of the connection; `Ok` for the former.
    pub(super) async fn half_closed(&mut self) -> Result<(), Status> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Reads until the dialer is gone, however it went.
    pub(super) async fn left(&mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }

    /// Answers the call with headers.
    pub(super) fn accept(&mut self) {
        let _ = self.answer.take().unwrap().send(Ok(()));
    }

    /// Answers the call with headers and a heartbeat: the dialer counts as connected, until this is dropped.
    #[must_use]
    pub(super) async fn connected(mut self) -> Self {
        self.accept();
        self.say(Payload::Heartbeat(Heartbeat {})).await;
        self
    }

    /// Refuses the call with a status alone.
    pub(super) fn refuse(mut self, status: Status) {
        let _ = self.answer.take().unwrap().send(Err(status));
    }

    pub(super) async fn say(&self, payload: Payload) {
        let message = ReplicationMessage { payload: Some(payload) };
        let _ = self.sender.as_ref().unwrap().send(Ok(message)).await;
    }

    pub(super) async fn terminate(&self) {
        self.say(Payload::Terminated(Terminated {})).await;
    }

    /// Ends an accepted call.
    pub(super) async fn end(&mut self, status: Option<Status>) {
        let sender = self.sender.take().unwrap();
        if let Some(status) = status {
            let _ = sender.send(Err(status)).await;
        }
    }

    /// Sends a resource and returns what the dialer says of it.
    pub(super) async fn offer(&mut self, response: Answer) -> Ask {
        let nonce = response.nonce.clone();
        self.say(Payload::Response(response)).await;
        loop {
            match self.next().await.unwrap() {
                Some(Payload::Request(reply)) if reply.response_nonce == nonce => return reply,
                Some(_) => {}
                None => panic!("the dialer hung up before it answered {nonce:?}"),
            }
        }
    }
}
