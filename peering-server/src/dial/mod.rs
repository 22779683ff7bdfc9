//! Dialing a peer: which addresses may be dialed at all, and a connection to one that may.
//!
//! Addresses come from tokens and from peers, so a stranger chooses them. They are checked after name resolution, at
//! every dial, and the very address that was checked is the one connected to.

pub mod address;
pub mod connect;
pub mod error;
pub mod resolve;

pub use address::{AddressOrigin, DialPolicy, DialRefusal, Reach};
pub use connect::{DialSecurity, Dialer};
pub use error::{DialError, TlsFailure};
pub use resolve::{Resolve, SystemResolver};
