//! Generate a token, read, list and delete peerings.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use peering_core::foreign;
use peering_core::id::{PeeringId, TokenId};
use peering_core::meta::Meta;
use peering_core::name::PeerName;
use peering_core::peering::{Peering, Reported};
use peering_core::remote::RemoteInfo;
use peering_core::secret::EstablishmentSecret;
use peering_core::secrets::{Command, GenerateToken};
use peering_core::token::{ADDRESSES_MAX, PeeringToken, TOKEN_BYTES_MAX};
use peering_core::transition::Origin;

use super::status::{Explanation, StreamReport};
use super::{Service, ServiceError};
use crate::config::TOKEN_TTL_MIN;
use crate::metrics;
use crate::store::record::decode;
use crate::store::{Record, Revision, key};

/// Peerings read from the store at once.
const LIST_PAGE_ROWS: usize = 1_024;

/// What an operator asks for.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// Name of the peer.
    pub name: String,
    /// Partition; empty or `default`.
    pub partition: String,
    /// Metadata for a new peering.
    pub meta: BTreeMap<String, String>,
    /// Addresses that the peer is to dial instead of ours; copied as they are.
    pub external_addresses: Vec<String>,
    /// How long the token may be used; if not given, what the settings say.
    pub ttl: Option<Duration>,
}

/// A request that passed every check that needs neither the store nor the caller's rights.
#[derive(Debug, Clone)]
pub struct CheckedTokenRequest {
    name: PeerName,
    meta: Meta,
    external_addresses: Vec<String>,
    expires: Option<Timestamp>,
}

impl CheckedTokenRequest {
    /// Returns the addresses that the peer is to dial instead of ours.
    #[must_use]
    pub fn external_addresses(&self) -> &[String] {
        &self.external_addresses
    }

    /// Returns when the token will end by itself.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

/// A peering as it is shown: the record, its indexes, and what its stream is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct PeeringView {
    /// The stored record.
    pub peering: Peering,
    /// Index of the write that made it.
    pub create_index: Revision,
    /// Index of the last write to it.
    pub modify_index: Revision,
    /// The reported state.
    pub state: Reported,
    /// The stream, if one was seen.
    pub stream: Option<StreamReport>,
    /// What explains the state, if there is anything to say.
    pub explanation: Option<Explanation>,
    /// When all this was so.
    pub at: Timestamp,
}

/// An answer and the index that a client may wait from.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexed<T> {
    /// The answer.
    pub value: T,
    /// Its index, at least 1.
    pub index: Revision,
}

impl<T> Indexed<Option<T>> {
    /// Makes an error of what is not there.
    ///
    /// # Errors
    /// What `error` makes.
    pub fn or_not_found(self, error: impl FnOnce() -> ServiceError) -> Result<Indexed<T>, ServiceError> {
        match self.value {
            Some(value) => Ok(Indexed { value, index: self.index }),
            None => Err(error()),
        }
    }
}

impl Service {
    /// Checks a request for a token. Consul does so before it asks who is calling.
    ///
    /// # Errors
    /// [`ServiceError`] for a bad name, metadata, partition or life.
    pub fn check_token_request(&self, request: TokenRequest) -> Result<CheckedTokenRequest, ServiceError> {
        check_partition(&request.partition)?;
        let name = PeerName::parse(&request.name)?;
        let meta = Meta::parse(request.meta)?;
        let got = request.external_addresses.len();
        if got > ADDRESSES_MAX {
            return Err(ServiceError::TooManyAddresses { got, max: ADDRESSES_MAX });
        }
        let policy = self.tokens.load();
        let expires = match (request.ttl.or(policy.ttl_if_none_is_asked_for()), policy.ttl_max) {
            (None, _) => None,
            (Some(ttl), _) if ttl < TOKEN_TTL_MIN => return Err(ServiceError::TtlTooShort(ttl.into())),
            (Some(ttl), Some(max)) if ttl > max => {
                return Err(ServiceError::TtlTooLong { got: ttl.into(), max: max.into() });
            }
            // Whole seconds, as the token prints it; later than any time there is means for ever.
            (Some(ttl), _) => {
                let at = self.clock.now().checked_add(ttl).ok();
                at.and_then(|at| Timestamp::from_second(at.as_second() + i64::from(at.subsec_nanosecond() > 0)).ok())
            }
        };
        Ok(CheckedTokenRequest { name, meta, external_addresses: request.external_addresses, expires })
    }

    /// Issues a peering token. An older unused token for the same name loses its use.
    ///
    /// # Errors
    /// [`ServiceError`] for a peering that we dial or that is being deleted, and for a token that nobody could read.
    ///
    /// # Security
    /// The returned text carries the establishment secret; the store keeps its hash.
    pub async fn generate_token(&self, request: CheckedTokenRequest, origin: Origin) -> Result<String, ServiceError> {
        let _timed = self.metrics.time(&metrics::GENERATE_TOKEN);
        self.refuse_gateways().await?;
        let CheckedTokenRequest { name, meta, external_addresses, expires } = request;
        let establishment_secret = EstablishmentSecret::from_random(self.entropy.bytes16());
        let token_id = TokenId::from_uuid(self.entropy.uuid());
        let candidate_id = PeeringId::from_uuid(self.entropy.uuid());
        let mut token = PeeringToken {
            ca: self.cluster.roots(),
            manual_server_addresses: external_addresses,
            server_addresses: self.advertised.iter().map(|address| address.as_str().to_owned()).collect(),
            server_name: self.cluster.server_name().to_owned(),
            // The id is known once core has decided; every id is printed at the same length.
            peer_id: candidate_id.to_string(),
            establishment_secret,
            remote: RemoteInfo { datacenter: self.cluster.datacenter().to_string(), ..RemoteInfo::default() },
            peer_name: Some(name.as_str().to_owned()),
            token_id: Some(token_id.to_string()),
            meta: meta.pairs().clone(),
            expires_at: expires,
        };
        let text = token.encode();
        if text.len() > TOKEN_BYTES_MAX {
            return Err(ServiceError::TokenTooLong { got: text.len(), max: TOKEN_BYTES_MAX });
        }
        let secret = token.establishment_secret.hash();
        let transition = self
            .transact(&name, origin, |_| {
                Ok(Command::GenerateToken(GenerateToken {
                    candidate_id,
                    name: name.clone(),
                    meta: meta.clone(),
                    token: token_id,
                    secret,
                    expires,
                    by: origin.actor,
                }))
            })
            .await?;
        match &transition.next.peering {
            Some(peering) if peering.local_id != candidate_id => {
                token.peer_id = peering.local_id.to_string();
                Ok(token.encode())
            }
            _ => Ok(text),
        }
    }

    /// Reads one peering by name; case does not matter.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the name as it was given.
    pub async fn read_peering(&self, given: &str) -> Result<Indexed<PeeringView>, ServiceError> {
        self.find_peering(given).await?.or_not_found(|| peering_not_found(given))
    }

    /// Looks for a peering by name; case does not matter. What is not there has the index of the last change of any
    /// peering.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn find_peering(&self, given: &str) -> Result<Indexed<Option<PeeringView>>, ServiceError> {
        let _timed = self.metrics.time(&metrics::READ);
        // Read first: a peering that is made meanwhile must not be missed under an index that has it.
        let index = self.store.range(key::PEERINGS, 0, None).await?.revision.max(1);
        let found = match peering_key(given) {
            Some(key) => self.store.get(&key).await?,
            None => None,
        };
        match found {
            Some(record) => {
                let view = self.view(&record).await?;
                Ok(Indexed { index: view.modify_index.max(1), value: Some(view) })
            }
            None => Ok(Indexed { index, value: None }),
        }
    }

    /// Lists all peerings by name.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn list_peerings(&self) -> Result<Indexed<Vec<PeeringView>>, ServiceError> {
        let _timed = self.metrics.time(&metrics::LIST);
        self.view_all().await
    }

    /// Reads all peerings.
    pub(super) async fn view_all(&self) -> Result<Indexed<Vec<PeeringView>>, ServiceError> {
        let mut views = Vec::new();
        let mut after: Option<String> = None;
        let mut index = None;
        loop {
            let page = self.store.range(key::PEERINGS, LIST_PAGE_ROWS, after.as_deref()).await?;
            // A change during the listing must wake whoever waits from here.
            let index = *index.get_or_insert(page.revision);
            for record in &page.records {
                views.push(self.view(record).await?);
            }
            after = page.records.last().map(|record| record.key.clone());
            if !page.more {
                return Ok(Indexed { value: views, index: index.max(1) });
            }
        }
    }

    async fn view(&self, record: &Record) -> Result<PeeringView, ServiceError> {
        let peering: Peering = decode(&record.key, &record.value)?;
        let stream = self.streams.report(peering.local_id).await;
        let explanation = self.streams.explain(peering.local_id, peering.dialed().is_some()).await;
        let liveness = stream.as_ref().map(|report| report.liveness).unwrap_or_default();
        Ok(PeeringView {
            state: Reported::of(peering.state, liveness),
            peering,
            create_index: record.created,
            modify_index: record.modified,
            stream,
            explanation,
            at: self.clock.now(),
        })
    }

    /// Marks a peering for deletion and erases its secrets. One that is not there, or is being deleted, is no error.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn delete_peering(&self, given: &str, origin: Origin) -> Result<(), ServiceError> {
        let _timed = self.metrics.time(&metrics::DELETE);
        // A name that cannot exist is as absent as one that does not.
        let Ok(name) = PeerName::parse(&given.to_lowercase()) else { return Ok(()) };
        self.transact(&name, origin, |_| Ok(Command::Delete)).await?;
        Ok(())
    }
}

/// Returns the key under which a peering of this name is; none if no name is spelt so.
#[must_use]
pub fn peering_key(given: &str) -> Option<String> {
    PeerName::parse(&given.to_lowercase()).ok().map(|name| key::peering(&name))
}

/// Says that there is no peering of this name.
#[must_use]
pub fn peering_not_found(given: &str) -> ServiceError {
    ServiceError::NotFound(foreign::echo(given).to_owned())
}

/// Refuses every partition but the default one.
pub(super) fn check_partition(partition: &str) -> Result<(), ServiceError> {
    if partition.is_empty() || partition.eq_ignore_ascii_case("default") {
        Ok(())
    } else {
        Err(ServiceError::Partition)
    }
}
