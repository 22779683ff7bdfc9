//! Acts: services, stores, certificates, HTTP and gRPC.

pub mod bounds;
pub mod ca;
pub mod dial;
pub mod listen;
pub mod socket;
pub mod store;
pub mod tls;
