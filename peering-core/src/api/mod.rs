//! JSON shapes of the HTTP API, shared by server and command line, in Consul's field names.

pub mod acl;
pub mod audit;
pub mod body;
pub mod detail;
pub mod issued;
pub mod v1;
