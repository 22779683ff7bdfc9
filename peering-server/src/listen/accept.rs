//! The accept loop: counts, shakes hands in a task with a deadline, and hands finished connections on.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::{Admission, ConnectionGuard, Gate, GateRefusal};
use super::{Bound, Limits, Listener, TlsRule};
use crate::bounds::{ACCEPT_PAUSE, REFUSAL_LOG_PAUSE};
use crate::socket::Socket;
use crate::tls::HandshakeError;

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
    let name = listener.name;
    tracing::info!(listener = name, address = %listener.address(), services = ?listener.services, "listening");
    let gate = Gate::new(listener.limits);
    let mut refusals = Refusals::default();
    let connections = TaskTracker::new();
    while let Some(accepted) = shutdown.run_until_cancelled(accept(&listener.socket)).await {
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
        let (tls, limits) = (listener.tls.clone(), listener.limits);
        let (handler, shutdown) = (handler.clone(), shutdown.clone());
        connections.spawn(async move {
            let ready = shutdown.run_until_cancelled(prepare(stream, &tls, limits)).await;
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
    drop(listener);
    connections.close();
    connections.wait().await;
    tracing::debug!(listener = name, "stopped listening");
}

async fn accept(socket: &Bound) -> io::Result<(Socket, Option<IpAddr>)> {
    match socket {
        Bound::Tcp(listener, _) => {
            let (stream, peer) = listener.accept().await?;
            Ok((Socket::Tcp(stream), Some(peer.ip().to_canonical())))
        }
        Bound::Unix(listener) => Ok((Socket::Unix(listener.accept().await?), None)),
    }
}

/// Tells whether an error of `accept` concerns only the connection that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn prepare(socket: Socket, tls: &TlsRule, limits: Limits) -> Result<Socket, HandshakeError> {
    let stream = match socket {
        Socket::Tcp(stream) => stream,
        other => return Ok(other),
    };
    // Small frames would otherwise wait some 40 ms for an acknowledgement.
    stream.set_nodelay(true)?;
    match tls {
        TlsRule::Plain => Ok(Socket::Tcp(stream)),
        TlsRule::ByServerName(tls) => {
            let handshake = tokio::time::timeout(limits.handshake, tls.accept::<TcpStream>(stream));
            let finished = handshake.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            Ok(finished?.into())
        }
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
