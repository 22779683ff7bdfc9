//! TLS settings: one crypto provider, TLS 1.2 and 1.3, certificates by exact server name for peers, one for the HTTP
//! API, roots by peering.
//!
//! System roots, client certificates and session resumption are nowhere: every connection shows and checks its
//! certificate anew. The hybrid key exchange X25519MLKEM768 is offered and preferred on both sides.

pub mod client;
pub mod files;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod handshake_tests;
pub mod server;

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;

pub use client::{RootsError, client_config};
pub use files::{CertificateFiles, CertificateFilesError};
pub use server::{HandshakeError, ServerTls};

/// The protocol name of HTTP/2 in TLS (RFC 9113, section 3.1).
pub const ALPN_H2: &[u8] = b"h2";
/// The protocol name of HTTP/1.1 in TLS (RFC 7301, section 6).
pub const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// Returns the one crypto provider that all our TLS uses.
///
/// It is named at every use and not installed for the process: with a second provider in somebody's program, leaving
/// the choice to rustls panics.
#[must_use]
pub fn provider() -> &'static Arc<CryptoProvider> {
    &PROVIDER
}

/// Holds the certificate served under one name, replaceable while connections run.
#[derive(Debug)]
pub struct KeySlot(ArcSwap<CertifiedKey>);

impl KeySlot {
    /// Fills a slot.
    #[must_use]
    pub fn new(key: CertifiedKey) -> Self {
        Self(ArcSwap::from_pointee(key))
    }

    /// Returns what a handshake would be served now.
    #[must_use]
    pub fn load(&self) -> Arc<CertifiedKey> {
        self.0.load_full()
    }

    /// Serves another certificate from the next handshake on.
    pub fn replace(&self, key: CertifiedKey) {
        self.0.store(Arc::new(key));
    }
}
