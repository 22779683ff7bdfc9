//! Whom to dial for a peering, and with which secret.

use peering_core::id::PeeringId;
use peering_core::name::PeerName;
use peering_core::peering::{Dialed, Peering};
use peering_core::secret::{SecretHash, StreamSecret};
use tracing::error;

use super::peerings::Indexed;
use super::records::Target;
use super::{Service, ServiceError};
use crate::causes::chain;
use crate::store::record::decode;
use crate::store::{Record, key};

/// Peerings read from the store at once.
const PAGE_ROWS: usize = 1_024;

/// Everything that a dial loop needs.
#[derive(Debug)]
pub struct DialTarget {
    /// Our id of the peering.
    pub id: PeeringId,
    /// Our name for the peer.
    pub name: PeerName,
    /// Where it is.
    pub dialed: Dialed,
    /// Roots to trust.
    pub roots: Vec<String>,
    /// What to present.
    pub secret: StreamSecret,
}

/// What a dial loop depends on, small enough to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    remote_id: String,
    server_name: String,
    manual_addresses: Vec<peering_core::address::ServerAddress>,
    secret: SecretHash,
}

impl DialTarget {
    /// Returns what a dial loop depends on. Addresses and roots that the peer refreshes are not in it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            remote_id: self.dialed.remote_id.clone(),
            server_name: self.dialed.server_name.clone(),
            manual_addresses: self.dialed.manual_addresses.clone(),
            secret: self.secret.hash(),
        }
    }
}

impl Fingerprint {
    /// Says whether both lead to the same peering of the same cluster, so that a running stream may go on.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        self.remote_id == other.remote_id && self.server_name == other.server_name
    }
}

impl Service {
    /// Reads whom to dial; `None` if there is nobody: the peering ended, or its exchange has not succeeded.
    ///
    /// # Errors
    /// [`ServiceError`] if the store or the keyring fails.
    pub(crate) async fn dial_target(&self, id: PeeringId) -> Result<Option<DialTarget>, ServiceError> {
        let target = Target::from(id);
        let mut loaded = self.load(&target).await?;
        // The secret of one peer must never go to another: peering and secret have to belong together.
        while !self.is_as_read(&loaded).await? {
            loaded = self.load(&target).await?;
        }
        let record = loaded.record;
        let (Some(peering), Some(sealed)) = (record.peering.filter(Peering::is_live), record.secrets.own) else {
            return Ok(None);
        };
        let Some(dialed) = peering.dialed().cloned() else { return Ok(None) };
        let secret = self.unseal_stream_secret(id, &sealed)?;
        Ok(Some(DialTarget { id, name: peering.name, dialed, roots: peering.roots, secret }))
    }

    /// Reads every peering that can be read, with its key, and the revision after which to watch.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn all_peerings(&self) -> Result<Indexed<Vec<(String, Peering)>>, ServiceError> {
        let index = self.store.revision().await?;
        let mut peerings = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(key::PEERINGS, PAGE_ROWS, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            for record in page.records {
                match self.read_record(&record) {
                    Ok(peering) => peerings.push((record.key, peering)),
                    // One damaged record must not keep all the others from being dialed.
                    Err(cause) => {
                        error!(key = record.key, cause = chain(&cause), "a peering cannot be read and is passed over")
                    }
                }
            }
            if !page.more {
                return Ok(Indexed { value: peerings, index });
            }
        }
    }

    /// Reads a stored peering.
    ///
    /// # Errors
    /// [`ServiceError`] if it is malformed or newer than this release.
    #[expect(clippy::unused_self, reason = "records are the service's; edges ask it and not the store")]
    pub(crate) fn read_record(&self, record: &Record) -> Result<Peering, ServiceError> {
        Ok(decode(&record.key, &record.value)?)
    }

    /// Tells the time.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }
}
