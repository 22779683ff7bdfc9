//! Acts: services, stores, certificates, HTTP and gRPC.

pub mod store;
