//! Why a service could not do as asked, in the product's words. Edges turn these into status codes.

use peering_core::acl::Denial;
use peering_core::config_entry::EntryError;
use peering_core::duration::GoDuration;
use peering_core::gojson::go_quoted;
use peering_core::id::{IdError, PeeringId};
use peering_core::meta::MetaError;
use peering_core::name::NameError;
use peering_core::secrets::Refusal;
use peering_core::token::{DecodeError, VerifyError};
use thiserror::Error;

use super::acl::AclError;
use super::establish::ExchangeFailure;
use crate::keyring::KeyringError;
use crate::store::StoreError;
use crate::store::record::RecordError;

/// Says why a request was not carried out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A peer name is not well formed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Metadata is not well formed. The prefix is Consul's.
    #[error("meta tags failed validation: {0}")]
    Meta(#[source] MetaError),
    /// A partition other than the default one. The text is Consul's.
    #[error("Partitions are a Consul Enterprise feature")]
    Partition,
    /// More addresses than any token may carry.
    #[error("a token carries at most {max} addresses, got {got}; give fewer in ServerExternalAddresses")]
    TooManyAddresses {
        /// How many were given.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// A token that ends as soon as it is made.
    #[error("TTL: expected at least 1s, got {0}")]
    TtlTooShort(GoDuration),
    /// A token that lives longer than the settings allow.
    #[error("TTL: {got} is longer than {max}, the most that this server allows (-token-ttl-max)")]
    TtlTooLong {
        /// What was asked for.
        got: GoDuration,
        /// The bound.
        max: GoDuration,
    },
    /// The token would be longer than our own decoder accepts.
    #[error(
        "the token would have {got} bytes, more than the {max} that are accepted; give less in Meta or ServerExternalAddresses"
    )]
    TokenTooLong {
        /// Its length.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// A token cannot be read.
    #[error(transparent)]
    Token(#[from] DecodeError),
    /// A token can be read and is not acceptable.
    #[error(transparent)]
    TokenRefused(#[from] VerifyError),
    /// A token without CA.
    #[error(
        "peering token has no CA, so the peer stream would not be encrypted; generate a token on a cluster with TLS, or start this server with -allow-plaintext"
    )]
    PlaintextToken,
    /// The token is our own.
    #[error(
        "cannot create a peering within the same cluster {0:?}. Refer to the `exported-services` documentation if you want to export between partitions without peering"
    )]
    SameCluster(String),
    /// Core refused the change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The acceptor refused the token's secret.
    #[error("a new peering token must be generated: {0}")]
    NewTokenNeeded(String),
    /// No address of the acceptor led to an exchange.
    #[error(transparent)]
    Exchange(#[from] ExchangeFailure),
    /// The token leads nowhere: TLS cannot be set up with what it says. The prefix is Consul's.
    #[error("failed to build TLS dial option from peering: {0}")]
    DialSetup(String),
    /// There is no such peering; the name is as the caller gave it.
    #[error("Peering not found for {}", go_quoted(.0))]
    NotFound(String),
    /// An exchange named a peering by something that is no id.
    #[error("failed to read peering secret: failed peering secret lookup: index error: {0}")]
    PeeringId(#[source] IdError),
    /// An open or an import names a peering that is not there.
    #[error("there is no peering with the id {0}")]
    NoPeering(PeeringId),
    /// A config entry is not acceptable.
    #[error(transparent)]
    ConfigEntry(#[from] EntryError),
    /// A config entry would be longer than any record of the store.
    #[error("the entry would have {got} bytes, more than the {max} that are kept; export less in one entry")]
    EntryTooLong {
        /// Its length.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// There is no such config entry; the name is as the caller gave it.
    #[error("Config entry not found for {} / {}", go_quoted(.kind), go_quoted(.name))]
    NoConfigEntry {
        /// Of which kind.
        kind: &'static str,
        /// Under which name.
        name: String,
    },
    /// Tokens are to lead to mesh gateways, of which there are none. The text is Consul's.
    #[error("servers are configured to PeerThroughMeshGateways, but no mesh gateway instances are registered")]
    NoGateways,
    /// The caller may not do that.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Something is wrong with a token or policy.
    #[error(transparent)]
    Acl(#[from] AclError),
    /// More wait for changes than we have room for. The text is the one by which Consul's clients know to wait.
    #[error(
        "rate limit exceeded, try again later or against a different server: {max} requests wait for changes, the most that this server takes"
    )]
    TooManyWaiting {
        /// The bound.
        max: usize,
    },
    /// Others kept changing the same record.
    #[error("the peering was being changed by others, {attempts} attempts did not get through; try again")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// The store cannot say whether the change happened, and reading back did not tell.
    #[error("the store lost track of this change; read the peering before you try again")]
    OutcomeUnknown,
    /// Too many events wait for a consumer.
    #[error(
        "{rows} events wait for the consumer {consumer:?}, writes are refused until it moves on; see its errors in the log"
    )]
    OutboxFull {
        /// Rows waiting.
        rows: usize,
        /// Who does not read them.
        consumer: &'static str,
    },
    /// There is no audit trail.
    #[error("there is no audit trail; start the server with -audit-log")]
    NoAuditTrail,
    /// The store has no space left to write to.
    #[error("the disk of the data directory is full; free space on it and try again")]
    DiskFull(#[source] StoreError),
    /// The store failed.
    #[error("the store could not be used")]
    Store(#[source] StoreError),
    /// A record cannot be read or written.
    #[error("a stored record could not be used")]
    Record(#[from] RecordError),
    /// Something could not be sealed or unsealed.
    #[error("the keyring could not be used")]
    Keyring(#[from] KeyringError),
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::DiskFull(error),
            error => Self::Store(error),
        }
    }
}

impl From<MetaError> for ServiceError {
    fn from(error: MetaError) -> Self {
        Self::Meta(error)
    }
}
