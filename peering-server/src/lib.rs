//! Acts: services, stores, certificates, HTTP and gRPC.

pub mod clock;
pub mod entropy;
pub mod keyring;
pub mod store;
