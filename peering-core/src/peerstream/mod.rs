//! The peer stream as two sans-I/O sessions: frames and time go in, ordered actions come out.
//!
//! The room owns the rules of the protocol: opening, subscriptions, acknowledgements, heartbeats, the end of a peering,
//! and when to dial again. It refuses to know sockets, clocks, protobuf, stores and secrets: a driver moves bytes, asks
//! a service whether an `Open` is accepted, and stores what arrived. The texts and codes are those of Consul 1.21.
//!
//! | the driver sees | and calls |
//! |---|---|
//! | a frame, while [`Session::is_reading`] | [`Session::on_frame`] |
//! | the end of the other direction, or a broken connection | [`Session::on_end`] |
//! | the time of [`Session::next_deadline`] | [`Session::on_deadline`] |
//! | the answer to [`Action::Authorize`] or [`Action::Store`] | [`Session::answer`], [`Session::import_done`] |
//! | a deletion, a newer stream, new roots or addresses | [`Session::delete`], [`Session::replace`], [`Session::offer`] |
//!
//! After each call it takes actions with [`Session::poll`] until there are none. Frames that have arrived are given
//! before deadlines that have passed, so that a process that slept does not blame its peer.
//!
//! # Examples
//! ```
//! use std::time::Instant;
//! use peering_core::peerstream::{Action, Frame, Offer, Open, Session};
//! use peering_core::remote::RemoteInfo;
//! use peering_core::secret::StreamSecret;
//!
//! let secret = StreamSecret::from_text("11111111-2222-3333-4444-555555555555");
//! let open = Open { peer_id: "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d".into(), secret, remote: RemoteInfo::default() };
//! let mut session = Session::dial(open, Offer::default(), Instant::now());
//! assert!(matches!(session.poll(), Some(Action::Send(Frame::Open(_)))));
//! ```

mod acceptor;
mod backoff;
mod dialer;
mod frame;
mod heartbeat;
mod imports;
mod outbox;
#[cfg(test)]
mod pair;
mod session;
mod status;
mod trouble;
#[cfg(test)]
mod virtual_time;

pub use acceptor::{
    Answer, EARLY_FRAMES_MAX, OPEN_TIMEOUT, REFUSAL_LINGER, REFUSAL_LINGER_FRAMES, REMOTE_FIELD_BYTES_MAX,
};
pub use backoff::{FAILURES_RESET_AFTER, JITTER_MAX, Redial};
pub use frame::{
    Content, ExportedService, Frame, Nonce, Open, Operation, Request, Resource, ResourceUrl, Response, TrustBundle,
};
pub use heartbeat::{Beat, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Heartbeat};
pub use imports::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, IMPORTS_WAITING_MAX, Import, ROOTS_BYTES_MAX, ROOTS_MAX, SERVICE_NAME_BYTES_MAX,
    SERVICES_MAX, TRUST_DOMAIN_BYTES_MAX,
};
pub use outbox::Offer;
pub use session::{ACTIONS_WAITING_MAX, Action, FAREWELL_TIMEOUT, NONCE_BYTES_MAX, Session, TYPE_URL_BYTES_MAX};
pub use status::{PEER_MESSAGE_CHARS_MAX, Refusal, StatusCode};
pub use trouble::{Said, Trouble};
