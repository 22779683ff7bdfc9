//! Why a dial failed, by category: nothing in it was sent by the peer.

use std::io;
use std::time::Duration;

use peering_core::peerstream::Trouble;
use rustls::{AlertDescription, CertificateError, Error as RustlsError};
use thiserror::Error;

use super::DialRefusal;

/// Says how far a dial came. Nothing in it was sent by the peer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// No address of the host may be dialed.
    #[error(transparent)]
    Refused(#[from] DialRefusal),
    /// The name has no address, or nobody could say.
    #[error("the host name could not be resolved")]
    Resolve(#[source] io::Error),
    /// The name exists without an address.
    #[error("the host name has no address")]
    NoAddress,
    /// No TCP connection.
    #[error("could not connect")]
    Connect(#[source] io::Error),
    /// There is a connection, but no trust.
    #[error("the TLS handshake failed: {0}")]
    Tls(TlsFailure),
    /// It took too long.
    #[error("no connection within {} seconds while {doing}", limit.as_secs())]
    TimedOut {
        /// What was going on.
        doing: &'static str,
        /// How long the whole dial may take.
        limit: Duration,
    },
}

impl DialError {
    /// Sorts it, for who reads the status of a peering.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Refused(_) => Trouble::DialDenied,
            Self::Resolve(_) | Self::NoAddress => Trouble::NameUnresolved,
            Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => Trouble::ConnectionRefused,
            Self::Connect(_) => Trouble::Unreachable,
            Self::Tls(failure) => failure.trouble(),
            Self::TimedOut { .. } => Trouble::DialTimeout,
        }
    }
}

/// Says why a TLS handshake failed, by its category: certificates and alerts are the peer's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The chain ends in no root of the peering.
    #[error("the certificate is not signed by a CA of the peering token")]
    UnknownIssuer,
    /// The certificate is for another server.
    #[error("the certificate is for another server name")]
    WrongName,
    /// The certificate has ended.
    #[error("the certificate has expired: compare the clocks of both sides")]
    Expired,
    /// The certificate has not begun.
    #[error("the certificate is not valid yet: compare the clocks of both sides")]
    NotYetValid,
    /// Another fault of the certificate.
    #[error("the certificate is not usable")]
    BadCertificate,
    /// The server does not serve the name that we asked for.
    #[error("the server does not know the server name of the peering token")]
    UnknownServerName,
    /// The server refused us otherwise.
    #[error("the server refused the handshake")]
    Refused,
    /// What answered is not TLS.
    #[error("what answered does not speak TLS: is this the TLS port of the peer?")]
    NotTls,
    /// The server hung up.
    #[error("the connection was closed during the handshake")]
    Closed,
    /// Anything else.
    #[error("the two sides could not agree")]
    Protocol,
}

impl TlsFailure {
    const fn trouble(self) -> Trouble {
        match self {
            Self::UnknownIssuer => Trouble::CertificateUnknownCa,
            Self::WrongName => Trouble::CertificateWrongName,
            Self::Expired => Trouble::CertificateExpired,
            Self::NotYetValid => Trouble::CertificateNotYetValid,
            Self::BadCertificate => Trouble::CertificateUnusable,
            Self::UnknownServerName => Trouble::ServerNameUnknown,
            Self::Refused => Trouble::HandshakeRefused,
            Self::NotTls => Trouble::NotTls,
            Self::Closed => Trouble::HandshakeClosed,
            Self::Protocol => Trouble::HandshakeFailed,
        }
    }

    pub(super) fn of(error: &io::Error) -> Self {
        let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<RustlsError>()) else {
            return Self::Closed;
        };
        match cause {
            RustlsError::InvalidCertificate(fault) => match fault {
                // A signature that does not fit is what another CA of the same name looks like.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                _ => Self::BadCertificate,
            },
            RustlsError::AlertReceived(AlertDescription::UnrecognisedName) => Self::UnknownServerName,
            RustlsError::AlertReceived(_) => Self::Refused,
            RustlsError::InvalidMessage(_) => Self::NotTls,
            _ => Self::Protocol,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::DIAL_MAX;

    #[test]
    fn each_way_to_fail_has_a_code_of_its_own() {
        let connect = |kind: io::ErrorKind| DialError::Connect(kind.into());
        for (error, code) in [
            (DialRefusal::Denied.into(), "dial-denied"),
            (DialError::Resolve(io::ErrorKind::NotFound.into()), "name-unresolved"),
            (DialError::NoAddress, "name-unresolved"),
            (connect(io::ErrorKind::ConnectionRefused), "connection-refused"),
            (connect(io::ErrorKind::HostUnreachable), "unreachable"),
            (DialError::TimedOut { doing: "connecting", limit: DIAL_MAX }, "dial-timeout"),
            (DialError::Tls(TlsFailure::UnknownIssuer), "certificate-unknown-ca"),
            (DialError::Tls(TlsFailure::WrongName), "certificate-wrong-name"),
            (DialError::Tls(TlsFailure::Expired), "certificate-expired"),
            (DialError::Tls(TlsFailure::NotYetValid), "certificate-not-yet-valid"),
            (DialError::Tls(TlsFailure::BadCertificate), "certificate-unusable"),
            (DialError::Tls(TlsFailure::UnknownServerName), "server-name-unknown"),
            (DialError::Tls(TlsFailure::Refused), "handshake-refused"),
            (DialError::Tls(TlsFailure::NotTls), "not-tls"),
            (DialError::Tls(TlsFailure::Closed), "handshake-closed"),
            (DialError::Tls(TlsFailure::Protocol), "handshake-failed"),
        ] {
            assert_eq!(error.trouble().code(), code, "{error}");
        }
    }
}
