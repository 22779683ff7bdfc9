//! Host names into addresses, asked anew for every dial.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;

/// Looks host names up. What it answers is checked afterwards, every time, so that nobody need trust it.
#[async_trait]
pub trait Resolve: Debug + Send + Sync {
    /// Returns the addresses of a host in the order in which they are to be tried.
    ///
    /// # Errors
    /// That of the lookup.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
