//! What peers tell each other over the stream: trust bundles, server addresses, and the end.

use peering_core::address::ServerAddress;
use peering_core::id::PeeringId;
use peering_core::peering::{Peering, Stored};
use peering_core::secret::{SecretHash, StreamSecret};
use peering_core::secrets::{Command, SealedSecret};
use peering_core::transition::Origin;
use peering_core::trust::TrustBundle;

use super::{Service, ServiceError};
use crate::keyring::{Label, Sealed};
use crate::store::record::RecordError;

/// Which stream told of the end of a peering.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToldBy<'a> {
    /// On a dialer: the peer's id of the peering that it dialed.
    pub remote_id: Option<&'a str>,
    /// On an acceptor: the hash of the secret that admitted the stream.
    pub admitted_by: Option<SecretHash>,
}

impl Service {
    /// Stores the roots that a peer sent. They count for this peering only. An acceptor gives the hash of the secret that
    /// admitted the stream: one that was superseded meanwhile has no say.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] if the bundle is for another trust domain than the peer's.
    pub(crate) async fn import_trust_bundle(
        &self,
        id: PeeringId,
        admitted_by: Option<SecretHash>,
        bundle: &TrustBundle,
    ) -> Result<(), ServiceError> {
        self.transact(id, Origin::default(), |_| {
            Ok(Command::StoreTrustBundle {
                admitted_by,
                trust_domain: bundle.trust_domain().to_string(),
                roots: bundle.roots().pems(),
            })
        })
        .await?;
        Ok(())
    }

    /// Stores the addresses that an acceptor sent.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] if there are none, or if we are the acceptor.
    pub(crate) async fn import_server_addresses(
        &self,
        id: PeeringId,
        addresses: &[ServerAddress],
    ) -> Result<(), ServiceError> {
        self.transact(id, Origin::default(), |_| Ok(Command::StoreServerAddresses(addresses.to_vec()))).await?;
        Ok(())
    }

    /// Notes that the peer ended the peering. A dialer says by `remote_id` which one it was told of: if the record
    /// leads to another by now, because a new token was used meanwhile, it is left alone. Returns whether it has ended.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn peer_terminated(&self, id: PeeringId, told_by: ToldBy<'_>) -> Result<bool, ServiceError> {
        let outcome = self.transact(id, Origin::default(), |record| {
            let dialed = record.peering.as_ref().and_then(Peering::dialed);
            match (dialed, told_by.remote_id) {
                (Some(dialed), Some(told_of)) if dialed.remote_id != told_of => Err(ServiceError::NoPeering(id)),
                _ => Ok(Command::PeerTerminated { admitted_by: told_by.admitted_by }),
            }
        });
        match outcome.await {
            Ok(transition) => Ok(transition.next.peering.is_some_and(|peering| peering.state == Stored::Terminated)),
            Err(ServiceError::NoPeering(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens the stream secret that a dialer sealed.
    ///
    /// # Errors
    /// [`ServiceError`] if the keyring is not the one that sealed it.
    pub(crate) fn unseal_stream_secret(
        &self,
        id: PeeringId,
        sealed: &SealedSecret,
    ) -> Result<StreamSecret, ServiceError> {
        let malformed = RecordError::Sealed { what: "a stream secret" };
        let Ok(sealed) = serde_json::from_value::<Sealed>(sealed.0.clone()) else { return Err(malformed.into()) };
        let opened = self.keyring.unseal(Label::DialerStreamSecret, id.to_string().as_bytes(), &sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| malformed)?;
        Ok(StreamSecret::from_text(text))
    }

    /// Returns the trust domain and roots that we send to peers.
    #[must_use]
    pub fn own_trust_bundle(&self) -> (String, Vec<String>) {
        (self.cluster.trust_domain().to_string(), self.cluster.roots())
    }

    /// Returns the addresses at which peers reach us.
    #[must_use]
    pub fn own_addresses(&self) -> &[ServerAddress] {
        &self.advertised
    }
}
