//! Every bound of the server in one place: a hostile peer meets a limit that we chose.
//!
//! Sizes are in bytes unless the name says otherwise, times are [`Duration`]s. Rooms take these numbers as arguments
//! where a test needs smaller ones; nobody writes a second constant for the same thing.

use std::time::Duration;

/// Bounds that core decides by.
pub use peering_core::acl::{DESCRIPTION_BYTES_MAX, POLICIES_MAX, RULES_BYTES_MAX};
pub use peering_core::config_entry::{CONSUMERS_MAX, EXPORTED_SERVICES_MAX};
pub use peering_core::foreign::{ECHO_BYTES_MAX, SHOWN_CHARACTERS_MAX};
pub use peering_core::peerstream::{PEER_MESSAGE_CHARS_MAX, SERVICES_MAX};
pub use peering_core::token::{ADDRESSES_MAX, CA_ENTRIES_MAX, TOKEN_BYTES_MAX};

/// Most bytes in the body of an HTTP request; more is answered 413. Twice the longest token, so that JSON and metadata
/// around one always fit.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Most bytes in one frame of a peer stream before its Open is accepted; an Open is well below 1 KiB.
pub const FRAME_BYTES_BEFORE_OPEN_MAX: usize = 16 << 10;
/// Most bytes in one frame of a peer stream after that, and in an exchange. A Consul dialer takes no more either.
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// Most HTTP/2 streams at a time on one connection of the peer listener; a dialer needs one, or two while it exchanges.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 8;

/// Most HTTP/2 streams at a time on one connection of the HTTP API: as many requests as RFC 9113 asks to allow.
pub const HTTP2_REQUESTS_PER_CONNECTION_MAX: u32 = 100;
/// Most bytes in the header list of an HTTP/2 request, counted after decompression and 32 more a field: gRPC needs
/// some 500. More is answered 431, and four times as much ends the connection.
pub const HTTP2_HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// Most bytes that wait unread on one HTTP/2 connection. The HTTP/2 library takes DATA frames below 256 bytes for a
/// flood once what they lack, unread, comes to half of this.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Most bytes that wait unread on one HTTP/2 stream: a quarter, so that no burst of frames of 90 bytes or more, the least
/// that Consul sends in numbers, is taken for a flood. A link of 100 ms still carries 2.5 MB/s.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = HTTP2_CONNECTION_WINDOW_BYTES / 4;
/// Most bytes of answers that wait on one HTTP/2 stream for a client that does not read.
pub const HTTP2_UNSENT_BYTES_MAX: usize = 64 << 10;
/// Most HTTP/2 streams that a client gave up before we looked at them; one more ends the connection, since only a rapid
/// reset makes so many.
pub const HTTP2_RESETS_WAITING_MAX: usize = 20;
/// Most HTTP/2 streams of a connection that we had to reset for a fault of the client's; one more ends the connection.
pub const HTTP2_FAULTS_MAX: usize = 128;

/// Most connections without an accepted Open on the peer listener. Each holds a file and some 100 KiB; for as long as a
/// call waits for the store, [`HTTP2_CONNECTION_WINDOW_BYTES`] more.
pub const PEER_CONNECTIONS_MAX: usize = 4_096;
/// Most of those from one source (an IPv4 address or an IPv6 /64): a sixteenth, so that no one source takes all.
pub const PEER_CONNECTIONS_PER_SOURCE_MAX: usize = 256;
/// Most connections on one HTTP listener, blocking queries included, unless the settings say otherwise.
pub const HTTP_CONNECTIONS_MAX: usize = 8_192;

/// Most requests that wait for a change at a time, in the whole server: twice the connections of one listener, since a
/// connection with HTTP/2 carries many. Both ends of a connection with one that waits take some 40 KiB.
pub const WAITING_READS_MAX: usize = 2 * HTTP_CONNECTIONS_MAX;
/// Wait for a change if the caller names none; Consul's number.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(300);
/// Longest wait for a change, up to a sixteenth more by chance, so that those who began together do not end together;
/// Consul's numbers.
pub const WAIT_MAX: Duration = Duration::from_secs(600);

/// Most bytes in the file of a certificate or a key: a long chain has some 20 KiB.
pub const CERTIFICATE_FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest TLS handshake on a listener; a slow link needs three round trips.
pub const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a complete request head, the wait between two requests included. It begins when the answer before it
/// was sent.
pub const REQUEST_HEAD_MAX: Duration = Duration::from_secs(10);
/// Longest arrival of the body of an HTTP request; later is answered 408. The largest body takes a link of 280 kbit/s,
/// and a slower client would hold a place that others need.
pub const REQUEST_BODY_MAX: Duration = Duration::from_secs(30);
/// Longest time of a peer connection without an accepted Open, whatever else is asked on it. A dialer needs one exchange
/// and one Open, at most [`EXCHANGE_MAX`] each; a stranger could otherwise keep its place by calls that are refused.
pub const STRANGER_MAX: Duration = Duration::from_secs(60);
/// Longest time in which nothing of an answer that waits to be sent leaves us; its reader is cut then. The system's
/// buffer counts as having left, so a reader who pauses for less loses nothing, however long the answer is.
pub const ANSWER_STALL_MAX: Duration = Duration::from_secs(60);
/// Most bytes in the head of an HTTP/1.1 request: Consul's headers are small, and a proxy may add cookies.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 << 10;
/// Pause of an accept loop after an error such as "too many open files", which a retry at once would only repeat.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for requests in progress when a listener shuts down; later ones are cut.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);
/// Longest wait for an idle connection to say goodbye before it is cut.
pub const IDLE_CLOSE_MAX: Duration = Duration::from_secs(1);
/// Least time between two log lines about refused connections of one listener.
pub const REFUSAL_LOG_PAUSE: Duration = Duration::from_secs(60);

/// Silence on a peer connection after which the acceptor sends an HTTP/2 PING; Consul's number.
pub const ACCEPTOR_PING_INTERVAL: Duration = Duration::from_secs(30);
/// Longest wait for its acknowledgement; Consul's number.
pub const ACCEPTOR_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Silence on a peer connection after which the dialer sends an HTTP/2 PING; Consul's number, and twice what a Consul
/// acceptor tolerates.
pub const DIALER_PING_INTERVAL: Duration = Duration::from_secs(30);
/// Longest wait for its acknowledgement; Consul's number.
pub const DIALER_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest dial of one server address: name resolution, TCP and TLS together. Consul's number.
pub const DIAL_MAX: Duration = Duration::from_secs(20);
/// Longest TCP connect to one resolved address, so that a dead IPv6 route leaves time for IPv4.
pub const DIAL_CONNECT_MAX: Duration = Duration::from_secs(5);
/// Most resolved addresses of one name that are tried; the rest wait for the next dial.
pub const DIAL_RESOLVED_MAX: usize = 8;

/// Most bytes kept of the last error of a peering: a sentence. Five thousand peerings keep little more than a megabyte.
pub const DETAIL_TEXT_BYTES_MAX: usize = 256;
/// Transitions kept of a peering: a look at its last minutes; the log has them all.
pub const DETAIL_TRANSITIONS_MAX: usize = 5;

/// Time between two looks at the clock by whoever renews a leaf: the longest that a clock moved by hand goes unnoticed.
pub const LEAF_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Most sources and causes of refusals that are counted at once: more than anybody looks at, in a megabyte.
pub const REFUSAL_SOURCES_MAX: usize = 4_096;
/// Longest stream secret taken from an acceptor; Consul's and ours have 36 bytes, and it goes into every Open.
pub const STREAM_SECRET_BYTES_MAX: usize = 256;
/// Longest exchange of an establishment secret, on either side: the answer waits for one commit.
pub const EXCHANGE_MAX: Duration = Duration::from_secs(10);

/// Most series of counters and timers: every endpoint with every method, and every cause of a refusal, fit several times.
pub const METRIC_SERIES_MAX: usize = 2_048;

/// Most policies whose rules are kept read; more are read again. As many as an operator can keep apart.
pub const ACL_COMPILED_POLICIES_MAX: usize = 256;
/// Tokens or policies read from the store at once; a policy may have [`RULES_BYTES_MAX`].
pub const ACL_PAGE_ROWS: usize = 256;
/// Most datacenters that a policy names, so that its record stays below what a store takes.
pub const ACL_DATACENTERS_MAX: usize = 64;
/// Most rights asked about at once; Consul's number.
pub const ACL_AUTHORIZATIONS_MAX: usize = 64;

/// Times that a change is decided anew because others were faster. Sixteen writers of one record are more than any
/// cluster has.
pub const COMMIT_ATTEMPTS_MAX: u32 = 64;
/// Most events that wait for a consumer before writes are refused: about a gigabyte in the store.
pub const OUTBOX_ROWS_MAX: usize = 1_000_000;
/// How many more may wait before even that is refused which only takes trust away: revocations, deletions. In an incident
/// they must go on when nothing else does.
pub const OUTBOX_RESERVE_ROWS_MAX: usize = 100_000;
/// Most events removed by one commit, so that with the largest change a transaction stays below its bound.
pub const OUTBOX_TRIM_ROWS_MAX: usize = 64;
/// Least time between two batches of lines in the audit trail, each of which waits for the disk: nothing is lost
/// meanwhile, since the events are in the store.
pub const AUDIT_BATCH_PAUSE: Duration = Duration::from_millis(100);
/// Most events in one batch of lines: about a megabyte.
pub const AUDIT_BATCH_ROWS_MAX: usize = 2_048;
/// Time after which what is not signed in the audit trail is.
pub const AUDIT_CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);
/// Pause before the audit trail is written again after it could not be.
pub const AUDIT_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Time after which the audit trail's file waits no longer for standard output: a reader at work takes a batch at once.
pub const AUDIT_STDOUT_WAIT: Duration = Duration::from_secs(1);
/// Most bytes of lines that wait for standard output while a file has them: some ten thousand lines.
pub const AUDIT_STDOUT_BYTES_MAX: usize = 4 << 20;
/// Age at which a tombstone goes: a dialer that was away longer is told that its peering is unknown.
pub const TOMBSTONE_AGE_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);
/// Most tombstones kept, the newest.
pub const TOMBSTONES_MAX: usize = 10_000;
/// Time for which a token is kept after it ended, unless the settings say otherwise: it is listed, and whoever tries it
/// again is told apart in the log.
pub const TOKEN_RETENTION: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);
/// Most issued tokens in one answer; whoever wants more asks for those after the last. Each takes some 600 bytes.
pub const LISTED_TOKENS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_single_source_can_fill_the_peer_listener() {
        const { assert!(PEER_CONNECTIONS_PER_SOURCE_MAX * 16 <= PEER_CONNECTIONS_MAX) };
    }

    #[test]
    fn a_longest_token_fits_into_a_body() {
        const { assert!(TOKEN_BYTES_MAX * 2 <= BODY_BYTES_MAX) };
    }
}
