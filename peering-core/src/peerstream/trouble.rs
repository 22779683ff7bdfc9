//! What went wrong with a peer stream, by kind: each has a stable code, on which scripts may rely, and a remedy.

use std::borrow::Cow;

use super::status::{Refusal, StatusCode, text};

/// Who ended a stream, or said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// We did, by our rules.
    We,
    /// The peer, in a status.
    Peer,
    /// Nobody: the connection broke.
    Connection,
}

/// A kind of trouble with the peer stream of one peering.
///
/// # Shape
/// [`Trouble::code`] is lower case with hyphens; for a status of the peer that has no meaning of its own it is `grpc-`
/// and the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// There is nothing to dial.
    NoAddress,
    /// The address may not be dialed from here.
    DialDenied,
    /// The host name has no address.
    NameUnresolved,
    /// Nobody listens there.
    ConnectionRefused,
    /// There is no way there.
    Unreachable,
    /// Nobody answered in time.
    DialTimeout,
    /// The peer's certificate leads to no CA of the peering.
    CertificateUnknownCa,
    /// The peer's certificate is for another server.
    CertificateWrongName,
    /// The peer's certificate has ended.
    CertificateExpired,
    /// The peer's certificate has not begun.
    CertificateNotYetValid,
    /// The peer's certificate cannot be used for another reason.
    CertificateUnusable,
    /// None of the CA certificates that we know of the peer is valid now.
    RootsUnusable,
    /// Our own certificate has ended, so that dialers refuse it.
    OwnCertificateExpired,
    /// The server there is another.
    ServerNameUnknown,
    /// The server name of the token is none.
    ServerNameInvalid,
    /// The server there refused the handshake.
    HandshakeRefused,
    /// What answers does not speak TLS.
    NotTls,
    /// The connection was closed during the handshake.
    HandshakeClosed,
    /// The handshake failed otherwise.
    HandshakeFailed,
    /// HTTP/2 did not start.
    Http2Failed,
    /// The connection broke under the stream.
    ConnectionLost,
    /// The dialer's server ended the stream without a reason, as it does when it is stopped.
    StreamEnded,
    /// The peer was silent for longer than a heartbeat may take.
    HeartbeatTimeout,
    /// The peer says the same of us.
    HeartbeatTimeoutAtPeer,
    /// The peer does not read what it is sent.
    PeerNotReading,
    /// A newer stream of the same peering took the place.
    StreamReplaced,
    /// The peer broke a rule of the protocol.
    ProtocolViolation,
    /// The peer refuses the secret of a peering token.
    TokenRefused,
    /// The peer refuses our stream secret.
    StreamSecretRefused,
    /// The peer has no secret to compare ours with.
    PeerHasNoSecrets,
    /// The peer does not know the peering.
    PeeringUnknownToPeer,
    /// The peer has deleted the peering.
    PeeringDeletedByPeer,
    /// Both sides are dialers of this peering.
    WrongEnd,
    /// The server there follows another.
    NotTheLeader,
    /// The peer is overloaded, or was sent too much.
    PeerOverloaded,
    /// The peer's server stops.
    PeerShuttingDown,
    /// The peer's server is not ready yet.
    PeerNotReady,
    /// A dialer presented a stream secret that is not this peering's.
    StreamSecretWrong,
    /// A dialer came although nobody holds a secret of this peering.
    NoSecrets,
    /// A dialer came after the peering had ended.
    OpenAfterEnd,
    /// We stop.
    ShuttingDown,
    /// Our own store or keyring failed.
    StoreFailed,
    /// We failed otherwise.
    Internal,
    /// The peer gave a status without a meaning of its own.
    Status(StatusCode),
}

impl Trouble {
    /// Sorts how a stream ended.
    #[must_use]
    pub fn of(refusal: &Refusal, said: Said) -> Self {
        let message = refusal.message.as_str();
        match (said, refusal.code) {
            (Said::Connection, _) => Self::ConnectionLost,
            (Said::We, _) if message == text::HEARTBEAT_TIMEOUT => Self::HeartbeatTimeout,
            (Said::We, _) if message == text::ENDED_UNEXPECTEDLY => Self::StreamEnded,
            (_, _) if message.starts_with(text::REPLACED) => Self::StreamReplaced,
            (Said::We, _) if message == text::SHUTTING_DOWN => Self::ShuttingDown,
            // 8 and 11 are what a frame gets that is longer than anybody sends.
            (Said::We, StatusCode::InvalidArgument | StatusCode::ResourceExhausted | StatusCode::Other(11)) => {
                Self::ProtocolViolation
            }
            (Said::We, StatusCode::Unavailable) => Self::PeerNotReading,
            (Said::We, _) => Self::Internal,
            (Said::Peer, code) => Self::of_peer(code, message),
        }
    }

    /// Sorts a status of the peer: by Consul's code, and by its text where one code has several.
    fn of_peer(code: StatusCode, message: &str) -> Self {
        let says = |text: &str| message.contains(text);
        match code {
            StatusCode::PermissionDenied => Self::StreamSecretRefused,
            StatusCode::Aborted => Self::PeeringDeletedByPeer,
            StatusCode::FailedPrecondition => Self::NotTheLeader,
            StatusCode::ResourceExhausted => Self::PeerOverloaded,
            StatusCode::InvalidArgument if says(text::UNKNOWN_PEERING) => Self::PeeringUnknownToPeer,
            StatusCode::InvalidArgument if says(text::WRONG_END) => Self::WrongEnd,
            StatusCode::Internal if says(text::NO_SECRETS) => Self::PeerHasNoSecrets,
            StatusCode::Unavailable if says(text::SHUTTING_DOWN) => Self::PeerShuttingDown,
            StatusCode::Unavailable if says(text::NOT_READY) => Self::PeerNotReady,
            StatusCode::Unknown if says(text::HEARTBEAT_TIMEOUT) => Self::HeartbeatTimeoutAtPeer,
            other => Self::Status(other),
        }
    }

    /// Returns the stable code.
    #[must_use]
    pub fn code(self) -> Cow<'static, str> {
        match self {
            Self::Status(code) => Cow::Owned(format!("grpc-{}", code.number())),
            other => Cow::Borrowed(other.explain().0),
        }
    }

    /// Says what to do about it: a sentence without a period at its end.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.explain().1
    }

    /// The table of codes and remedies.
    #[rustfmt::skip]
    const fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::NoAddress => ("no-address", "ask the peer for a new peering token and establish again"),
            Self::DialDenied => ("dial-denied", "look at dial_deny in the settings of this server, or ask the peer to advertise another address"),
            Self::NameUnresolved => ("name-unresolved", "see whether this machine can resolve the name, or ask the peer to advertise another"),
            Self::ConnectionRefused => ("connection-refused", "see whether the peer's server runs and listens at this address"),
            Self::Unreachable => ("unreachable", "see whether there is a route to this address and no firewall refuses it"),
            Self::DialTimeout => ("dial-timeout", "see whether the peer's server runs and no firewall drops what is sent to this address"),
            Self::CertificateUnknownCa => ("certificate-unknown-ca", "see whether the address leads to the peer; if it does, ask the peer for a new peering token and establish again"),
            Self::CertificateWrongName => ("certificate-wrong-name", "see whether the address leads to the peer; if it does, ask the peer for a new peering token and establish again"),
            Self::CertificateExpired => ("certificate-expired", "compare the clocks of both sides; if they agree, see the log of the peer's server for why it does not renew its certificate"),
            Self::CertificateNotYetValid => ("certificate-not-yet-valid", "compare the clocks of both sides and correct the one that is wrong"),
            Self::CertificateUnusable => ("certificate-unusable", "see the log of the peer's server, and whether the address leads to it"),
            Self::RootsUnusable => ("roots-unusable", "compare the clock with the CA certificates of the peer; if they have ended, ask the peer for a new peering token and establish again"),
            Self::OwnCertificateExpired => ("own-certificate-expired", "correct the clock of this server, or see its log for why it does not renew its certificate"),
            Self::ServerNameUnknown => ("server-name-unknown", "see whether the address leads to the peer; if it does, ask the peer for a new peering token and establish again"),
            Self::ServerNameInvalid => ("server-name-invalid", "ask the peer for a new peering token and establish again"),
            Self::HandshakeRefused => ("handshake-refused", "see the log of the peer's server"),
            Self::NotTls => ("not-tls", "ask the peer to advertise its port for peers, which speaks TLS"),
            Self::HandshakeClosed => ("handshake-closed", "see the log of the peer's server, and what stands between the two"),
            Self::HandshakeFailed => ("handshake-failed", "see the logs of both servers and compare their releases"),
            Self::Http2Failed => ("http2-failed", "see whether the address leads to the peer's port for peers, and what stands between the two"),
            Self::ConnectionLost => ("connection-lost", "see whether the peer's server runs and the network holds; the dialer goes on dialing"),
            Self::StreamEnded => ("stream-ended", "nothing, if the peer's server is being stopped or restarted, which ends streams in this way; else see its log; the dialer goes on dialing"),
            Self::HeartbeatTimeout => ("heartbeat-timeout", "see whether the peer's server runs and the network holds; the dialer goes on dialing"),
            Self::HeartbeatTimeoutAtPeer => ("heartbeat-timeout-at-peer", "see whether the network lets what this server sends through, and whether this server is overloaded"),
            Self::PeerNotReading => ("peer-not-reading", "see whether the peer's server is overloaded or stopped"),
            Self::StreamReplaced => ("stream-replaced", "nothing, if it happens once; if it goes on, two servers dial with copies of the same data: stop one"),
            Self::ProtocolViolation => ("protocol-violation", "compare the releases of both servers, and see the log of the peer's"),
            Self::TokenRefused => ("token-refused", "ask the peer for a new peering token and establish again"),
            Self::StreamSecretRefused => ("stream-secret-refused", "ask the peer for a new peering token and establish again: one side works on other data than before"),
            Self::PeerHasNoSecrets => ("peer-has-no-secrets", "ask the peer for a new peering token and establish again"),
            Self::PeeringUnknownToPeer => ("peering-unknown-to-peer", "ask the peer for a new peering token and establish again: it works on other data than before"),
            Self::PeeringDeletedByPeer => ("peering-deleted-by-peer", "delete the peering here too, or ask the peer for a new peering token and establish again"),
            Self::WrongEnd => ("wrong-end", "delete the peering on both sides and begin with a new peering token of one of them"),
            Self::NotTheLeader => ("not-the-leader", "nothing: the next address is dialed"),
            Self::PeerOverloaded => ("peer-overloaded", "see the log of the peer's server; the dialer goes on dialing, slowly"),
            Self::PeerShuttingDown => ("peer-shutting-down", "nothing, if the peer's server is being restarted; else start it"),
            Self::PeerNotReady => ("peer-not-ready", "nothing at first; if it goes on, see the log of the peer's server"),
            Self::StreamSecretWrong => ("stream-secret-wrong", "if it was the peer, generate a new peering token here and establish with it there; if not, see the log for where it comes from"),
            Self::NoSecrets => ("no-secrets", "generate a new peering token here and establish with it on the other side"),
            Self::OpenAfterEnd => ("open-after-end", "delete the peering on the other side, or generate a new peering token here and establish with it there"),
            Self::ShuttingDown => ("shutting-down", "nothing: this server is being stopped"),
            Self::StoreFailed => ("store-failed", "see the log of this server, its disk and its keyring"),
            Self::Internal => ("internal-error", "see the log of this server"),
            Self::Status(_) => ("grpc", "see the log of the peer's server"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_a_peer_says_in_consul_s_words_has_a_code_of_its_own() {
        for (refusal, code) in [
            (Refusal::unknown_peering("x"), "peering-unknown-to-peer"),
            (Refusal::peering_deleted("x"), "peering-deleted-by-peer"),
            (Refusal::no_secrets(), "peer-has-no-secrets"),
            (Refusal::invalid_stream_secret(), "stream-secret-refused"),
            (Refusal::wrong_end(), "wrong-end"),
            (Refusal::replaced("x"), "stream-replaced"),
            (Refusal::authority_not_ready(), "peer-not-ready"),
            (Refusal::shutting_down(), "peer-shutting-down"),
            (Refusal::heartbeat_timeout(), "heartbeat-timeout-at-peer"),
            (Refusal::heartbeat_timeout().receiving_failed(), "heartbeat-timeout-at-peer"),
            (Refusal::peering_unreadable("x"), "grpc-13"),
            (Refusal::from_peer(9, "not the leader"), "not-the-leader"),
            (Refusal::from_peer(8, "rate limit exceeded"), "peer-overloaded"),
            (Refusal::from_peer(99, ""), "grpc-99"),
        ] {
            assert_eq!(Trouble::of(&refusal, Said::Peer).code(), code);
        }
    }

    #[test]
    fn what_we_say_and_what_nobody_says_is_told_apart_from_the_same_words_of_a_peer() {
        for (refusal, code) in [
            (Refusal::heartbeat_timeout(), "heartbeat-timeout"),
            (Refusal::ended_unexpectedly(), "stream-ended"),
            (Refusal::replaced("x"), "stream-replaced"),
            (Refusal::invalid("a rule"), "protocol-violation"),
            (Refusal::shutting_down(), "shutting-down"),
            (Refusal::new(StatusCode::Internal, "x"), "internal-error"),
        ] {
            assert_eq!(Trouble::of(&refusal, Said::We).code(), code);
            assert_eq!(Trouble::of(&refusal, Said::Connection).code(), "connection-lost");
        }
    }

    #[test]
    fn codes_are_unique_and_each_has_a_remedy() {
        use Trouble::*;
        #[rustfmt::skip]
        let all = [
            NoAddress, DialDenied, NameUnresolved, ConnectionRefused, Unreachable, DialTimeout, CertificateUnknownCa,
            CertificateWrongName, CertificateExpired, CertificateNotYetValid, CertificateUnusable, RootsUnusable,
            OwnCertificateExpired, ServerNameUnknown, ServerNameInvalid, HandshakeRefused, NotTls, HandshakeClosed,
            HandshakeFailed, Http2Failed, ConnectionLost, StreamEnded, HeartbeatTimeout, HeartbeatTimeoutAtPeer,
            PeerNotReading, StreamReplaced, ProtocolViolation, TokenRefused, StreamSecretRefused, PeerHasNoSecrets,
            PeeringUnknownToPeer, PeeringDeletedByPeer, WrongEnd, NotTheLeader, PeerOverloaded, PeerShuttingDown,
            PeerNotReady, StreamSecretWrong, NoSecrets, OpenAfterEnd, ShuttingDown, StoreFailed, Internal,
            Status(StatusCode::Internal),
        ];
        // What an operator looks a code up in. The last row stands for all numbers.
        let table = include_str!("../../../docs/http-api.md").split_once("| code | means |").unwrap().1;
        let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), all.len());
        for (row, trouble) in rows.iter().zip(all) {
            let (code, rest) = row.strip_prefix("| `").unwrap().split_once("` | ").unwrap();
            let (means, remedy) = rest.split_once(" | ").unwrap();
            let known = if matches!(trouble, Status(_)) { "grpc-N".into() } else { trouble.code() };
            assert_eq!((code, remedy.strip_suffix(" |").unwrap()), (&*known, trouble.remedy()));
            assert!(means.ends_with('.'), "{row}");
        }
        let codes: BTreeSet<_> = all.iter().map(|trouble| trouble.code()).collect();
        assert_eq!(codes.len(), all.len());
        for trouble in all {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(trouble.code().chars().all(is_plain), "{}", trouble.code());
            assert!(trouble.remedy().len() > 10 && !trouble.remedy().ends_with('.'), "{}", trouble.code());
        }
    }
}
