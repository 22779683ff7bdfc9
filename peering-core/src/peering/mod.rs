//! The peering record: what one cluster keeps about its relationship with another.
//!
//! A record belongs to one side for ever: the acceptor generated a token and waits, the dialer used one and calls.

pub mod state;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::ServerAddress;
use crate::id::PeeringId;
use crate::meta::Meta;
use crate::name::PeerName;
use crate::remote::RemoteInfo;
pub use state::{Reported, Stored};

/// Our record of a peering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peering {
    /// Our id; on an acceptor the `PeerID` of its tokens.
    pub local_id: PeeringId,
    /// Our name for the peer.
    pub name: PeerName,
    /// The stored state; whether a stream runs is not stored.
    pub state: Stored,
    /// When deletion began.
    pub deleted_at: Option<Timestamp>,
    /// What the operator attached.
    pub meta: Meta,
    /// What the peer says of itself.
    pub remote: RemoteInfo,
    /// The peer's root certificates in PEM, each ending in a newline: dialed under (dialer) or kept (acceptor).
    pub roots: Vec<String>,
    /// What we know of the peer's trust domain.
    pub domain: PeerDomain,
    /// Which side we are, and what only that side keeps.
    pub side: Side,
}

/// The trust domain of a peer, and what it was before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerDomain {
    /// The one that every trust bundle must name from now on; `None` until the first bundle since the last promotion.
    pub current: Option<String>,
    /// The one before the last promotion.
    pub previous: Option<String>,
    /// Set when the two differ: an operator should know.
    pub changed_from: Option<String>,
}

/// Which side of a peering we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "side", rename_all = "snake_case")]
pub enum Side {
    /// We generate tokens and accept the stream.
    Acceptor,
    /// We used a token and open the stream.
    Dialer(Dialed),
}

/// What a dialer keeps about the cluster that it dials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialed {
    /// The acceptor's id of the peering; not always a UUID.
    pub remote_id: String,
    /// The TLS name to ask for and verify.
    pub server_name: String,
    /// Addresses that the acceptor's operator gave: if there are any, no other is dialed.
    pub manual_addresses: Vec<ServerAddress>,
    /// Addresses that the acceptor found, refreshed over the stream.
    pub server_addresses: Vec<ServerAddress>,
    /// All addresses as the token gave them: what later ones are measured against.
    pub token_addresses: Vec<ServerAddress>,
    /// Whether the token had no CA, so that the stream is not encrypted. Never changed by the peer.
    pub plaintext: bool,
}

impl Dialed {
    /// Returns the addresses to dial, in order: the manual ones, else those that the acceptor found.
    #[must_use]
    pub fn ring(&self) -> &[ServerAddress] {
        if self.manual_addresses.is_empty() { &self.server_addresses } else { &self.manual_addresses }
    }

    /// Returns the trust domain inside the server name `server.<datacenter>.peering.<trust domain>`.
    #[must_use]
    pub fn trust_domain(&self) -> Option<&str> {
        let rest = self.server_name.strip_prefix("server.")?;
        rest.split_once(".peering.").map(|(_, domain)| domain).filter(|domain| !domain.is_empty())
    }
}

impl Peering {
    /// Says whether the peering is neither deleted nor terminated.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.state, Stored::Pending | Stored::Establishing)
    }

    /// Returns what only a dialer keeps, if we are one.
    #[must_use]
    pub const fn dialed(&self) -> Option<&Dialed> {
        match &self.side {
            Side::Dialer(dialed) => Some(dialed),
            Side::Acceptor => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialed(server_name: &str) -> Dialed {
        let address = |text| ServerAddress::parse(text).unwrap();
        Dialed {
            remote_id: "x".into(),
            server_name: server_name.into(),
            manual_addresses: vec![],
            server_addresses: vec![address("a:1")],
            token_addresses: vec![address("a:1")],
            plaintext: false,
        }
    }

    #[test]
    fn the_trust_domain_is_read_out_of_the_server_name() {
        assert_eq!(dialed("server.dc1.peering.abc.consul").trust_domain(), Some("abc.consul"));
        for old in ["server.dc1.consul", "", "server.dc1.peering."] {
            assert_eq!(dialed(old).trust_domain(), None);
        }
    }

    #[test]
    fn manual_addresses_replace_the_others() {
        let mut dialed = dialed("x");
        assert_eq!(dialed.ring()[0].as_str(), "a:1");
        dialed.manual_addresses = vec![ServerAddress::parse("m:2").unwrap()];
        assert_eq!(dialed.ring(), dialed.manual_addresses);
    }
}
