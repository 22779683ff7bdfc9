//! What a text can be.

use serde::{Serialize, Serializer};

/// A kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Consul's own.
    ConsulPeering,
    /// Ours: Consul's with our keys in it.
    Peering,
    /// Docker Swarm's `SWMTKN-…`.
    SwarmJoin,
    /// Kubernetes' `id.secret`.
    Bootstrap,
    /// k3s' `K10…`, or a short one.
    K3s,
    /// Elasticsearch's.
    ElasticsearchEnrollment,
    /// Skupper 1: a Secret that is exchanged for a certificate.
    SkupperClaim,
    /// Skupper 1: a Secret with a certificate.
    SkupperConnection,
    /// Skupper 2: what is exchanged for a link.
    SkupperAccessToken,
    /// Skupper 2: a link with its certificate.
    SkupperLink,
    /// None that is known here.
    Unknown,
}

impl Kind {
    /// Returns what people call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsulPeering => "Consul peering token",
            Self::Peering => "peering token",
            Self::SwarmJoin => "Docker Swarm join token",
            Self::Bootstrap => "Kubernetes bootstrap token",
            Self::K3s => "k3s token",
            Self::ElasticsearchEnrollment => "Elasticsearch enrollment token",
            Self::SkupperClaim => "Skupper 1 claim token",
            Self::SkupperConnection => "Skupper 1 connection token",
            Self::SkupperAccessToken => "Skupper 2 access token",
            Self::SkupperLink => "Skupper 2 link",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the commands that take it.
    #[must_use]
    pub const fn used_with(self) -> Option<&'static str> {
        match self {
            Self::ConsulPeering | Self::Peering => Some("peering establish, consul peering establish"),
            Self::SwarmJoin => Some("docker swarm join --token"),
            Self::Bootstrap => Some("kubeadm join --token, k3s agent --token"),
            Self::K3s => Some("k3s agent --token, k3s server --token"),
            Self::ElasticsearchEnrollment => Some("elasticsearch --enrollment-token, kibana-setup --enrollment-token"),
            Self::SkupperClaim | Self::SkupperConnection => Some("skupper link create"),
            Self::SkupperAccessToken => Some("skupper token redeem, kubectl apply"),
            Self::SkupperLink => Some("kubectl apply, skupper system apply"),
            Self::Unknown => None,
        }
    }

    /// Says whether `establish` is what it is for.
    #[must_use]
    pub const fn is_peering(self) -> bool {
        matches!(self, Self::ConsulPeering | Self::Peering)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
