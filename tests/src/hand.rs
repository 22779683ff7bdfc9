//! A dialer moved by hand: it speaks Consul's peer stream with messages written down here a second time, so that the
//! server's idea of the wire is checked by somebody else's.

use std::error::Error;
use std::time::Duration;

use peering_server::dial::connect::once;
use peering_server::socket::Socket;
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::door::Door;
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
    #[prost(message, optional, tag = "2")]
    request: Option<Ask>,
    #[prost(message, optional, tag = "4")]
    terminated: Option<Empty>,
}

/// A subscription, or with a nonce an acknowledgement.
#[derive(Clone, PartialEq, Eq, Message)]
struct Ask {
    #[prost(string, tag = "1")]
    peer_id: String,
    #[prost(string, tag = "2")]
    response_nonce: String,
    #[prost(string, tag = "3")]
    resource_url: String,
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

fn gone(error: &dyn Error) -> Status {
    Status::unavailable(error.to_string())
}

fn open_frame(peer_id: &str, stream_secret: &str, datacenter: &str) -> Frame {
    let remote = Some(Remote { datacenter: datacenter.to_owned() });
    let open = Open { peer_id: peer_id.to_owned(), stream_secret: stream_secret.to_owned(), remote };
    Frame { open: Some(open), ..Frame::default() }
}

impl HandDialer {
    /// Connects to the first address of a token, with its roots and its server name.
    pub async fn with(token: &str) -> Self {
        Self::try_with(token).await.unwrap()
    }

    /// As [`HandDialer::with`], checking certificates as of this time.
    pub async fn with_at(token: &str, now: jiff::Timestamp) -> Self {
        let socket = Door::at(token, now).enter().await.unwrap();
        Self::over_socket(socket, token).await.unwrap()
    }

    /// Connects to an acceptor that may not be there.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn try_with(token: &str) -> Result<Self, Status> {
        let socket = Door::of(token).enter().await.map_err(|error| gone(&error))?;
        Self::over_socket(socket, token).await
    }

    /// Speaks over a connection that was made before.
    ///
    /// # Errors
    /// Why there is no HTTP/2 on it.
    pub async fn over_socket(socket: TlsStream<TcpStream>, token: &str) -> Result<Self, Status> {
        let endpoint = Endpoint::from_static("http://peer");
        let channel =
            endpoint.connect_with_connector(once(Socket::from(socket))).await.map_err(|error| gone(&error))?;
        Ok(Self::over(channel, token))
    }

    /// Returns a dialer with another token of the same acceptor, over the same connection.
    #[must_use]
    pub fn holding(&self, token: &str) -> Self {
        Self::over(self.channel.clone(), token)
    }

    fn over(channel: Channel, token: &str) -> Self {
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
        let mut client = self.client().await?;
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
        self.open_from(stream_secret, "by-hand").await
    }

    /// Opens a stream with this stream secret, saying that this is the datacenter.
    ///
    /// # Errors
    /// The status that the acceptor answers with.
    pub async fn open_from(&self, stream_secret: &str, datacenter: &str) -> Result<HandStream, Status> {
        let (sender, frames) = mpsc::channel(1);
        sender.send(open_frame(&self.peer_id, stream_secret, datacenter)).await.unwrap();
        let mut client = self.client().await?;
        let path = PathAndQuery::try_from(format!("{SERVICE}/StreamResources")).unwrap();
        let codec: ProstCodec<Frame, Frame> = ProstCodec::default();
        let request = Request::new(ReceiverStream::new(frames));
        let answer = timeout(ANSWER_WITHIN, client.streaming(request, path, codec)).await.unwrap()?;
        let mut stream = HandStream { frames: answer.into_inner(), open: sender };
        // The acceptor's first frame says that the secret was accepted, or that there is no peering any more.
        match timeout(ANSWER_WITHIN, stream.frames.message()).await.unwrap()? {
            // Said in words too, to a dialer that hangs up.
            Some(Frame { terminated: Some(_), .. }) => match stream.hang_up().await {
                Err(status) => Err(status),
                Ok(()) => Err(Status::aborted("the peering is over")),
            },
            Some(_) => Ok(stream),
            None => Err(Status::cancelled("the stream ended without a frame")),
        }
    }

    /// Writes the message that opens a stream.
    #[must_use]
    pub fn open_bytes(peer_id: &str, stream_secret: &str) -> Vec<u8> {
        open_frame(peer_id, stream_secret, "by-hand").encode_to_vec()
    }

    /// Writes the message that acknowledges a resource.
    #[must_use]
    pub fn acknowledgement_bytes() -> Vec<u8> {
        let resource_url = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle".to_owned();
        let ask = Ask { peer_id: String::new(), response_nonce: "00000001".to_owned(), resource_url };
        Frame { request: Some(ask), ..Frame::default() }.encode_to_vec()
    }

    async fn client(&self) -> Result<Grpc<Channel>, Status> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
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
