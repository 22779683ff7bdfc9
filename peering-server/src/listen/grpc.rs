//! Serves gRPC on one connection of the peer listener: HTTP/2 with few streams, and pings.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower::Service;

use super::accept::Connection;
use super::drive::{Activity, drive, tracked};
use super::gate::ConnectionGuard;
use crate::bounds::{ACCEPTOR_PING_INTERVAL, ACCEPTOR_PING_TIMEOUT, REQUEST_HEAD_MAX, STREAMS_PER_CONNECTION_MAX};

/// The connection that a gRPC request came on; an extension of every request of the peer listener.
#[derive(Debug, Clone)]
pub struct PeerConnection {
    /// The address of the peer.
    pub source: Option<IpAddr>,
    /// Takes the connection out of the listener's bounds once an Open was accepted.
    pub guard: ConnectionGuard,
}

/// Serves a gRPC service until the connection ends: a handler for [`serve`](super::serve).
///
/// Every request carries a [`PeerConnection`]. A connection without a call in progress for [`REQUEST_HEAD_MAX`] is told
/// to go and closed; gRPC clients dial again when they next need it.
///
/// # Security
/// A call in progress holds the connection, whatever it waits for: who serves the call bounds the wait for its Open.
pub async fn serve_connection<S, B>(connection: Connection, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_within(connection, service, REQUEST_HEAD_MAX).await;
}

async fn serve_within<S, B>(connection: Connection, service: S, idle: Duration)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let peer = PeerConnection { source: connection.source, guard: connection.guard() };
    let shutdown = connection.shutdown.clone();
    // The admission lives as long as this call does.
    let (socket, _admission) = connection.into_parts();
    let activity = Activity::new();
    let service = tracked(service, activity.clone(), peer);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .keep_alive_interval(ACCEPTOR_PING_INTERVAL)
        .keep_alive_timeout(ACCEPTOR_PING_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service);
    drive(connection, activity, idle, shutdown).await;
}
