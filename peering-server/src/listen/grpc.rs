//! Serves gRPC on one connection of the peer listener: HTTP/2 with few streams, and pings.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::Service;

use super::accept::Connection;
use super::drive::{Patience, Traffic, drive, tracked};
use super::gate::ConnectionGuard;
use super::http2;
use crate::bounds::{
    ACCEPTOR_PING_INTERVAL, ACCEPTOR_PING_TIMEOUT, REQUEST_HEAD_MAX, STRANGER_MAX, STREAMS_PER_CONNECTION_MAX,
};

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
/// to go and closed; gRPC clients dial again when they next need it. One without an accepted Open for [`STRANGER_MAX`]
/// is closed whatever is asked on it.
pub async fn serve_connection<S, B>(connection: Connection, service: S)
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
    let traffic = Traffic::new();
    let known = Some((peer.guard.streams(), STRANGER_MAX));
    let service = tracked(service, traffic.clone(), peer);
    let connection = bounded_grpc().serve_connection(TokioIo::new(socket), service);
    drive(connection, Patience { traffic, idle: REQUEST_HEAD_MAX, known }, shutdown).await;
}

/// Prepares a connection of the peer listener.
fn bounded_grpc() -> Builder<TokioExecutor> {
    let mut builder = http2::bounded(STREAMS_PER_CONNECTION_MAX);
    builder.keep_alive_interval(ACCEPTOR_PING_INTERVAL).keep_alive_timeout(ACCEPTOR_PING_TIMEOUT);
    builder
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use axum::{Extension, Router};
    use http::Uri;
    use peering_core::address::ServerAddress;
    use tokio::io::AsyncReadExt;
    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;
    use tonic::transport::{Channel, Endpoint};
    use tower::ServiceExt;

    use super::*;
    use crate::dial::{AddressOrigin, DialError, DialPolicy, DialSecurity, Dialer, connect};
    use crate::listen::wire::Wire;
    use crate::listen::{AcceptedOpen, ListenerEntry, serve};
    use crate::socket::Socket;
    use crate::tls::fixture::{Cluster, NAME};

    struct Peer {
        cluster: Cluster,
        address: ServerAddress,
        shutdown: CancellationToken,
        task: JoinHandle<()>,
    }

    impl Peer {
        async fn start(router: Router, adjust: impl FnOnce(&mut ListenerEntry)) -> Self {
            let cluster = Cluster::new();
            let mut entry = ListenerEntry::peer("127.0.0.1:0".parse().unwrap(), cluster.server());
            adjust(&mut entry);
            let listener = entry.bind().await.unwrap();
            let address = listener.tcp_address().unwrap().into();
            let shutdown = CancellationToken::new();
            let handler = move |connection| serve_connection(connection, router.clone());
            let task = tokio::spawn(serve(listener, handler, shutdown.clone()));
            Self { cluster, address, shutdown, task }
        }

        async fn dial(&self) -> Result<Socket, DialError> {
            let security = DialSecurity::tls(self.cluster.client(), NAME).unwrap();
            Dialer::new(DialPolicy::default()).dial(&self.address, AddressOrigin::Token, &security).await
        }

        async fn channel(&self) -> Channel {
            channel(self.dial().await.unwrap()).await
        }
    }

    async fn channel(socket: Socket) -> Channel {
        let endpoint = Endpoint::from(Uri::from_static("http://peer"));
        endpoint.connect_with_connector(connect::once(socket)).await.unwrap()
    }

    async fn call(channel: &Channel, path: &str) -> Result<Response<tonic::body::Body>, tonic::transport::Error> {
        let request = Request::post(format!("http://peer{path}")).body(tonic::body::Body::empty()).unwrap();
        channel.clone().oneshot(request).await
    }

    async fn text(answer: Response<tonic::body::Body>) -> String {
        let bytes = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 1 << 16).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn who() -> Router {
        Router::new().fallback(|Extension(peer): Extension<PeerConnection>| async move { format!("{:?}", peer.source) })
    }

    #[tokio::test]
    async fn tonic_speaks_over_a_dialed_socket_and_the_service_sees_the_peer() {
        let peer = Peer::start(who(), |_| {}).await;
        let channel = peer.channel().await;
        assert_eq!(text(call(&channel, "/any").await.unwrap()).await, "Some(127.0.0.1)");
        peer.shutdown.cancel();
        peer.task.await.unwrap();
        assert!(call(&channel, "/any").await.is_err(), "a socket is handed out once");
    }

    #[tokio::test]
    async fn strangers_are_bounded_per_source_and_known_peers_are_not() {
        let opens = Arc::new(Mutex::new(VecDeque::<AcceptedOpen>::new()));
        let held = Arc::clone(&opens);
        let router = Router::new().route(
            "/open",
            axum::routing::post(move |Extension(peer): Extension<PeerConnection>| async move {
                held.lock().unwrap().push_back(peer.guard.accept_open());
                "opened"
            }),
        );
        let peer = Peer::start(router, |entry| entry.limits.connections_per_source = Some(2)).await;
        let (one, two) = (peer.channel().await, peer.channel().await);
        assert!(peer.dial().await.is_err(), "the third stranger");
        for known in [&one, &two] {
            assert_eq!(text(call(known, "/open").await.unwrap()).await, "opened");
        }
        let strangers = (peer.dial().await.unwrap(), peer.dial().await.unwrap());
        assert!(peer.dial().await.is_err(), "the third stranger besides two peers");
        drop(opens.lock().unwrap().pop_front());
        drop(strangers.0);
        drop((one, two));
        // The first peer's end gave its place back, so a stranger comes in at last.
        while peer.dial().await.is_err() {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_dialer_that_says_nothing_is_asked_and_cut_when_it_does_not_answer() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let traffic = Traffic::new();
        let service = tracked(Router::new().fallback(std::future::pending::<()>), traffic.clone(), ());
        let connection = bounded_grpc().serve_connection(TokioIo::new(far), service);
        let patience = Patience { traffic, idle: REQUEST_HEAD_MAX, known: None };
        let task = tokio::spawn(drive(connection, patience, CancellationToken::new()));
        let mut wire = Wire::client(near, &[]).await;
        wire.ask(1).await;
        wire.expect_pings(ACCEPTOR_PING_INTERVAL, ACCEPTOR_PING_TIMEOUT).await;
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_stalled_handshake_delays_nobody() {
        let peer = Peer::start(who(), |_| {}).await;
        let _stalled = tokio::net::TcpStream::connect((peer.address.host(), peer.address.port())).await.unwrap();
        peer.dial().await.unwrap();
    }

    #[tokio::test]
    async fn a_stalled_handshake_is_cut_at_its_deadline_and_gives_its_place_back() {
        let deadline = Duration::from_millis(50);
        let adjust = |entry: &mut ListenerEntry| {
            entry.limits.handshake = deadline;
            entry.limits.connections = 1.into();
        };
        let peer = Peer::start(who(), adjust).await;
        let stall = async || {
            let begun = Instant::now();
            let mut stalled = tokio::net::TcpStream::connect((peer.address.host(), peer.address.port())).await.unwrap();
            let _ = stalled.read(&mut [0]).await;
            begun.elapsed() >= deadline
        };
        assert!(stall().await);
        // A connection past the bound is closed at once, so only one that got the place back waits again.
        while !stall().await {}
    }

    #[tokio::test]
    async fn a_shutdown_ends_stalled_handshakes_and_idle_connections_at_once() {
        let peer = Peer::start(who(), |_| {}).await;
        let mut stalled = tokio::net::TcpStream::connect((peer.address.host(), peer.address.port())).await.unwrap();
        let channel = peer.channel().await;
        call(&channel, "/").await.unwrap();
        peer.shutdown.cancel();
        peer.task.await.unwrap();
        let _ = stalled.read(&mut [0]).await;
    }
}
