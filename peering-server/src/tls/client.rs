//! The dialing side of TLS: whom a dialer believes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::{ALPN_H2, provider};

/// Says why a dialer cannot use TLS with the roots that it was given.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RootsError {
    /// None of them can be trusted now.
    #[error(
        "none of the {given} CA certificates of the peer is a root that is valid now: ask the peer for a new peering token"
    )]
    NoneUsable {
        /// Certificates that could be read, good or not.
        given: usize,
    },
    /// The TLS library refused its settings.
    #[error("could not prepare TLS for dialing")]
    Settings(#[from] rustls::Error),
}

/// Prepares TLS for dialing a peer: exactly these roots, no client certificate, HTTP/2 offered, an acceptor that does
/// not answer ALPN tolerated.
///
/// A root counts only if it is a CA and valid at this time; the TLS library itself asks neither of a root. The others,
/// and text that is no certificate, are left out, so that one bad entry does not stop all dialing.
///
/// # Errors
/// [`RootsError::NoneUsable`] if nothing remains.
pub fn client_config<'a, I, C>(roots: I, clock: C) -> Result<ClientConfig, RootsError>
where
    I: IntoIterator<Item = &'a str>,
    C: Fn() -> Timestamp + Send + Sync + 'static,
{
    let now = clock();
    let mut store = RootCertStore::empty();
    let mut given = 0;
    for pem in roots {
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok) {
            given += 1;
            if is_usable_root(&root, now) {
                store.add_parsable_certificates([root]);
            }
        }
    }
    if store.is_empty() {
        return Err(RootsError::NoneUsable { given });
    }
    let mut config = ClientConfig::builder_with_details(Arc::clone(provider()), Arc::new(Clock(clock)))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn is_usable_root(der: &CertificateDer<'_>, now: Timestamp) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, root)| {
        let life = root.validity().not_before.timestamp()..=root.validity().not_after.timestamp();
        root.is_ca() && life.contains(&now.as_second())
    })
}

/// Lets the TLS library read the same clock as everybody else.
struct Clock<C>(C);

impl<C> fmt::Debug for Clock<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl<C> TimeProvider for Clock<C>
where
    C: Fn() -> Timestamp + Send + Sync,
{
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
