//! Decides who may trust whom: peering tokens, secrets and the peer stream as pure functions.
//!
//! Nothing in this crate opens a socket, reads a file, asks the clock or draws a random number. Time, secrets and
//! ids are arguments, so that every rule can be replayed in a test.
//!
//! ```
//! use peering_core::name::PeerName;
//!
//! let name = PeerName::parse("cluster-02")?;
//! assert_eq!(name.as_str(), "cluster-02");
//! # Ok::<(), peering_core::name::NameError>(())
//! ```
//!
//! The rooms, in the order in which they may use each other (a room uses those above it):
//! [`foreign`], [`id`], [`name`], [`duration`], [`meta`], [`address`], [`secret`], [`remote`], [`gojson`], [`trust`],
//! [`acl`], [`token`], [`life`], [`peering`], [`transition`], [`audit`], [`secrets`], [`peerstream`], [`config_entry`], [`api`].

pub mod acl;
pub mod address;
pub mod api;
pub mod audit;
pub mod config_entry;
pub mod duration;
pub mod foreign;
pub mod gojson;
pub mod id;
pub mod life;
pub mod meta;
pub mod name;
pub mod peering;
pub mod peerstream;
pub mod remote;
pub mod secret;
pub mod secrets;
pub mod token;
pub mod transition;
pub mod trust;
mod wiped;
