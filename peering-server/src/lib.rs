//! Acts: services, stores, certificates, HTTP and gRPC.
//!
//! A server inside another program:
//!
//! ```
//! use peering_core::name::Datacenter;
//! use peering_server::config::Config;
//! use peering_server::server::Server;
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! let server = Server::start(Config::ephemeral(Datacenter::parse("dc1")?)).await?;
//! let listed = server.service().list_peerings().await?;
//! assert!(listed.value.is_empty());
//! server.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rooms, from the outside in: [`server`] wires everything; [`config`] checks settings; `http` and `peerstream`
//! are the edges; [`service`] is what the product does; [`store`] is where facts live; [`audit`] tells what happened; [`keyring`], [`ca`], [`tls`],
//! [`listen`], [`dial`] and [`metrics`] are what those stand on.

pub mod audit;
pub mod bounds;
pub mod ca;
pub mod causes;
pub mod clock;
pub mod config;
pub mod dial;
pub mod entropy;
mod http;
pub mod keyring;
pub mod listen;
mod lock;
pub mod logs;
pub mod metrics;
mod peerstream;
pub mod server;
pub mod service;
pub mod socket;
pub mod store;
pub mod tls;

#[cfg(feature = "testing")]
pub use peerstream::probe;
