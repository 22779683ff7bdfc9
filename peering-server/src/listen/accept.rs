//! The accept loop: counts, shakes hands in a task with a deadline, and hands finished connections on.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::{Admission, ConnectionGuard, Gate, GateRefusal};
use super::{Bound, Limits, Listener, TlsRule};
use crate::bounds::{ACCEPT_PAUSE, IDLE_CLOSE_MAX, REFUSAL_LOG_PAUSE, REQUEST_HEAD_BYTES_MAX};
use crate::socket::Socket;
use crate::tls::HandshakeError;

/// The answer to HTTP in clear on a listener with TLS; the same bytes as Go's.
const WITHOUT_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// A connection that is ready to be served: admitted, and with TLS if the listener has it.
#[derive(Debug)]
pub struct Connection {
    /// Its bytes.
    pub socket: Socket,
    /// Who called; none on a unix socket.
    pub source: Option<IpAddr>,
    /// Cancelled when the listener shuts down: finish what is in progress and end.
    pub shutdown: CancellationToken,
    admission: Admission,
}

impl Connection {
    /// Returns the handle by which an accepted Open takes this connection out of the bounds.
    #[must_use]
    pub fn guard(&self) -> ConnectionGuard {
        self.admission.guard()
    }

    /// Tells whether it came over a unix socket.
    #[must_use]
    pub const fn is_unix(&self) -> bool {
        matches!(self.socket, Socket::Unix(_))
    }

    /// Returns the user whose process is at the other end of a unix socket.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        match &self.socket {
            Socket::Unix(stream) => stream.peer_cred().ok().map(|credentials| credentials.uid()),
            _ => None,
        }
    }

    /// Takes it apart. The admission must live as long as the socket: it is the place that the connection holds.
    #[must_use]
    pub fn into_parts(self) -> (Socket, Admission) {
        (self.socket, self.admission)
    }
}

/// Accepts connections until the shutdown, then waits until each handler has ended.
///
/// Connections past the bounds are closed at once. Neither a stalled handshake nor an error of the system stops the
/// others from being accepted.
pub async fn serve<H, F>(listener: Listener, handler: H, shutdown: CancellationToken)
where
    H: Fn(Connection) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let address = listener.address();
    tracing::info!(listener = listener.name, %address, services = ?listener.services, "listening");
    let Listener { name, tls, limits, socket, services: _ } = listener;
    serve_from(socket, name, tls, limits, handler, shutdown).await;
}

async fn serve_from<A, H, F>(
    socket: A,
    name: &'static str,
    tls: TlsRule,
    limits: Limits,
    handler: H,
    shutdown: CancellationToken,
) where
    A: Accept,
    H: Fn(Connection) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handshake = limits.handshake;
    let gate = Gate::new(limits);
    let mut refusals = Refusals::default();
    let connections = TaskTracker::new();
    while let Some(accepted) = shutdown.run_until_cancelled(socket.accept()).await {
        let (stream, source) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::warn!(
                    listener = name,
                    error = &error as &dyn Error,
                    "cannot accept connections, trying again"
                );
                shutdown.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                continue;
            }
        };
        let admission = match gate.admit(source) {
            Ok(admission) => admission,
            Err(refusal) => {
                refusals.note(name, source, refusal);
                continue;
            }
        };
        let (tls, handler, shutdown) = (tls.clone(), handler.clone(), shutdown.clone());
        connections.spawn(async move {
            let ready = shutdown.run_until_cancelled(prepare(stream, &tls, handshake)).await;
            match ready {
                Some(Ok(socket)) => handler(Connection { socket, source, shutdown, admission }).await,
                Some(Err(error)) => {
                    tracing::debug!(
                        listener = name,
                        ?source,
                        error = &error as &dyn Error,
                        "a connection did not get past its handshake"
                    );
                }
                None => {}
            }
        });
    }
    // Closed before the wait, so that nobody connects to a server that no longer answers.
    drop(socket);
    connections.close();
    connections.wait().await;
    tracing::debug!(listener = name, "stopped listening");
}

/// Where connections come from.
trait Accept: Send + Sync {
    /// Waits for the next connection. Safe to drop half-way.
    fn accept(&self) -> impl Future<Output = io::Result<(Socket, Option<IpAddr>)>> + Send;
}

impl Accept for Bound {
    async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), Some(peer.ip().to_canonical())))
            }
            Self::Unix(listener) => Ok((Socket::Unix(listener.accept().await?), None)),
        }
    }
}

/// Tells whether an error of `accept` concerns only the connection that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn prepare(socket: Socket, tls: &TlsRule, handshake_max: Duration) -> Result<Socket, HandshakeError> {
    let stream = match socket {
        Socket::Tcp(stream) => stream,
        other => return Ok(other),
    };
    // Small frames would otherwise wait some 40 ms for an acknowledgement.
    stream.set_nodelay(true)?;
    match tls {
        TlsRule::Plain => Ok(Socket::Tcp(stream)),
        TlsRule::ByServerName(tls) => within(handshake_max, tls.accept::<TcpStream>(stream)).await,
        TlsRule::One(tls) => {
            let handshake = async {
                if begins_as_http(&stream).await? {
                    return Err(tell_to_use_tls(stream).await);
                }
                tls.accept::<TcpStream>(stream).await
            };
            within(handshake_max, handshake).await
        }
    }
}

async fn within(
    longest: Duration,
    handshake: impl Future<Output = Result<TlsStream<TcpStream>, HandshakeError>>,
) -> Result<Socket, HandshakeError> {
    let finished = tokio::time::timeout(longest, handshake).await;
    Ok(finished.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.into())
}

/// Looks at the first byte: a method of HTTP begins with a capital letter, a TLS record never does.
async fn begins_as_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase())
}

/// Answers as Go does who speaks to the wrong port.
async fn tell_to_use_tls(mut stream: TcpStream) -> HandshakeError {
    let told = async {
        stream.write_all(WITHOUT_TLS).await?;
        stream.shutdown().await?;
        // What is left unread would make the system cut the connection, and the answer with it.
        io::copy(&mut stream.take(REQUEST_HEAD_BYTES_MAX as u64), &mut io::sink()).await
    };
    match tokio::time::timeout(IDLE_CLOSE_MAX, told).await {
        Ok(Err(error)) => error.into(),
        Ok(Ok(_)) | Err(_) => HandshakeError::PlainHttp,
    }
}

/// Tells of refused connections without letting whoever causes them fill the log.
#[derive(Debug, Default)]
struct Refusals {
    told: Option<Instant>,
    untold: u64,
}

impl Refusals {
    fn note(&mut self, listener: &'static str, source: Option<IpAddr>, refusal: GateRefusal) {
        self.untold += 1;
        if self.told.is_some_and(|told| told.elapsed() < REFUSAL_LOG_PAUSE) {
            return;
        }
        tracing::warn!(listener, ?source, refused = self.untold, reason = %refusal, "refused connections");
        *self = Self { told: Some(Instant::now()), untold: 0 };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use tokio::net::UnixStream;
    use tokio::sync::mpsc;

    use super::*;
    use crate::listen::{ListenAddress, ListenerEntry};

    /// Gives what it was told to, then waits for ever.
    struct Script(Mutex<VecDeque<Accepted>>);

    type Accepted = io::Result<(Socket, Option<IpAddr>)>;

    impl Accept for Script {
        async fn accept(&self) -> Accepted {
            let next = self.0.lock().unwrap().pop_front();
            match next {
                Some(next) => next,
                None => std::future::pending().await,
            }
        }
    }

    fn connection() -> Accepted {
        Ok((Socket::Unix(UnixStream::pair()?.0), None))
    }

    fn system(code: i32) -> Accepted {
        Err(io::Error::from_raw_os_error(code))
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_accepting_are_survived_with_a_pause_where_one_helps() {
        const TOO_MANY_OPEN_FILES: i32 = 24;
        const CONNECTION_ABORTED: i32 = 103;
        let script = [
            system(CONNECTION_ABORTED),
            connection(),
            system(TOO_MANY_OPEN_FILES),
            system(TOO_MANY_OPEN_FILES),
            connection(),
        ];
        let limits = Limits { connections: 2.into(), connections_per_source: None, handshake: Duration::MAX };
        let (send, mut served) = mpsc::unbounded_channel();
        let handler = move |connection: Connection| {
            let send = send.clone();
            async move {
                send.send(Instant::now()).unwrap();
                connection.shutdown.cancelled().await;
            }
        };
        let shutdown = CancellationToken::new();
        let begun = Instant::now();
        let script = Script(Mutex::new(script.into()));
        let task = tokio::spawn(serve_from(script, "test", TlsRule::Plain, limits, handler, shutdown.clone()));
        assert_eq!(served.recv().await.unwrap() - begun, Duration::ZERO);
        let waited = served.recv().await.unwrap() - begun;
        assert!((ACCEPT_PAUSE * 2..ACCEPT_PAUSE * 3).contains(&waited), "{waited:?}");
        shutdown.cancel();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_does_not_wait_for_the_pause() {
        let limits = Limits { connections: 1.into(), connections_per_source: None, handshake: Duration::MAX };
        let script = Script(Mutex::new((0..10_000).map(|_| system(24)).collect()));
        let shutdown = CancellationToken::new();
        let task = serve_from(script, "test", TlsRule::Plain, limits, |_| async {}, shutdown.clone());
        let begun = Instant::now();
        tokio::join!(task, async {
            tokio::time::sleep(ACCEPT_PAUSE / 2).await;
            shutdown.cancel();
        });
        assert!(begun.elapsed() < ACCEPT_PAUSE);
    }

    #[tokio::test]
    async fn small_frames_never_wait_for_an_acknowledgement() {
        let address = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = ListenerEntry::http(address).bind().await.unwrap();
        let address = listener.tcp_address().unwrap();
        let (send, mut served) = mpsc::unbounded_channel();
        let handler = move |connection: Connection| {
            let Socket::Tcp(stream) = &connection.socket else { panic!("{connection:?}") };
            send.send(stream.nodelay().unwrap()).unwrap();
            async {}
        };
        tokio::spawn(serve(listener, handler, CancellationToken::new()));
        let _stream = TcpStream::connect(address).await.unwrap();
        assert!(served.recv().await.unwrap());
    }
}
