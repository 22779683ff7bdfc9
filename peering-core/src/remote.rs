//! What a cluster says of itself to a peer: datacenter, partition and locality.

use serde::{Deserialize, Serialize};

/// Where a cluster is, as it tells its peer in a token and in `Open`. Free text from outside: bounded, never trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteInfo {
    /// Admin partition; always empty in Consul's community edition and here.
    pub partition: String,
    /// Datacenter name.
    pub datacenter: String,
    /// Region and zone, when the peer knows them.
    pub locality: Option<Locality>,
}

impl RemoteInfo {
    /// Says whether nothing is known. An empty description never replaces a known one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Region and zone of a cluster; either may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locality {
    /// Such as `us-west-1`.
    pub region: String,
    /// Such as `us-west-1a`.
    pub zone: String,
}
