//! Acts: services, stores, certificates, HTTP and gRPC.

#[cfg_attr(not(test), expect(dead_code, reason = "the drivers that use the wire come next"))]
pub(crate) mod peerstream;
pub mod store;
