//! A connection to one server address of a peer: resolve, check, connect, shake hands.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Uri;
use hyper_util::rt::TokioIo;
use peering_core::address::ServerAddress;
use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::{AddressOrigin, DialError, DialPolicy, DialRefusal, Reach, Resolve, SystemResolver, TlsFailure};
use crate::bounds::{DIAL_CONNECT_MAX, DIAL_MAX, DIAL_RESOLVED_MAX};
use crate::socket::Socket;

/// How a dialed connection is secured.
#[derive(Debug, Clone)]
pub enum DialSecurity {
    /// TLS: which roots to believe, and the server name to send and to verify.
    Tls {
        /// See [`client_config`](crate::tls::client_config).
        config: Arc<ClientConfig>,
        /// The `ServerName` of the peering token.
        server_name: ServerName<'static>,
    },
    /// HTTP/2 in clear, for peerings without CA where the operator allows them.
    Plaintext,
}

impl DialSecurity {
    /// Secures a dial with TLS.
    ///
    /// # Errors
    /// [`InvalidDnsNameError`] if the server name is no DNS name.
    pub fn tls(config: ClientConfig, server_name: &str) -> Result<Self, InvalidDnsNameError> {
        let server_name = ServerName::try_from(server_name.to_owned())?;
        Ok(Self::Tls { config: Arc::new(config), server_name })
    }
}

/// Dials server addresses of peers.
#[derive(Debug, Clone)]
pub struct Dialer {
    policy: Arc<ArcSwap<DialPolicy>>,
    resolver: Arc<dyn Resolve>,
    limit: Duration,
}

impl Dialer {
    /// Makes a dialer that asks the machine's resolver and takes at most [`DIAL_MAX`] for each dial.
    #[must_use]
    pub fn new(policy: DialPolicy) -> Self {
        Self::with_resolver(policy, Arc::new(SystemResolver))
    }

    /// Makes a dialer that asks this resolver.
    #[must_use]
    pub fn with_resolver(policy: DialPolicy, resolver: Arc<dyn Resolve>) -> Self {
        Self { policy: Arc::new(ArcSwap::from_pointee(policy)), resolver, limit: DIAL_MAX }
    }

    /// Puts another policy in force for this dialer and its copies. Streams that are open stay.
    pub fn set_policy(&self, policy: DialPolicy) {
        self.policy.store(Arc::new(policy));
    }

    /// Dials one server address: the host's addresses in the order of the resolver, those that may be dialed.
    ///
    /// # Errors
    /// [`DialError`]; that of the last address tried, or else the first refusal.
    pub async fn dial(
        &self,
        address: &ServerAddress,
        origin: AddressOrigin,
        security: &DialSecurity,
    ) -> Result<Socket, DialError> {
        let deadline = Instant::now() + self.limit;
        let timed_out = |doing| move |_| DialError::TimedOut { doing, limit: self.limit };
        let resolved =
            timeout_at(deadline, self.resolve(address)).await.map_err(timed_out("resolving the host name"))??;
        let tcp = self.connect(&resolved, origin, deadline).await?;
        // Small frames would otherwise wait some 40 ms for an acknowledgement.
        tcp.set_nodelay(true).map_err(DialError::Connect)?;
        match security {
            DialSecurity::Plaintext => Ok(Socket::Tcp(tcp)),
            DialSecurity::Tls { config, server_name } => {
                let handshake = TlsConnector::from(Arc::clone(config)).connect(server_name.clone(), tcp);
                let shaken = timeout_at(deadline, handshake).await.map_err(timed_out("shaking hands"))?;
                Ok(shaken.map_err(|error| DialError::Tls(TlsFailure::of(&error)))?.into())
            }
        }
    }

    async fn connect(
        &self,
        resolved: &[SocketAddr],
        origin: AddressOrigin,
        deadline: Instant,
    ) -> Result<TcpStream, DialError> {
        let mut failure = DialError::NoAddress;
        for address in resolved {
            if let Err(refusal) = self.policy.load().check(address.ip(), origin) {
                // A refusal tells less than what became of an address that was tried.
                if matches!(failure, DialError::NoAddress) {
                    failure = refusal.into();
                }
                continue;
            }
            let soon = deadline.min(Instant::now() + DIAL_CONNECT_MAX);
            match timeout_at(soon, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = DialError::Connect(error),
                Err(_) => {
                    failure = DialError::TimedOut { doing: "connecting", limit: DIAL_CONNECT_MAX.min(self.limit) }
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(failure)
    }

    /// Finds out how near the nearest of a token's addresses is, which bounds those learnt over the stream. Names that
    /// cannot be resolved within [`DIAL_MAX`] in all count as public.
    pub async fn nearest(&self, addresses: &[ServerAddress]) -> Reach {
        let deadline = Instant::now() + self.limit;
        let mut nearest = Reach::Public;
        for address in addresses {
            let resolved = timeout_at(deadline, self.resolve(address)).await;
            let resolved = resolved.ok().and_then(Result::ok).unwrap_or_default();
            nearest = resolved.iter().map(|address| Reach::of(address.ip())).fold(nearest, Reach::max);
        }
        nearest
    }

    async fn resolve(&self, address: &ServerAddress) -> Result<Vec<SocketAddr>, DialError> {
        let host = address.host();
        if host.is_empty() {
            return Err(DialRefusal::EmptyHost.into());
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port())]);
        }
        let mut resolved = self.resolver.resolve(host, address.port()).await.map_err(DialError::Resolve)?;
        resolved.truncate(DIAL_RESOLVED_MAX);
        Ok(resolved)
    }
}

/// Makes a connector for `tonic::transport::Endpoint::connect_with_connector` that hands out one dialed socket, once.
///
/// Dialing first keeps [`DialError`] in sight; a channel of tonic hides the reason. When the socket is used up, the
/// channel's own attempt to connect again fails, and the dial loop decides what comes next. With a connector, tonic does
/// not insist on an ALPN answer, which a Consul acceptor does not give.
pub fn once(
    socket: Socket,
) -> impl Service<Uri, Response = TokioIo<Socket>, Error = io::Error, Future: Send> + Send + 'static {
    let mut socket = Some(socket);
    tower::service_fn(move |_: Uri| {
        let socket = socket.take().map(TokioIo::new);
        std::future::ready(socket.ok_or_else(|| io::ErrorKind::NotConnected.into()))
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::listen::{Connection, ListenerEntry, serve};
    use crate::tls::fixture::{Cluster, NAME};

    const ANY: AddressOrigin = AddressOrigin::Token;

    fn dialer() -> Dialer {
        Dialer::new(DialPolicy::default())
    }

    fn tls(config: ClientConfig, name: &str) -> DialSecurity {
        DialSecurity::tls(config, name).unwrap()
    }

    /// Serves an echo on the cluster's peer listener.
    async fn echo(cluster: &Cluster) -> ServerAddress {
        let listener = ListenerEntry::peer("127.0.0.1:0".parse().unwrap(), cluster.server()).bind().await.unwrap();
        let address = listener.tcp_address().unwrap();
        let handler = |connection: Connection| async move {
            let (socket, _admission) = connection.into_parts();
            let (mut read, mut write) = tokio::io::split(socket);
            let _ = tokio::io::copy(&mut read, &mut write).await;
        };
        tokio::spawn(serve(listener, handler, CancellationToken::new()));
        address.into()
    }

    async fn listening() -> (TcpListener, ServerAddress) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().into();
        (listener, address)
    }

    #[tokio::test]
    async fn a_peer_that_shows_the_right_certificate_is_connected() {
        let cluster = Cluster::new();
        let address = echo(&cluster).await;
        let mut socket = dialer().dial(&address, ANY, &tls(cluster.client(), NAME)).await.unwrap();
        assert!(socket.speaks_h2());
        socket.write_all(b"ping").await.unwrap();
        let mut heard = [0; 4];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
    }

    #[tokio::test]
    async fn a_host_name_is_resolved() {
        let cluster = Cluster::new();
        let address = format!("localhost:{}", echo(&cluster).await.port());
        let address = ServerAddress::parse(&address).unwrap();
        dialer().dial(&address, ANY, &tls(cluster.client(), NAME)).await.unwrap();
    }

    #[tokio::test]
    async fn each_fault_of_the_handshake_has_its_category() {
        let (cluster, other) = (Cluster::new(), Cluster::new());
        let address = echo(&cluster).await;
        let mut late = Cluster::new();
        late.keeper = crate::ca::LeafKeeper::start(
            Arc::clone(&late.authority),
            peering_core::name::Datacenter::parse("dc1").unwrap(),
            late.clock.now() - jiff::SignedDuration::from_hours(80),
        )
        .unwrap();
        let expired = echo(&late).await;
        for (address, security, expected) in [
            (&address, tls(other.client(), NAME), TlsFailure::UnknownIssuer),
            (&address, tls(cluster.client(), "example.com"), TlsFailure::UnknownServerName),
            (&expired, tls(late.client(), NAME), TlsFailure::Expired),
        ] {
            let failed = dialer().dial(address, ANY, &security).await.unwrap_err();
            assert!(matches!(failed, DialError::Tls(failure) if failure == expected), "{failed:?}");
        }
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_named_as_such() {
        let cluster = Cluster::new();
        let elsewhere = "elsewhere.example";
        let server = crate::tls::ServerTls::new([(elsewhere.to_owned(), cluster.keeper.slot())], &[]).unwrap();
        let (listener, address) = listening().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = server.accept(stream).await;
        });
        let failed = dialer().dial(&address, ANY, &tls(cluster.client(), elsewhere)).await.unwrap_err();
        assert!(matches!(failed, DialError::Tls(TlsFailure::WrongName)), "{failed:?}");
        assert!(!failed.to_string().contains("peering.11111111"), "the presented names are the peer's words");
    }

    #[tokio::test]
    async fn what_is_no_tls_server_is_named_as_such() {
        let cluster = Cluster::new();
        let (listener, address) = listening().await;
        tokio::spawn(async move {
            for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""] {
                let (mut stream, _) = listener.accept().await.unwrap();
                // The hello is read, or closing the connection would reset it.
                stream.read_buf(&mut Vec::with_capacity(1 << 14)).await.unwrap();
                stream.write_all(answer).await.unwrap();
            }
        });
        for expected in [TlsFailure::NotTls, TlsFailure::Closed] {
            let failed = dialer().dial(&address, ANY, &tls(cluster.client(), NAME)).await.unwrap_err();
            assert!(matches!(failed, DialError::Tls(failure) if failure == expected), "{failed:?}");
        }
    }

    #[tokio::test]
    async fn plaintext_is_just_tcp() {
        let (listener, address) = listening().await;
        let (dialed, accepted) =
            tokio::join!(async { dialer().dial(&address, ANY, &DialSecurity::Plaintext).await }, listener.accept());
        let (Socket::Tcp(dialed), (accepted, _)) = (dialed.unwrap(), accepted.unwrap()) else { panic!() };
        assert_eq!(dialed.local_addr().unwrap(), accepted.peer_addr().unwrap());
        assert!(dialed.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_closed_port_is_no_connection() {
        let (listener, address) = listening().await;
        drop(listener);
        let failed = dialer().dial(&address, ANY, &DialSecurity::Plaintext).await.unwrap_err();
        assert!(matches!(failed, DialError::Connect(_)), "{failed:?}");
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up_after_the_limit() {
        let cluster = Cluster::new();
        // It connects, since the system answers for the listener, and nobody shakes hands.
        let (_listener, address) = listening().await;
        let dialer = Dialer { limit: Duration::from_millis(50), ..dialer() };
        let failed = dialer.dial(&address, ANY, &tls(cluster.client(), NAME)).await.unwrap_err();
        assert!(matches!(failed, DialError::TimedOut { doing: "shaking hands", .. }), "{failed:?}");
    }

    #[tokio::test]
    async fn what_may_not_be_dialed_is_not_even_connected_to() {
        let (listener, address) = listening().await;
        let port = address.port();
        let public = AddressOrigin::Stream { nearest_in_token: Reach::Public };
        for (host, origin, expected) in [
            ("", ANY, DialRefusal::EmptyHost),
            ("0.0.0.0", ANY, DialRefusal::Unspecified),
            ("[::]", ANY, DialRefusal::Unspecified),
            ("[fe80::1]", ANY, DialRefusal::LinkLocal),
            ("[::ffff:169.254.169.254]", ANY, DialRefusal::LinkLocal),
            ("127.0.0.1", public, DialRefusal::Loopback),
            ("localhost", public, DialRefusal::Loopback),
        ] {
            let address = ServerAddress::parse(&format!("{host}:{port}")).unwrap();
            let refused = dialer().dial(&address, origin, &DialSecurity::Plaintext).await.unwrap_err();
            assert!(matches!(refused, DialError::Refused(refusal) if refusal == expected), "{host}: {refused:?}");
        }
        // The next connection is ours, so there was none before it.
        let ours = TcpStream::connect((address.host(), port)).await.unwrap();
        let (_, first) = listener.accept().await.unwrap();
        assert_eq!(first, ours.local_addr().unwrap());
    }

    /// Answers each question with the next of these, and the last for ever.
    #[derive(Debug)]
    struct Script(std::sync::Mutex<Vec<Vec<&'static str>>>);

    #[async_trait::async_trait]
    impl Resolve for Script {
        async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            let mut answers = self.0.lock().unwrap();
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            Ok(answer.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect())
        }
    }

    #[tokio::test]
    async fn every_dial_asks_for_the_name_again_and_checks_each_address() {
        let (_listener, address) = listening().await;
        let address = ServerAddress::parse(&format!("rebinding.example:{}", address.port())).unwrap();
        let answers = vec![vec!["127.0.0.1"], vec!["169.254.169.254"], vec![], vec!["fe80::1", "::", "127.0.0.1"]];
        let script = Arc::new(Script(std::sync::Mutex::new(answers)));
        let dialer = Dialer::with_resolver(DialPolicy::default(), script);
        let dial = async || dialer.dial(&address, ANY, &DialSecurity::Plaintext).await;
        dial().await.unwrap();
        let refused = dial().await.unwrap_err();
        assert!(matches!(refused, DialError::Refused(DialRefusal::LinkLocal)), "{refused:?}");
        assert!(matches!(dial().await.unwrap_err(), DialError::NoAddress));
        dial().await.unwrap();
    }

    #[tokio::test]
    async fn eight_addresses_of_a_name_are_tried_and_a_ninth_is_not() {
        let (listener, open) = listening().await;
        let address = ServerAddress::parse(&format!("many.example:{}", open.port())).unwrap();
        // Nobody listens on them, and the system says so at once.
        let closed = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"];
        let eight = [&closed[..], &["127.0.0.1"]].concat();
        let nine = [&closed[..], &["127.0.0.9", "127.0.0.1"]].concat();
        assert_eq!((eight.len(), nine.len()), (DIAL_RESOLVED_MAX, DIAL_RESOLVED_MAX + 1));
        let script = Arc::new(Script(std::sync::Mutex::new(vec![eight, nine])));
        let dialer = Dialer::with_resolver(DialPolicy::default(), script);
        let dial = async || dialer.dial(&address, ANY, &DialSecurity::Plaintext).await;
        dial().await.unwrap();
        listener.accept().await.unwrap();
        let failed = dial().await.unwrap_err();
        assert!(matches!(failed, DialError::Connect(_)), "{failed:?}");
    }

    /// Listens on an address that swallows connections: its queue is full, and nobody takes one out.
    async fn swallowing(ip: &str, port: u16) -> (TcpListener, Vec<TcpStream>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(ip.parse().unwrap(), port)).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(connected) =
            timeout_at(Instant::now() + Duration::from_millis(200), TcpStream::connect(address)).await
        {
            queued.push(connected.unwrap());
        }
        (listener, queued)
    }

    #[tokio::test]
    async fn an_address_that_swallows_a_connect_leaves_time_for_the_next() {
        let (_listener, open) = listening().await;
        let _full = swallowing("127.0.0.2", open.port()).await;
        let address = ServerAddress::parse(&format!("swallowed.example:{}", open.port())).unwrap();
        let answers = vec![vec!["127.0.0.2", "127.0.0.1"], vec!["127.0.0.2"]];
        let script = Arc::new(Script(std::sync::Mutex::new(answers)));
        let dialer = Dialer::with_resolver(DialPolicy::default(), script);
        let dial = async || dialer.dial(&address, ANY, &DialSecurity::Plaintext).await;
        // Both wait for as long as it takes; the clock of the tests does not.
        tokio::time::pause();
        let begun = Instant::now();
        let Socket::Tcp(connected) = dial().await.unwrap() else { panic!() };
        assert_eq!(connected.peer_addr().unwrap().to_string(), open.to_string());
        assert!((DIAL_CONNECT_MAX..DIAL_CONNECT_MAX * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let failed = dial().await.unwrap_err();
        assert!(matches!(failed, DialError::TimedOut { doing: "connecting", limit: DIAL_CONNECT_MAX }), "{failed:?}");
    }

    #[tokio::test]
    async fn other_spellings_of_an_address_are_checked_as_what_they_lead_to() {
        let (_listener, address) = listening().await;
        let public = AddressOrigin::Stream { nearest_in_token: Reach::Public };
        for (host, expected) in [
            ("[fe80::1%1]", DialRefusal::LinkLocal),
            ("2130706433", DialRefusal::Loopback),
            ("0x7f.1", DialRefusal::Loopback),
            ("0177.0.0.1", DialRefusal::Loopback),
            ("0", DialRefusal::Unspecified),
            ("127.1", DialRefusal::Loopback),
        ] {
            let address = ServerAddress::parse(&format!("{host}:{}", address.port())).unwrap();
            let failed = dialer().dial(&address, public, &DialSecurity::Plaintext).await.unwrap_err();
            // A resolver may know no such spelling, which is as good.
            let is_refused = matches!(&failed, DialError::Refused(refusal) if *refusal == expected);
            assert!(is_refused || matches!(failed, DialError::Resolve(_)), "{host}: {failed:?}");
        }
    }

    #[tokio::test]
    async fn the_nearest_address_of_a_token_counts() {
        let parse = |texts: &[&str]| texts.iter().map(|text| ServerAddress::parse(text).unwrap()).collect::<Vec<_>>();
        assert_eq!(dialer().nearest(&[]).await, Reach::Public);
        assert_eq!(dialer().nearest(&parse(&["192.0.2.1:1"])).await, Reach::Public);
        assert_eq!(dialer().nearest(&parse(&["192.0.2.1:1", "10.0.0.1:1"])).await, Reach::Private);
        assert_eq!(dialer().nearest(&parse(&["127.0.0.1:1", "10.0.0.1:1"])).await, Reach::Loopback);
        assert_eq!(dialer().nearest(&parse(&[":1", "localhost:1"])).await, Reach::Loopback);
    }
}
