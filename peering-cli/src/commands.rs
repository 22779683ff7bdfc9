//! The verbs, one file each: its flags, its call, what it prints.

pub(crate) mod acl;
pub(crate) mod audit;
pub(crate) mod completion;
pub(crate) mod delete;
pub(crate) mod error;
pub(crate) mod establish;
pub(crate) mod exported_services;
pub(crate) mod format;
pub(crate) mod generate_token;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod man;
#[cfg(feature = "server")]
pub(crate) mod quickstart;
pub(crate) mod read;
#[cfg(feature = "server")]
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod token_source;
pub(crate) mod version;
pub(crate) mod wait;
