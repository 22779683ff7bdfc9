//! Looks host names up, and remembers what was found for the sake of error messages.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// Says that a host name has no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("lookup {host}: no such host")]
pub(crate) struct LookupError {
    host: String,
}

/// Resolves names with the system's resolver; one name may stand for another host.
///
/// A server can so be asked for under the name in its certificate, which need not resolve, while the connection goes to
/// the host of the address.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    stand_in: Option<(String, String)>,
    found: Arc<Mutex<Option<SocketAddr>>>,
}

impl Resolver {
    /// Makes a resolver; `stand_in` is a name in a certificate and the host to look up instead.
    pub(crate) fn new(stand_in: Option<(String, String)>) -> Self {
        Self { stand_in, found: Arc::default() }
    }

    /// Returns the name in the certificate and the host that it stands for.
    pub(crate) fn stand_in(&self) -> Option<(&str, &str)> {
        self.stand_in.as_ref().map(|(name, host)| (name.as_str(), host.as_str()))
    }

    /// Returns the first address of the last lookup, which is the one that Go reports.
    pub(crate) fn first_found(&self) -> Option<SocketAddr> {
        self.found.lock().ok().and_then(|found| *found)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = match &self.stand_in {
            Some((certificate_name, host)) if certificate_name == name.as_str() => host.clone(),
            _ => name.as_str().to_owned(),
        };
        let found = Arc::clone(&self.found);
        Box::pin(async move {
            // The caller puts the port of the URL in place of 0.
            let looked_up = tokio::net::lookup_host((host.as_str(), 0)).await.map(Iterator::collect::<Vec<_>>);
            let Ok(addresses) = looked_up else {
                return Err(LookupError { host }.into());
            };
            if let Ok(mut found) = found.lock() {
                *found = addresses.first().copied();
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
