//! The table of listeners: where each one listens, which TLS rule it has, what it serves and how much of it.
//!
//! | listener | TLS rule | serves | bounds |
//! |---|---|---|---|
//! | `http` | plain on loopback and unix sockets | the HTTP API | connections in all |
//! | `https` | one certificate of the operator's, no client certificate | the HTTP API | connections in all |
//! | `peer` | certificate by exact server name, no client certificate | the peer stream service | connections without an accepted Open, in all and per source |
//!
//! A listener knows nothing of routes or frames: [`accept::serve`] hands each finished connection to a handler, which
//! is usually [`http::serve_connection`] or [`grpc::serve_connection`].

pub mod accept;
mod activity;
mod ceiling;
pub mod drive;
pub mod gate;
pub mod grpc;
pub mod http;
mod http2;
pub mod unix;
#[cfg(test)]
pub(crate) mod wire;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::bounds;
use crate::tls::ServerTls;

pub use accept::{Connection, serve};
pub use ceiling::Ceiling;
pub use gate::{AcceptedOpen, Admission, ConnectionGuard};
pub use unix::{UnixSocket, UnixSocketError};

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// The same, for HTTP over TLS.
    Https(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Https(address) => write!(f, "https://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// What a listener asks of TLS.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TlsRule {
    /// No TLS: loopback addresses and unix sockets only.
    Plain,
    /// A certificate by the exact server name that the client asks for, and no client certificate.
    ByServerName(ServerTls),
    /// One certificate whatever the client asks for, and no client certificate. Who sends HTTP in clear is told so.
    One(ServerTls),
}

/// What is served on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Services {
    /// The HTTP API.
    HttpApi,
    /// The peer stream service, alone.
    PeerStream,
}

/// How much a listener takes on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most counted connections in all.
    pub connections: Ceiling,
    /// Most counted connections from one source, if that is bounded.
    pub connections_per_source: Option<usize>,
    /// Longest TLS handshake.
    pub handshake: Duration,
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct ListenerEntry {
    /// Its name in logs and errors.
    pub name: &'static str,
    /// Where it listens.
    pub address: ListenAddress,
    /// What it asks of TLS.
    pub tls: TlsRule,
    /// What it serves.
    pub services: Services,
    /// How much it takes on.
    pub limits: Limits,
}

impl ListenerEntry {
    /// Describes a listener for the HTTP API, with the default bound of connections.
    #[must_use]
    pub fn http(address: ListenAddress) -> Self {
        Self::http_within(address, bounds::HTTP_CONNECTIONS_MAX)
    }

    /// Describes a listener for the HTTP API that takes so many connections.
    #[must_use]
    pub fn http_within(address: ListenAddress, connections: impl Into<Ceiling>) -> Self {
        let connections = connections.into();
        let limits = Limits { connections, connections_per_source: None, handshake: bounds::TLS_HANDSHAKE_MAX };
        Self { name: "http", address, tls: TlsRule::Plain, services: Services::HttpApi, limits }
    }

    /// Describes a listener for the HTTP API over TLS that takes so many connections.
    #[must_use]
    pub fn https_within(address: SocketAddr, tls: ServerTls, connections: impl Into<Ceiling>) -> Self {
        let (name, address, tls) = ("https", ListenAddress::Https(address), TlsRule::One(tls));
        Self { name, tls, ..Self::http_within(address, connections) }
    }

    /// Describes the listener for peer streams.
    #[must_use]
    pub fn peer(address: SocketAddr, tls: ServerTls) -> Self {
        let limits = Limits {
            connections: bounds::PEER_CONNECTIONS_MAX.into(),
            connections_per_source: Some(bounds::PEER_CONNECTIONS_PER_SOURCE_MAX),
            handshake: bounds::TLS_HANDSHAKE_MAX,
        };
        let (address, tls) = (ListenAddress::Tcp(address), TlsRule::ByServerName(tls));
        Self { name: "peer", address, tls, services: Services::PeerStream, limits }
    }

    /// Opens the port or the socket. Connections wait until the listener is [served](serve).
    ///
    /// # Errors
    /// [`BindError`]; nothing was opened then.
    pub async fn bind(self) -> Result<Listener, BindError> {
        let name = self.name;
        let socket = match &self.address {
            ListenAddress::Tcp(address) | ListenAddress::Https(address) => {
                // Checked on the canonical form, or an IPv4-mapped wildcard would pass for something else.
                if matches!(self.tls, TlsRule::Plain) && !address.ip().to_canonical().is_loopback() {
                    return Err(BindError::PlainNotLoopback { name, address: *address });
                }
                let failed = |source| BindError::Tcp { name, address: *address, source };
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                Bound::Tcp(listener, bound)
            }
            ListenAddress::Unix(path) => {
                let bound = UnixSocket::bind(path).map_err(|source| BindError::Unix { name, source })?;
                Bound::Unix(bound)
            }
        };
        Ok(Listener { name, tls: self.tls, services: self.services, limits: self.limits, socket })
    }
}

/// An open listener.
#[derive(Debug)]
pub struct Listener {
    name: &'static str,
    tls: TlsRule,
    services: Services,
    limits: Limits,
    socket: Bound,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixSocket),
}

impl Listener {
    /// Returns where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> ListenAddress {
        match &self.socket {
            Bound::Tcp(_, address) if matches!(self.tls, TlsRule::One(_)) => ListenAddress::Https(*address),
            Bound::Tcp(_, address) => ListenAddress::Tcp(*address),
            Bound::Unix(socket) => ListenAddress::Unix(socket.path().to_owned()),
        }
    }

    /// Returns the TCP address that it listens on, if it is a TCP listener.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Bound::Tcp(_, address) => Some(*address),
            Bound::Unix(_) => None,
        }
    }
}

/// Says why a listener could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Plain HTTP would be reachable from other machines.
    #[error(
        "the {name} listener has no TLS and cannot listen on {address}: use a loopback address such as 127.0.0.1 or a unix socket"
    )]
    PlainNotLoopback {
        /// Of which listener.
        name: &'static str,
        /// What was asked for.
        address: SocketAddr,
    },
    /// The system refused.
    #[error("the {name} listener cannot listen on {address}")]
    Tcp {
        /// Of which listener.
        name: &'static str,
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The unix socket could not be made.
    #[error("the {name} listener cannot use its unix socket")]
    Unix {
        /// Of which listener.
        name: &'static str,
        /// Why.
        #[source]
        source: UnixSocketError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_listeners_stay_on_loopback() {
        for far in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:0.0.0.0]:0"] {
            let refused = ListenerEntry::http(ListenAddress::Tcp(far.parse().unwrap())).bind().await;
            assert!(matches!(refused, Err(BindError::PlainNotLoopback { .. })), "{far}");
        }
        let near = ListenerEntry::http(ListenAddress::Tcp("127.0.0.1:0".parse().unwrap())).bind().await.unwrap();
        assert_ne!(near.tcp_address().unwrap().port(), 0);
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_listener() {
        let first = ListenerEntry::http(ListenAddress::Tcp("127.0.0.1:0".parse().unwrap())).bind().await.unwrap();
        let taken = first.tcp_address().unwrap();
        let refused = ListenerEntry::http(ListenAddress::Tcp(taken)).bind().await.unwrap_err();
        assert_eq!(refused.to_string(), format!("the http listener cannot listen on {taken}"));
    }
}
