//! The names under which we log what Consul logs too, so that a search for them finds ours.
//!
//! Everything else is logged under the path of its module, which begins with the name of this crate.

/// What happens to peerings and their tokens.
pub const PEERING: &str = "peering";
/// Dialing, and the end of what was dialed.
pub const SYNCER: &str = "peering-syncer";
/// The peer stream service.
pub const PEERSTREAM: &str = "peerstream";
/// One stream.
pub const STREAM: &str = "peerstream.stream-resources";

/// All of them.
pub const ALL: [&str; 4] = [PEERING, SYNCER, PEERSTREAM, STREAM];
