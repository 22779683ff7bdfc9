//! The HTTP API, asked over real connections. A test that is a case of the conformance list carries its number.

mod agent;
mod bounds;
mod catalog;
mod config;
mod delete;
mod establish;
mod expiry;
mod exported;
mod generate;
mod guard;
mod metrics;
mod read;
mod redemption;
mod routes;
mod spent;
mod validation;
