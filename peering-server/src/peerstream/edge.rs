//! What stands in front of the peer stream service: one service and nothing else, and frames within their bounds.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::accept::Acceptor;
use super::bounded::{Bounded, Opened};
use super::proto::peerstream::peer_stream_service_server::PeerStreamServiceServer;
use crate::bounds::{EXCHANGE_MAX, FRAME_BYTES_MAX};

/// Paths below this are served.
const SERVICE_PATH: &str = "/hashicorp.consul.internal.peerstream.PeerStreamService/";
/// The one call that is over at once.
const EXCHANGE_PATH: &str = "/hashicorp.consul.internal.peerstream.PeerStreamService/ExchangeSecret";

/// The gRPC service of the peer listener.
#[derive(Clone)]
pub(crate) struct PeerEdge {
    inner: PeerStreamServiceServer<Acceptor>,
}

impl PeerEdge {
    pub(super) fn new(acceptor: Acceptor) -> Self {
        let inner = PeerStreamServiceServer::new(acceptor)
            .max_decoding_message_size(FRAME_BYTES_MAX)
            .max_encoding_message_size(FRAME_BYTES_MAX);
        Self { inner }
    }
}

impl Service<Request<Incoming>> for PeerEdge {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if !request.uri().path().starts_with(SERVICE_PATH) {
            let status = Status::permission_denied("invalid permissions to the specified endpoint");
            return Box::pin(std::future::ready(Ok(status.into_http())));
        }
        let opened = Opened::default();
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(opened.clone());
        let request = Request::from_parts(parts, Bounded::new(body, opened));
        let is_exchange = request.uri().path() == EXCHANGE_PATH;
        let call = self.inner.call(request);
        if !is_exchange {
            // A stream has deadlines of its own, for its Open first.
            return Box::pin(call);
        }
        Box::pin(async move {
            timeout(EXCHANGE_MAX, call).await.unwrap_or_else(|_| {
                let text = format!("expected the whole request within {} s", EXCHANGE_MAX.as_secs());
                Ok(Status::deadline_exceeded(text).into_http())
            })
        })
    }
}
