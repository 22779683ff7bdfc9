//! The accepting side of TLS: which certificate is shown under which server name. On the peer listener nothing is shown
//! under any other.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::{KeySlot, provider};

/// A fatal `unrecognized_name` alert in a record of its own.
///
/// rustls answers a name without a certificate with `access_denied`. The alert comes before any key was agreed on, so
/// it is these seven bytes: record type 21, version 3.3, length 2, level 2, description 112.
///
/// # Source
/// RFC 8446, sections 5.1 and 6; RFC 6066, section 3.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Says why a TLS handshake was not finished.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client named no server, as one does that dials an IP address.
    #[error("the client named no server, expected the server name of a peering token")]
    NoServerName,
    /// The client named a server that we are not. The name is the client's and is not repeated.
    #[error("the client named a server that is not served here")]
    UnknownServerName,
    /// The handshake failed or the connection broke.
    #[error("the TLS handshake failed")]
    Failed(#[from] io::Error),
    /// The client speaks HTTP without TLS; it has been told so.
    #[error("the client sent an HTTP request where TLS is spoken")]
    PlainHttp,
}

/// TLS settings of one listener.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The names that are served; any name, and none, where there is one certificate for all.
    names: Option<Arc<SniTable>>,
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Serves each certificate under its exact server name. Only the protocols in `alpn` are answered, the first that
    /// the client offers too; a client that offers none is served.
    ///
    /// # Errors
    /// [`rustls::Error`] if the provider lacks the protocol versions, which ours does not.
    pub fn new<I>(names: I, alpn: &[&[u8]]) -> Result<Self, rustls::Error>
    where
        I: IntoIterator<Item = (String, Arc<KeySlot>)>,
    {
        let names = names.into_iter().map(|(name, slot)| (name.to_ascii_lowercase(), slot)).collect();
        let names = Arc::new(SniTable(names));
        let config = config(Arc::clone(&names) as Arc<dyn ResolvesServerCert>, alpn)?;
        Ok(Self { names: Some(names), config })
    }

    /// Serves one certificate, whatever server the client names: what an operator gave us is for the names in it, and
    /// the client sees whether it is for that one.
    ///
    /// # Errors
    /// [`rustls::Error`] if the provider lacks the protocol versions, which ours does not.
    pub fn one_for_all(slot: Arc<KeySlot>, alpn: &[&[u8]]) -> Result<Self, rustls::Error> {
        Ok(Self { names: None, config: config(Arc::new(One(slot)), alpn)? })
    }

    /// Does a handshake. It has no deadline of its own.
    ///
    /// # Errors
    /// [`HandshakeError`]; for a wrong name the client has been told `unrecognized_name`.
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let refusal = self.names.as_ref().and_then(|names| match hello.client_hello().server_name() {
            None => Some(HandshakeError::NoServerName),
            Some(name) if !names.0.contains_key(name) => Some(HandshakeError::UnknownServerName),
            Some(_) => None,
        });
        let Some(refused) = refusal else { return Ok(hello.into_stream(Arc::clone(&self.config)).await?) };
        // The refusal stands whether or not the client still listens.
        if hello.io.write_all(&UNRECOGNIZED_NAME).await.is_ok() {
            let _ = hello.io.shutdown().await;
        }
        Err(refused)
    }
}

fn config(resolver: Arc<dyn ResolvesServerCert>, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// One certificate for every name.
#[derive(Debug)]
struct One(Arc<KeySlot>);

impl ResolvesServerCert for One {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load())
    }
}

/// Server names, in lower case as rustls reports them, with their certificates.
#[derive(Debug)]
struct SniTable(HashMap<String, Arc<KeySlot>>);

impl ResolvesServerCert for SniTable {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(hello.server_name()?).map(|slot| slot.load())
    }
}
