//! Serves HTTP on one connection: HTTP/2 if it was agreed on in TLS, else HTTP/1.1.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tower::{Service, ServiceExt};

use super::accept::Connection;
use super::drive::{Patience, Traffic, drive, tracked};
use super::http2;
use crate::bounds::{HTTP2_REQUESTS_PER_CONNECTION_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEAD_MAX};
use crate::socket::Socket;

/// Who sent a request; an extension of every request of the HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The address of the caller; none on a unix socket.
    pub source: Option<IpAddr>,
    /// The port of the caller; none on a unix socket.
    pub port: Option<u16>,
    /// Whether the request came over a unix socket.
    pub unix: bool,
    /// Whether it came over TLS.
    pub tls: bool,
}

/// The user whose process sent a request over a unix socket, as the system says; an extension of those requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketUser(pub u32);

/// Serves an HTTP service, such as an axum router, until the connection ends: a handler for [`serve`](super::serve).
///
/// The protocol is known from the TLS handshake and is never guessed from the first bytes, so a client cannot stay by
/// sending none. Every request carries a [`Caller`].
///
/// # Examples
/// ```
/// use peering_server::listen::{self, ListenAddress, ListenerEntry, http};
/// use tokio_util::sync::CancellationToken;
///
/// # tokio_test().block_on(async {
/// let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
/// let listener = ListenerEntry::http(ListenAddress::Tcp("127.0.0.1:0".parse()?)).bind().await?;
/// let shutdown = CancellationToken::new();
/// # shutdown.cancel();
/// listen::serve(listener, move |connection| http::serve_connection(connection, router.clone()), shutdown).await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # fn tokio_test() -> tokio::runtime::Runtime {
/// #     tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
/// # }
/// ```
pub async fn serve_connection<S, B>(connection: Connection, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_within(connection, service, REQUEST_HEAD_MAX).await;
}

async fn serve_within<S, B>(connection: Connection, service: S, request_head: Duration)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let caller = Caller {
        source: connection.source,
        port: connection.socket.peer_port(),
        unix: connection.is_unix(),
        tls: matches!(connection.socket, Socket::Tls(_)),
    };
    let user = connection.user().map(SocketUser);
    let shutdown = connection.shutdown.clone();
    // The admission lives as long as this call does.
    let (socket, _admission) = connection.into_parts();
    let traffic = Traffic::new();
    let service = service.map_request(move |mut request: Request<Incoming>| {
        if let Some(user) = user {
            request.extensions_mut().insert(user);
        }
        request
    });
    let service = tracked(service, traffic.clone(), caller);
    let patience = Patience { traffic, idle: request_head, known: None };
    if socket.speaks_h2() {
        let connection =
            http2::bounded(HTTP2_REQUESTS_PER_CONNECTION_MAX).serve_connection(TokioIo::new(socket), service);
        drive(connection, patience, shutdown).await;
    } else {
        drive(bounded_http1().serve_connection(TokioIo::new(socket), service), patience, shutdown).await;
    }
}

/// Prepares an HTTP/1.1 connection.
pub(super) fn bounded_http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The library counts from when an answer was made and not from when it was sent; our patience bounds heads too.
        .header_read_timeout(None)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        // As Consul's, for readers who look for the names as they are documented.
        .title_case_headers(true);
    builder
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use axum::{Extension, Router};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};
    use tokio::sync::Semaphore;
    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;
    use tonic::transport::Endpoint;

    use super::*;
    use crate::dial::{AddressOrigin, DialPolicy, DialSecurity, Dialer, connect};
    use crate::listen::{ListenAddress, ListenerEntry, TlsRule, serve};
    use crate::tls::fixture::{Cluster, NAME};
    use crate::tls::{ALPN_H2, ALPN_HTTP_1_1};

    async fn start(entry: ListenerEntry, router: Router, head: Duration) -> (ListenAddress, Stop) {
        let listener = entry.bind().await.unwrap();
        let address = listener.address();
        let shutdown = CancellationToken::new();
        let handler = move |connection| serve_within(connection, router.clone(), head);
        (address, Stop { task: tokio::spawn(serve(listener, handler, shutdown.clone())), shutdown })
    }

    struct Stop {
        shutdown: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn start_tcp(router: Router, head: Duration) -> (SocketAddr, Stop) {
        let address = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        match start(ListenerEntry::http(address), router, head).await {
            (ListenAddress::Tcp(address), stop) => (address, stop),
            (other, _) => panic!("{other}"),
        }
    }

    async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn who() -> Router {
        Router::new().route("/", get(|Extension(caller): Extension<Caller>| async move { format!("{caller:?}") }))
    }

    #[tokio::test]
    async fn a_request_over_tcp_says_where_it_came_from() {
        let (address, stop) = start_tcp(who(), REQUEST_HEAD_MAX).await;
        let answer = ask(TcpStream::connect(address).await.unwrap()).await;
        let (begin, end) = ("Caller { source: Some(127.0.0.1), port: Some(", "), unix: false, tls: false }");
        assert!(answer.contains(begin) && answer.ends_with(end), "{answer}");
        stop.shutdown.cancel();
        stop.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_over_a_unix_socket_says_so() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("api.sock");
        let entry = ListenerEntry::http(ListenAddress::Unix(path.clone()));
        let (_, stop) = start(entry, who(), REQUEST_HEAD_MAX).await;
        let answer = ask(UnixStream::connect(&path).await.unwrap()).await;
        assert!(answer.ends_with("Caller { source: None, port: None, unix: true, tls: false }"), "{answer}");
        stop.shutdown.cancel();
        stop.task.await.unwrap();
        assert!(!path.exists(), "a stopped listener leaves no file");
    }

    #[tokio::test]
    async fn tls_decides_between_http_2_and_http_1_1() {
        let cluster = Cluster::new();
        let mut entry = ListenerEntry::http(ListenAddress::Tcp("127.0.0.1:0".parse().unwrap()));
        entry.tls = TlsRule::ByServerName(cluster.server_with_alpn(&[ALPN_H2, ALPN_HTTP_1_1]));
        let version = get(|request: axum::extract::Request| async move { format!("{:?}", request.version()) });
        let router = Router::new().route("/", version);
        let (ListenAddress::Tcp(address), _stop) = start(entry, router, REQUEST_HEAD_MAX).await else { panic!() };
        for (alpn, expected) in [(ALPN_H2, "HTTP/2.0"), (ALPN_HTTP_1_1, "HTTP/1.1")] {
            let mut config = cluster.client();
            config.alpn_protocols = vec![alpn.to_vec()];
            let security = DialSecurity::tls(config, NAME).unwrap();
            let dialer = Dialer::new(DialPolicy::default());
            let socket = dialer.dial(&address.into(), AddressOrigin::Token, &security).await.unwrap();
            if alpn == ALPN_H2 {
                let endpoint = Endpoint::from_static("http://x");
                let channel = endpoint.connect_with_connector(connect::once(socket)).await.unwrap();
                let request = Request::get("http://x/").body(tonic::body::Body::empty()).unwrap();
                let body = axum::body::Body::new(channel.oneshot(request).await.unwrap().into_body());
                assert_eq!(axum::body::to_bytes(body, 64).await.unwrap(), expected);
            } else {
                assert!(ask(socket).await.ends_with(expected));
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_sends_no_whole_head_is_cut() {
        let (address, _stop) = start_tcp(who(), Duration::from_millis(50)).await;
        for beginning in ["", "GET / HTTP/1.1\r\nhost", "PRI * HTTP/2.0\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // Ends, with or without an error answer, or this test never does.
            let _ = stream.read_to_end(&mut answer).await;
        }
    }

    #[tokio::test]
    async fn a_shutdown_lets_a_request_in_progress_finish_and_takes_no_new_connection() {
        let (started, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (begun, wait) = (Arc::clone(&started), Arc::clone(&release));
        let slow = get(move || async move {
            begun.add_permits(1);
            let _permit = wait.acquire().await.unwrap();
            "done"
        });
        let (address, stop) = start_tcp(Router::new().route("/", slow), REQUEST_HEAD_MAX).await;
        let answer = tokio::spawn(ask(TcpStream::connect(address).await.unwrap()));
        let _begun = started.acquire().await.unwrap();
        stop.shutdown.cancel();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!stop.task.is_finished());
        release.add_permits(1);
        assert!(answer.await.unwrap().ends_with("done"));
        stop.task.await.unwrap();
    }

    #[tokio::test]
    async fn connections_past_the_bound_are_closed_and_room_is_made_again() {
        let mut entry = ListenerEntry::http(ListenAddress::Tcp("127.0.0.1:0".parse().unwrap()));
        entry.limits.connections = 2.into();
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        let router = who().layer(axum::middleware::map_request(move |request: axum::extract::Request| {
            count.fetch_add(1, Ordering::Relaxed);
            async { request }
        }));
        let (ListenAddress::Tcp(address), _stop) = start(entry, router, REQUEST_HEAD_MAX).await else { panic!() };
        let (one, two) = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let mut third = TcpStream::connect(address).await.unwrap();
        let mut answer = Vec::new();
        let _ = third.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
        assert!(ask(one).await.starts_with("HTTP/1.1 200"));
        assert!(ask(two).await.starts_with("HTTP/1.1 200"));
        assert_eq!(served.load(Ordering::Relaxed), 2);
        // The places are given back shortly after the answers were read.
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            if answer.starts_with(b"HTTP/1.1 200") {
                break;
            }
        }
    }
}
