//! Handlers of version 1, one file per resource.

pub(crate) mod acl;
pub(crate) mod establish;
pub(crate) mod peering;
pub(crate) mod peerings;
mod render;
pub(crate) mod status;
pub(crate) mod token;
