//! Addresses of peering servers: `host:port`, as Go's splitter understands it.

mod flaw;
mod reach;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use flaw::Flaw;
pub use reach::Reach;

use crate::foreign::echo;

/// Says that a text is not `host:port`. The text is Consul's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is not a valid peering server address")]
#[non_exhaustive]
pub struct AddressError(pub String);

/// Where a peering server listens: a host that is resolved at dial time, and a port.
///
/// # Shape
/// `host:port` or `[ipv6]:port`, port 1 to 65535 in decimal. The host is not checked and may be empty. The text is
/// kept as it was written, since it is compared, stored and shown byte for byte.
///
/// # Examples
/// ```
/// use peering_core::address::ServerAddress;
/// let address = ServerAddress::parse("[::1]:8503")?;
/// assert_eq!((address.host(), address.port()), ("::1", 8503));
/// assert!(ServerAddress::parse("::1:8503").is_err());
/// # Ok::<(), peering_core::address::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerAddress {
    text: String,
    host_start: usize,
    host_end: usize,
    port: u16,
}

impl ServerAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`] if the port is missing or outside 1 to 65535, an IPv6 host is not bracketed, or a scheme
    /// stands before the host.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::split(text).ok_or_else(|| AddressError(echo(text).to_owned()))
    }

    fn split(text: &str) -> Option<Self> {
        let colon = text.rfind(':')?;
        let (host_start, host_end) = if text.starts_with('[') {
            let close = text.find(']')?;
            (close + 1 == colon).then_some((1, close))?
        } else {
            (0, colon)
        };
        let host = &text[host_start..host_end];
        let has_stray_bracket = host.contains(['[', ']']) || text[host_end..].matches(']').count() > host_start;
        let has_bare_colon = host_start == 0 && host.contains(':');
        if has_stray_bracket || has_bare_colon {
            return None;
        }
        // Go's `Atoi` takes a sign and leading zeros, and so does `parse`; `h:+8503` is accepted on both sides.
        let port = text[colon + 1..].parse::<i64>().ok()?;
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        Some(Self { text: text.to_owned(), host_start, host_end, port })
    }

    /// Returns the host, without brackets; it may be empty.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[self.host_start..self.host_end]
    }

    /// Returns the port, never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<std::net::SocketAddr> for ServerAddress {
    fn from(address: std::net::SocketAddr) -> Self {
        let text = address.to_string();
        let host_start = usize::from(address.is_ipv6());
        let host_end = text.len() - address.port().to_string().len() - 1 - host_start;
        Self { host_start, host_end, port: address.port(), text }
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<ServerAddress> for String {
    fn from(address: ServerAddress) -> Self {
        address.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_consul_accepts() {
        for (text, host, port) in [
            ("1.2.3.4:80", "1.2.3.4", 80),
            ("foo.bar:80", "foo.bar", 80),
            ("[::1]:8503", "::1", 8503),
            ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
            (":8503", "", 8503),
            ("h:08503", "h", 8503),
            ("h:+8503", "h", 8503),
            ("h:65535", "h", 65535),
        ] {
            let address = ServerAddress::parse(text).unwrap();
            assert_eq!((address.host(), address.port(), address.as_str()), (host, port, text));
        }
    }

    #[test]
    fn refuses_what_consul_refuses() {
        for text in [
            "",
            "h",
            "32.1.2.3",
            "h:",
            "h:https",
            "h:0",
            "h:-1",
            "h:65536",
            "::1:8503",
            "https://h:1",
            "a:b:1",
            "[::1]",
            "[::1]8503",
            "[::1]]:1",
            "[[::1]:1",
            "a[b]:1",
            "h:1]",
            "h:99999999999999999999",
        ] {
            assert_eq!(ServerAddress::parse(text), Err(AddressError(echo(text).to_owned())), "{text}");
        }
    }

    #[test]
    fn socket_addresses_are_bracketed() {
        let address = ServerAddress::from(std::net::SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 8503)));
        assert_eq!((address.as_str(), address.host()), ("[::1]:8503", "::1"));
        assert_eq!(ServerAddress::parse(address.as_str()), Ok(address));
    }
}
