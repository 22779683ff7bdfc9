//! Handlers of version 1, one file per resource.

pub(crate) mod acl;
pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod config;
mod detail;
pub(crate) mod establish;
pub(crate) mod exported;
pub(crate) mod issued;
pub(crate) mod metrics;
pub(crate) mod peering;
pub(crate) mod peerings;
mod render;
pub(crate) mod roots;
pub(crate) mod status;
pub(crate) mod token;
