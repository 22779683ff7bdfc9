//! The HTTP API, asked over real connections. A test that is a case of the conformance list carries its number.

pub(crate) mod acl;
mod agent;
mod audit;
mod blocking;
mod bounds;
mod catalog;
mod config;
mod delete;
mod establish;
mod expiry;
mod exported;
mod generate;
mod guard;
mod gzip;
mod https;
mod issued;
mod metrics;
mod read;
mod redemption;
mod request_log;
mod routes;
mod spent;
mod validation;
