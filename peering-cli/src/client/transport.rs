//! Why a request got no answer, in Go's words.
//!
//! reqwest says only "error sending request": the cause is at the end of its chain of sources.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::{CertificateError, InvalidMessage};

use crate::client::go_io;
use crate::client::resolver::LookupError;

/// Where a connection was to go, as Go names it: `tcp 127.0.0.1:8500` or `unix /tmp/c.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// `tcp` or `unix`.
    pub network: &'static str,
    /// Address or path.
    pub address: String,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.network, self.address)
    }
}

/// Why a request got no answer.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum TransportCause {
    /// The host name has no address.
    Lookup(LookupError),
    /// No connection within the time allowed.
    DialTimeout(Destination),
    /// The operating system refused the connection.
    Dial {
        /// Where it was to go.
        destination: Destination,
        /// Why.
        error: String,
    },
    /// The TLS handshake failed.
    Tls(rustls::Error),
    /// The connection broke.
    Broken(String),
    /// Anything else, by the innermost text.
    Other(String),
}

impl TransportCause {
    /// Finds the cause in a chain of sources.
    pub(crate) fn of(error: &reqwest::Error, destination: Destination) -> Self {
        let chain = || chain(error);
        if let Some(lookup) = chain().find_map(|error| error.downcast_ref::<LookupError>()) {
            return Self::Lookup(lookup.clone());
        }
        if let Some(tls) = chain().find_map(tls_error) {
            return Self::Tls(tls.clone());
        }
        if error.is_connect() && error.is_timeout() {
            return Self::DialTimeout(destination);
        }
        let system = chain().filter_map(|error| error.downcast_ref::<io::Error>()).last();
        match system {
            Some(system) if error.is_connect() => Self::Dial { destination, error: go_io::reason(system) },
            Some(system) => Self::Broken(go_io::reason(system)),
            None => Self::Other(innermost(error).to_string()),
        }
    }
}

/// Returns an error and its sources, outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}

/// Returns the last error of a chain, which names the cause.
pub(crate) fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    chain(error).last().unwrap_or(error)
}

/// Finds a TLS error, which hides inside an `io::Error`, or two: those do not give what they hold as their source.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let held = || error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| tls_error(held()?))
}

impl fmt::Display for TransportCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error) => write!(f, "dial tcp: {error}"),
            Self::DialTimeout(destination) => write!(f, "dial {destination}: i/o timeout"),
            Self::Dial { destination, error } => write!(f, "dial {destination}: connect: {error}"),
            Self::Tls(error) => fmt_tls(error, f),
            Self::Broken(error) => write!(f, "read: {error}"),
            Self::Other(error) => f.write_str(error),
        }
    }
}

fn fmt_tls(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        rustls::Error::InvalidCertificate(certificate) => {
            f.write_str("tls: failed to verify certificate: x509: ")?;
            match certificate {
                // Another root of the same name makes the signature bad, which Go reports as the same thing.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    f.write_str("certificate signed by unknown authority")
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => {
                    write!(f, "certificate has expired or is not yet valid: {certificate}")
                }
                other => write!(f, "{other}"),
            }
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            f.write_str("http: server gave HTTP response to HTTPS client")
        }
        other => write!(f, "tls: {other}"),
    }
}
