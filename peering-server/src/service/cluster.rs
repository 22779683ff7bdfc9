//! Who this cluster is: drawn once, in the store's first transaction, together with its peering authority.

use std::sync::Arc;

use peering_core::name::{Datacenter, TrustDomain};
use thiserror::Error;

use crate::ca::{Authority, CaError, Purpose};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, KeyringError, Label};
use crate::store::record::{ClusterIdentity, RecordError, StoredAuthority, decode, encode};
use crate::store::{Commit, Precondition, Store, StoreError, Txn, Write, key};

/// Times that the first transaction is tried against other servers that start on the same store.
const FIRST_TRANSACTION_ATTEMPTS_MAX: u32 = 4;

/// Says why a cluster's identity cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The store belongs to another datacenter.
    #[error(
        "this store belongs to datacenter {stored:?}, the server was started for {asked:?}; give -datacenter {stored}, or another data directory",
        stored = stored.as_str(), asked = asked.as_str()
    )]
    Datacenter {
        /// The store's.
        stored: Datacenter,
        /// What was asked for.
        asked: Datacenter,
    },
    /// The identity is there and its authority is not, or the other way round.
    #[error("the store has lost its peering authority; restore it from a backup")]
    HalfMade,
    /// The first transaction did not get through.
    #[error(
        "the store's first transaction did not get through after {FIRST_TRANSACTION_ATTEMPTS_MAX} attempts; start again"
    )]
    Contended,
    /// The store failed.
    #[error("the store could not be used")]
    Store(#[from] StoreError),
    /// A record cannot be read.
    #[error("a stored record could not be used")]
    Record(#[from] RecordError),
    /// The authority's key cannot be unsealed.
    #[error("the authority's key cannot be opened; give the keyring that this store was made with")]
    Keyring(#[from] KeyringError),
    /// The authority cannot be made or loaded.
    #[error("the peering authority could not be used")]
    Ca(#[from] CaError),
}

/// A cluster: its identity, and the authority that vouches for its peer listener.
#[derive(Clone)]
pub struct Cluster {
    identity: ClusterIdentity,
    server_name: String,
    authority: Arc<Authority>,
}

impl Cluster {
    /// Reads the cluster's identity, or draws it if the store is empty.
    ///
    /// # Errors
    /// [`ClusterError`], each naming the remedy.
    pub async fn open(
        store: &dyn Store,
        keyring: &Keyring,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
        datacenter: &Datacenter,
    ) -> Result<Self, ClusterError> {
        // Once more than it is tried, to see what became of the last.
        for attempt in 0..=FIRST_TRANSACTION_ATTEMPTS_MAX {
            let identity = store.get(key::CLUSTER).await?;
            let authority = store.get(key::PEERING_CA).await?;
            match (identity, authority) {
                (Some(identity), Some(authority)) => {
                    let identity: ClusterIdentity = decode(key::CLUSTER, &identity.value)?;
                    let stored: StoredAuthority = decode(key::PEERING_CA, &authority.value)?;
                    return Self::load(identity, &stored, keyring, datacenter);
                }
                (None, None) if attempt == FIRST_TRANSACTION_ATTEMPTS_MAX => break,
                (None, None) => Self::draw(store, keyring, clock, entropy, datacenter).await?,
                _ => return Err(ClusterError::HalfMade),
            }
        }
        Err(ClusterError::Contended)
    }

    fn load(
        identity: ClusterIdentity,
        stored: &StoredAuthority,
        keyring: &Keyring,
        asked: &Datacenter,
    ) -> Result<Self, ClusterError> {
        if identity.datacenter != *asked {
            return Err(ClusterError::Datacenter { stored: identity.datacenter, asked: asked.clone() });
        }
        let context = identity.trust_domain.as_str().as_bytes();
        let opened = keyring.unseal(Label::CaKey, context, &stored.sealed_key)?;
        let key_pem = std::str::from_utf8(&opened).map_err(|_| RecordError::Sealed { what: "the authority's key" })?;
        let authority = Authority::load(Purpose::Peering, &stored.root_pem, key_pem)?;
        let server_name = identity.trust_domain.peering_server_name(&identity.datacenter);
        Ok(Self { identity, server_name, authority: Arc::new(authority) })
    }

    /// Writes a new identity if there is still none; whoever was first, the caller reads what is there.
    async fn draw(
        store: &dyn Store,
        keyring: &Keyring,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
        datacenter: &Datacenter,
    ) -> Result<(), ClusterError> {
        let trust_domain = TrustDomain::of_cluster(&entropy.uuid());
        let authority = Authority::create(Purpose::Peering, &trust_domain, clock.now())?;
        let sealed_key =
            keyring.seal(Label::CaKey, trust_domain.as_str().as_bytes(), authority.key_pem().as_bytes())?;
        let stored = StoredAuthority { root_pem: authority.root_pem().to_owned(), sealed_key };
        let identity = ClusterIdentity { trust_domain, datacenter: datacenter.clone() };
        let txn_id = entropy.uuid();
        let put = |key: &str, value| Write::Put(key.to_owned(), value);
        let txn = Txn {
            preconditions: [key::CLUSTER, key::PEERING_CA].map(|key| Precondition::Absent(key.to_owned())).into(),
            writes: vec![
                put(key::CLUSTER, encode(key::CLUSTER, &identity, txn_id)?),
                put(key::PEERING_CA, encode(key::PEERING_CA, &stored, txn_id)?),
            ],
        };
        let (Commit::Committed(_) | Commit::Conflict | Commit::Unknown) = store.commit(txn).await?;
        Ok(())
    }

    /// Returns the trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.identity.trust_domain
    }

    /// Returns the datacenter's name.
    #[must_use]
    pub const fn datacenter(&self) -> &Datacenter {
        &self.identity.datacenter
    }

    /// Returns the TLS name of our peer listener, as it stands in our tokens.
    #[must_use]
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Returns the authority of our peer listener.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Returns all our roots in PEM, each ending in a newline.
    #[must_use]
    pub fn roots(&self) -> Vec<String> {
        vec![self.authority.root_pem().to_owned()]
    }
}
