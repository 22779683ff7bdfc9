//! The frames of a peer stream, as our own types.

use std::fmt;

use super::status::Refusal;
use crate::remote::RemoteInfo;
use crate::secret::StreamSecret;

/// One message of the stream, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// The dialer's first.
    Open(Open),
    /// A subscription, an acknowledgement or a refusal of a response.
    Request(Request),
    /// A resource.
    Response(Response),
    /// The sender deleted the peering.
    Terminated,
    /// The sender is alive.
    Heartbeat,
    /// A message of a kind that we do not know, or of none; it counts for nothing.
    Unknown,
}

/// What a dialer says first: for whom it calls, and the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The acceptor's id of the peering.
    pub peer_id: String,
    /// The dialer's stream secret.
    pub secret: StreamSecret,
    /// The dialer about itself.
    pub remote: RemoteInfo,
}

/// Asks for a type of resource, or answers a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The acceptor's id of the peering in a dialer's subscription, else empty.
    pub peer_id: String,
    /// Empty in a subscription; in an answer, that of the response.
    pub nonce: String,
    /// The type of resource.
    pub url: ResourceUrl,
    /// Why the response was refused. Its presence makes a refusal, whatever its code.
    pub error: Option<Refusal>,
}

impl Request {
    /// Asks for a type of resource.
    #[must_use]
    pub fn subscribe(peer_id: &str, url: ResourceUrl) -> Self {
        Self { peer_id: peer_id.to_owned(), nonce: String::new(), url, error: None }
    }

    /// Says that a response was stored, or why not.
    #[must_use]
    pub fn reply(url: ResourceUrl, nonce: String, result: Result<(), Refusal>) -> Self {
        Self { peer_id: String::new(), nonce, url, error: result.err() }
    }
}

/// Carries one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The sender's number for it; never empty.
    pub nonce: String,
    /// The type of resource that the sender announces.
    pub url: ResourceUrl,
    /// Which resource of its type.
    pub resource_id: String,
    /// What to do with it.
    pub operation: Operation,
    /// The resource, or why there is none.
    pub content: Content,
}

impl Response {
    /// Sends the whole state of one resource.
    #[must_use]
    pub fn upsert(nonce: String, resource_id: &str, resource: Resource) -> Self {
        Self {
            nonce,
            url: resource.url(),
            resource_id: resource_id.to_owned(),
            operation: Operation::Upsert,
            content: Content::Resource(resource),
        }
    }
}

/// What a response asks for. The protocol has one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// 0, which protobuf makes of an absent field; refused.
    Unspecified,
    /// 1: keep this resource in place of the older one.
    Upsert,
    /// Any other number; refused.
    Other(i32),
}

/// What was inside a response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Nothing.
    Absent,
    /// A resource of the announced type.
    Resource(Resource),
    /// A resource of another type than the announced one.
    Mismatched {
        /// The type URL that it carries.
        type_url: String,
    },
    /// Bytes that are not of that type.
    Undecodable {
        /// What the decoder said.
        reason: String,
    },
    /// A resource that is of that type and yet breaks a rule which every resource of it follows.
    Invalid {
        /// Which rule.
        reason: String,
    },
}

/// Something that one cluster tells another. Everything is whole state; there are no differences.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// All instances of one service, named by the resource id.
    ExportedService(ExportedService),
    /// The names of all services exported to the receiver.
    ExportedServiceList(Vec<String>),
    /// The sender's roots.
    TrustBundle(TrustBundle),
    /// Where to dial the sender next time, each `host:port`.
    ServerAddresses(Vec<String>),
}

impl Resource {
    /// Returns the type URL under which it travels.
    #[must_use]
    pub const fn url(&self) -> ResourceUrl {
        match self {
            Self::ExportedService(_) => ResourceUrl::ExportedService,
            Self::ExportedServiceList(_) => ResourceUrl::ExportedServiceList,
            Self::TrustBundle(_) => ResourceUrl::TrustBundle,
            Self::ServerAddresses(_) => ResourceUrl::ServerAddresses,
        }
    }
}

/// The instances of one service, checked to be well-formed protobuf and kept as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportedService {
    /// How many instances there are; none means that the service is gone.
    pub instances: usize,
    /// The encoded `ExportedService` message.
    pub encoded: Vec<u8>,
}

/// Root certificates as a peer sent them: bounded in number and size, neither parsed nor believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustBundle {
    /// The sender's trust domain, without `spiffe://`.
    pub trust_domain: String,
    /// Its roots in PEM, one or more certificates a string.
    pub root_pems: Vec<String>,
}

/// The type of a resource.
///
/// # Shape
/// `type.googleapis.com/` and the full name of a protobuf message, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ResourceUrl {
    /// Instances of a service.
    ExportedService,
    /// Names of services.
    ExportedServiceList,
    /// Roots.
    TrustBundle,
    /// Addresses of servers.
    ServerAddresses,
    /// A type that we do not know.
    Unknown(String),
}

impl ResourceUrl {
    /// The known types, in the order in which Consul subscribes to them.
    pub const KNOWN: [Self; 4] =
        [Self::ExportedService, Self::ExportedServiceList, Self::TrustBundle, Self::ServerAddresses];

    /// Reads a type URL; every text is one.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|url| url.as_str() == text);
        known.unwrap_or_else(|| Self::Unknown(text.to_owned()))
    }

    /// Returns the full text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ExportedService => "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedService",
            Self::ExportedServiceList => "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedServiceList",
            Self::TrustBundle => "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle",
            Self::ServerAddresses => "type.googleapis.com/hashicorp.consul.internal.peering.PeeringServerAddresses",
            Self::Unknown(text) => text,
        }
    }
}

impl fmt::Display for ResourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Numbers the responses that one side sends on one stream.
///
/// # Shape
/// Eight lower-case hexadecimal digits from `00000001`; more digits when those are used up. The receiver treats them
/// as opaque.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nonce(u64);

impl Nonce {
    /// Counts one further and returns the number as it is sent.
    #[must_use]
    pub fn advance(&mut self) -> String {
        self.0 += 1;
        format!("{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_count_in_hexadecimal_from_one() {
        let mut nonce = Nonce::default();
        assert_eq!(nonce.advance(), "00000001");
        let tenth = (2..=10).map(|_| nonce.advance()).last();
        assert_eq!(tenth.as_deref(), Some("0000000a"));
        assert_eq!(Nonce(0xffff_ffff).advance(), "100000000");
    }

    #[test]
    fn type_urls_have_the_lengths_that_consul_sends() {
        let lengths = ResourceUrl::KNOWN.map(|url| url.as_str().len());
        assert_eq!(lengths, [72, 76, 72, 76]);
    }

    #[test]
    fn type_urls_are_compared_byte_for_byte() {
        for url in ResourceUrl::KNOWN {
            assert_eq!(ResourceUrl::from_text(url.as_str()), url);
            let bare = url.as_str().trim_start_matches("type.googleapis.com");
            assert_eq!(ResourceUrl::from_text(bare), ResourceUrl::Unknown(bare.to_owned()));
            let upper = url.as_str().to_uppercase();
            assert_eq!(ResourceUrl::from_text(&upper).as_str(), upper);
        }
    }

    #[test]
    fn a_frame_in_a_log_shows_no_secret() {
        let secret = StreamSecret::from_text("hunter2");
        let open = Frame::Open(Open { peer_id: "x".into(), secret, remote: RemoteInfo::default() });
        assert!(!format!("{open:?}").contains("hunter2"));
    }
}
