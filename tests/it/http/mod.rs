//! The HTTP API, asked over real connections. A test that is a case of the conformance list carries its number.

mod acl;
mod bounds;
mod delete;
mod establish;
mod expiry;
mod generate;
mod guard;
mod read;
mod redemption;
mod routes;
mod spent;
mod validation;
