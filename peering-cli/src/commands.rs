//! The verbs, one file each: its flags, its call, what it prints.

pub(crate) mod acl;
#[cfg(feature = "server")]
pub(crate) mod backup;
pub(crate) mod completion;
pub(crate) mod delete;
pub(crate) mod detail;
pub(crate) mod error;
pub(crate) mod establish;
pub(crate) mod exported_services;
pub(crate) mod format;
pub(crate) mod generate_token;
pub(crate) mod inspect;
#[cfg(feature = "server")]
pub(crate) mod keyring;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod progress;
#[cfg(feature = "server")]
pub(crate) mod quickstart;
pub(crate) mod read;
#[cfg(feature = "server")]
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod token_source;
pub(crate) mod version;
pub(crate) mod wait;
