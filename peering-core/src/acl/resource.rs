//! What rights are asked on.

/// A kind of thing that rules speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Tokens and policies.
    Acl,
    /// A server or agent, by the name of its node.
    Agent,
    /// User events, by name.
    Event,
    /// Who may call a service, by its name.
    Intention,
    /// Keys of the key-value store.
    Key,
    /// The keyring of gossip.
    Keyring,
    /// The mesh, exported services included.
    Mesh,
    /// Nodes, by name.
    Node,
    /// What operates the cluster.
    Operator,
    /// Peerings.
    Peering,
    /// Prepared queries, by name.
    Query,
    /// Services, by name.
    Service,
    /// Sessions, by node.
    Session,
}

impl Resource {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 13] = [
        Self::Acl,
        Self::Agent,
        Self::Event,
        Self::Intention,
        Self::Key,
        Self::Keyring,
        Self::Mesh,
        Self::Node,
        Self::Operator,
        Self::Peering,
        Self::Query,
        Self::Service,
        Self::Session,
    ];

    /// Reads a resource's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.as_str() == text)
    }

    /// Returns its name in Consul's words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Agent => "agent",
            Self::Event => "event",
            Self::Intention => "intention",
            Self::Key => "key",
            Self::Keyring => "keyring",
            Self::Mesh => "mesh",
            Self::Node => "node",
            Self::Operator => "operator",
            Self::Peering => "peering",
            Self::Query => "query",
            Self::Service => "service",
            Self::Session => "session",
        }
    }

    /// Says whether one rule covers all of it, so that no name is asked for.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Acl | Self::Keyring | Self::Mesh | Self::Operator | Self::Peering)
    }
}
