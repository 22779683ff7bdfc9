//! A dialer moved by hand: it speaks Consul's peer stream with messages written down here a second time, so that the
//! server's idea of the wire is checked by somebody else's.

use std::time::Duration;

use peering_core::address::ServerAddress;
use peering_server::dial::connect::once;
use peering_server::dial::{AddressOrigin, DialPolicy, DialSecurity, Dialer};
use peering_server::tls::client_config;
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::token;

/// Longest wait for an answer of a server on this machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const SERVICE: &str = "/hashicorp.consul.internal.peerstream.PeerStreamService";

/// A dialer with the content of one token.
#[derive(Debug, Clone)]
pub struct HandDialer {
    channel: Channel,
    peer_id: String,
    establishment_secret: String,
}

/// A peer stream that was accepted. Dropping it gives the stream up.
#[derive(Debug)]
pub struct HandStream {
    frames: Streaming<Frame>,
    open: mpsc::Sender<Frame>,
}

/// What the acceptor is asked in `ExchangeSecret`.
#[derive(Clone, PartialEq, Eq, Message)]
struct ExchangeAsk {
    #[prost(string, tag = "1")]
    peer_id: String,
    #[prost(string, tag = "2")]
    establishment_secret: String,
}

/// What it answers.
#[derive(Clone, PartialEq, Eq, Message)]
struct ExchangeAnswer {
    #[prost(string, tag = "1")]
    stream_secret: String,
}

/// A frame of the stream, as far as a test looks at it.
#[derive(Clone, PartialEq, Eq, Message)]
struct Frame {
    #[prost(message, optional, tag = "1")]
    open: Option<Open>,
    #[prost(message, optional, tag = "4")]
    terminated: Option<Empty>,
}

/// A dialer's first frame.
#[derive(Clone, PartialEq, Eq, Message)]
struct Open {
    #[prost(string, tag = "1")]
    peer_id: String,
    #[prost(string, tag = "2")]
    stream_secret: String,
    #[prost(message, optional, tag = "3")]
    remote: Option<Remote>,
}

/// Where the dialer says it is.
#[derive(Clone, PartialEq, Eq, Message)]
struct Remote {
    #[prost(string, tag = "2")]
    datacenter: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Empty {}

impl HandDialer {
    /// Connects to the first address of a token, with its roots and its server name.
    pub async fn with(token: &str) -> Self {
        Self::with_at(token, jiff::Timestamp::now()).await
    }

    /// As [`HandDialer::with`], checking certificates as of this time.
    pub async fn with_at(token: &str, now: jiff::Timestamp) -> Self {
        let claims = token::claims(token);
        let manual = &claims["ManualServerAddresses"][0];
        let address = manual.as_str().or(claims["ServerAddresses"][0].as_str()).unwrap();
        let roots: Vec<&str> = claims["CA"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
        let config = client_config(roots, move || now).unwrap();
        let security = DialSecurity::tls(config, claims["ServerName"].as_str().unwrap()).unwrap();
        let dialer = Dialer::new(DialPolicy::default());
        let address = ServerAddress::parse(address).unwrap();
        let socket = dialer.dial(&address, AddressOrigin::Token, &security).await.unwrap();
        let channel = Endpoint::from_static("http://peer").connect_with_connector(once(socket)).await.unwrap();
        let [peer_id, establishment_secret] = ["PeerID", "EstablishmentSecret"].map(|key| token::claim(token, key));
        Self { channel, peer_id, establishment_secret }
    }

    /// Exchanges the token's secret, as a dialer of Consul does.
    ///
    /// # Errors
    /// The status that the acceptor answers with.
    pub async fn exchange(&self) -> Result<String, Status> {
        self.exchange_as(None).await
    }

    /// Exchanges the token's secret, saying by which redemption it may be asked for again.
    ///
    /// # Errors
    /// The status that the acceptor answers with.
    pub async fn exchange_as(&self, redemption: Option<&str>) -> Result<String, Status> {
        let (peer_id, establishment_secret) = (self.peer_id.clone(), self.establishment_secret.clone());
        let mut request = Request::new(ExchangeAsk { peer_id, establishment_secret });
        if let Some(redemption) = redemption {
            let value = AsciiMetadataValue::try_from(redemption).unwrap();
            request.metadata_mut().insert("peering-redemption", value);
        }
        let mut client = self.client().await;
        let path = PathAndQuery::try_from(format!("{SERVICE}/ExchangeSecret")).unwrap();
        let codec: ProstCodec<ExchangeAsk, ExchangeAnswer> = ProstCodec::default();
        let answer = timeout(ANSWER_WITHIN, client.unary(request, path, codec)).await.unwrap()?;
        Ok(answer.into_inner().stream_secret)
    }

    /// Opens a stream with this stream secret.
    ///
    /// # Errors
    /// The status that the acceptor answers with.
    pub async fn open(&self, stream_secret: &str) -> Result<HandStream, Status> {
        let (sender, frames) = mpsc::channel(1);
        let remote = Some(Remote { datacenter: "by-hand".to_owned() });
        let open = Open { peer_id: self.peer_id.clone(), stream_secret: stream_secret.to_owned(), remote };
        sender.send(Frame { open: Some(open), terminated: None }).await.unwrap();
        let mut client = self.client().await;
        let path = PathAndQuery::try_from(format!("{SERVICE}/StreamResources")).unwrap();
        let codec: ProstCodec<Frame, Frame> = ProstCodec::default();
        let request = Request::new(ReceiverStream::new(frames));
        let answer = timeout(ANSWER_WITHIN, client.streaming(request, path, codec)).await.unwrap()?;
        let mut stream = HandStream { frames: answer.into_inner(), open: sender };
        // The acceptor's first frame says that the secret was accepted.
        match timeout(ANSWER_WITHIN, stream.frames.message()).await.unwrap()? {
            Some(_) => Ok(stream),
            None => Err(Status::cancelled("the stream ended without a frame")),
        }
    }

    async fn client(&self) -> Grpc<Channel> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        client
    }
}

impl HandStream {
    /// Ends our direction, then waits for the stream's end and returns how the acceptor ended it.
    ///
    /// # Errors
    /// The status, unless it is OK.
    pub async fn hang_up(self) -> Result<(), Status> {
        let Self { frames, open } = self;
        drop(open);
        to_the_end(frames).await
    }

    /// Waits for the stream's end and returns how the acceptor ended it.
    ///
    /// # Errors
    /// The status, unless it is OK.
    pub async fn end(self) -> Result<(), Status> {
        let Self { frames, open: _open } = self;
        to_the_end(frames).await
    }
}

async fn to_the_end(mut frames: Streaming<Frame>) -> Result<(), Status> {
    let end = async {
        while frames.message().await?.is_some() {}
        Ok(())
    };
    timeout(ANSWER_WITHIN, end).await.unwrap()
}
