//! The way into a peer listener, as a token describes it: an address, roots and a server name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use peering_server::tls::client_config;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::token;

/// The first address of a token, and how to shake hands there.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Door {
    /// Finds the way that a token describes.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self::at(token, jiff::Timestamp::now())
    }

    /// As [`Door::of`], for whom it is this time.
    #[must_use]
    pub fn at(token: &str, now: jiff::Timestamp) -> Self {
        let claims = token::claims(token);
        let manual = &claims["ManualServerAddresses"][0];
        let address = manual.as_str().or(claims["ServerAddresses"][0].as_str()).unwrap();
        let roots: Vec<&str> = claims["CA"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
        let config = client_config(roots, move || now).unwrap();
        let name = ServerName::try_from(claims["ServerName"].as_str().unwrap().to_owned()).unwrap();
        Self { address: address.parse().unwrap(), config: Arc::new(config), name }
    }

    /// Takes the way to a listener of the test's own.
    #[must_use]
    pub fn to(address: SocketAddr, mut config: ClientConfig, name: &str, alpn: &[u8]) -> Self {
        config.alpn_protocols = vec![alpn.to_vec()];
        Self { address, config: Arc::new(config), name: ServerName::try_from(name.to_owned()).unwrap() }
    }

    /// Returns the first bytes that a client sends.
    ///
    /// # Panics
    /// If TLS does not begin.
    #[must_use]
    pub fn hello(&self) -> Vec<u8> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone()).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// Returns where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// What the system or TLS says.
    pub async fn enter(&self) -> io::Result<TlsStream<TcpStream>> {
        self.shake_hands(TcpStream::connect(self.address).await?).await
    }

    /// Shakes hands, coming from this address.
    ///
    /// # Errors
    /// What the system or TLS says.
    pub async fn enter_from(&self, source: IpAddr) -> io::Result<TlsStream<TcpStream>> {
        self.shake_hands(connect_from(source, self.address).await?).await
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await
    }
}

/// Connects from one address of this machine to another.
///
/// # Errors
/// What the system says.
pub async fn connect_from(source: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(to).await
}
