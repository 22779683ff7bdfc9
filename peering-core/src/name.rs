//! Names of peers, datacenters and trust domains: each exists only if it is well formed.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::foreign::echo;

/// Most bytes in a peer or datacenter name.
pub const NAME_BYTES_MAX: usize = 63;

/// Says why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not a peer name. The text is Consul's.
    #[error(
        "{0} is not a valid peer name: a valid peering name must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
    )]
    Peer(String),
    /// Not a datacenter name.
    #[error(
        "{0:?} is not a valid datacenter name: expected 1 to 63 characters of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"
    )]
    Datacenter(String),
    /// Not a trust domain of a cluster.
    #[error("{0:?} is not a trust domain: expected <cluster uuid>.consul, in lower case")]
    TrustDomain(String),
}

fn is_bounded_label(text: &str, inner: fn(u8) -> bool) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            bytes.len() <= NAME_BYTES_MAX
                && alphanumeric(first)
                && alphanumeric(last)
                && bytes.iter().all(|&byte| alphanumeric(byte) || inner(byte))
        }
        _ => false,
    }
}

/// Our local alias for another cluster.
///
/// # Shape
/// `^[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?$`, 1 to 63 bytes.
///
/// # Source
/// The rule and the error text of Consul 1.14.4 and later.
///
/// # Examples
/// ```
/// use peering_core::name::PeerName;
/// assert!(PeerName::parse("cluster-02").is_ok());
/// assert!(PeerName::parse("Cluster").unwrap_err().to_string().starts_with("Cluster is not a valid peer name"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerName(String);

impl PeerName {
    /// Reads a peer name.
    ///
    /// # Errors
    /// [`NameError::Peer`] with Consul's text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_bounded_label(text, |byte| byte == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Peer(echo(text).to_owned()))
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Name of the datacenter that a cluster calls its own, such as `dc1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Datacenter(String);

impl Datacenter {
    /// Returns the name that a datacenter has if nobody gives one: `dc1`, as in Consul.
    #[must_use]
    pub fn first() -> Self {
        Self("dc1".to_owned())
    }

    /// Reads a datacenter name; upper case is folded to lower, as Consul does.
    ///
    /// # Errors
    /// [`NameError::Datacenter`] for an empty or overlong name, or another character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let lower = text.to_ascii_lowercase();
        if is_bounded_label(&lower, |byte| matches!(byte, b'-' | b'_')) {
            Ok(Self(lower))
        } else {
            Err(NameError::Datacenter(echo(text).to_owned()))
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The bare trust domain of a cluster, without `spiffe://`.
///
/// # Shape
/// `<cluster uuid>.consul`, lower case; the suffix is `consul` whatever the DNS domain is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(String);

impl TrustDomain {
    /// Names the trust domain of the cluster with this id.
    #[must_use]
    pub fn of_cluster(cluster: &Uuid) -> Self {
        Self(format!("{}.consul", cluster.as_hyphenated()))
    }

    /// Reads a trust domain; upper case is folded to lower.
    ///
    /// # Errors
    /// [`NameError::TrustDomain`] unless the text is a UUID followed by `.consul`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let lower = text.to_ascii_lowercase();
        let cluster = lower.strip_suffix(".consul").filter(|id| id.len() == 36 && Uuid::parse_str(id).is_ok());
        match cluster {
            Some(_) => Ok(Self(lower)),
            None => Err(NameError::TrustDomain(echo(text).to_owned())),
        }
    }

    /// Returns the domain as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names the TLS server that accepts peer streams in this domain: the `ServerName` of a peering token.
    #[must_use]
    pub fn peering_server_name(&self, datacenter: &Datacenter) -> String {
        format!("server.{}.peering.{}", datacenter.0, self.0)
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_form!(PeerName);
text_form!(Datacenter);
text_form!(TrustDomain);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_names_follow_the_one_rule() {
        let longest = "a".repeat(63);
        for good in ["a", "0", "a--b", "xn--x", "123", longest.as_str()] {
            assert_eq!(PeerName::parse(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", "a b", "a\n", too_long.as_str()] {
            assert_eq!(PeerName::parse(bad), Err(NameError::Peer(bad.to_owned())));
        }
    }

    #[test]
    fn datacenters_fold_case() {
        assert_eq!(Datacenter::parse("DC1").unwrap().as_str(), "dc1");
        assert!(Datacenter::parse("a b").is_err());
        assert!(Datacenter::parse("").is_err());
    }

    #[test]
    fn a_trust_domain_is_a_uuid_and_a_suffix() {
        let text = "11111111-2222-3333-4444-555555555555.consul";
        let domain = TrustDomain::parse(text).unwrap();
        assert_eq!(
            domain.peering_server_name(&Datacenter::parse("dc1").unwrap()),
            "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul"
        );
        for bad in ["", "consul", "x.consul", "spiffe://11111111-2222-3333-4444-555555555555.consul"] {
            assert!(TrustDomain::parse(bad).is_err(), "{bad}");
        }
    }
}
