//! Reads a peering with its secrets and tokens, lets core decide, and commits the difference.

use std::collections::BTreeMap;

use peering_core::id::{PeeringId, TokenId};
use peering_core::name::PeerName;
use peering_core::peering::Peering;
use peering_core::secret::SecretHash;
use peering_core::secrets::{Command, IssuedToken, PeeringSecrets, Record, apply};
use peering_core::transition::{Origin, Transition};
use tracing::warn;
use uuid::Uuid;

use super::{Service, ServiceError};
use crate::bounds::COMMIT_ATTEMPTS_MAX;
use crate::causes::chain;
use crate::metrics;
use crate::store::record::{TokenPointer, Tombstone, decode, encode, written_by};
use crate::store::{Commit, Precondition, Revision, Txn, Write, key};

/// Which peering a command is for, and which token it concerns.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) by: By,
    /// Hash of a presented establishment secret, whose token is to be read too.
    pub(super) presented: Option<SecretHash>,
    /// A token that is to be read too, even if its peering is gone.
    pub(super) token: Option<TokenId>,
}

/// How a peering is named.
#[derive(Debug, Clone)]
pub(super) enum By {
    Name(PeerName),
    Id(PeeringId),
}

impl From<&PeerName> for Target {
    fn from(name: &PeerName) -> Self {
        Self { by: By::Name(name.clone()), presented: None, token: None }
    }
}

impl From<PeeringId> for Target {
    fn from(id: PeeringId) -> Self {
        Self { by: By::Id(id), presented: None, token: None }
    }
}

/// A record with the revisions at which its parts were read.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    pub(super) record: Record,
    peering_revision: Option<Revision>,
    secrets_revision: Option<Revision>,
    token_revisions: BTreeMap<TokenId, Revision>,
}

impl Service {
    /// Reads a record. One that does not exist is empty.
    pub(super) async fn load(&self, target: &Target) -> Result<Loaded, ServiceError> {
        let mut loaded = Loaded::default();
        let Some((peering, revision)) = self.peering_of(target).await? else {
            if let By::Id(id) = &target.by {
                for token in self.tokens_of_interest(&loaded.record.secrets, target, id).await? {
                    self.load_token(&mut loaded, id, token).await?;
                }
            }
            return Ok(loaded);
        };
        loaded.peering_revision = Some(revision);
        let secrets_key = key::secrets(&peering.local_id);
        if let Some(stored) = self.store.get(&secrets_key).await? {
            loaded.record.secrets = decode::<PeeringSecrets>(&secrets_key, &stored.value)?;
            loaded.secrets_revision = Some(stored.modified);
        }
        for token in self.tokens_of_interest(&loaded.record.secrets, target, &peering.local_id).await? {
            self.load_token(&mut loaded, &peering.local_id, token).await?;
        }
        loaded.record.peering = Some(peering);
        Ok(loaded)
    }

    async fn load_token(&self, loaded: &mut Loaded, id: &PeeringId, token: TokenId) -> Result<(), ServiceError> {
        let token_key = key::token(id, &token);
        if let Some(stored) = self.store.get(&token_key).await? {
            loaded.record.tokens.insert(token, decode::<IssuedToken>(&token_key, &stored.value)?);
            loaded.token_revisions.insert(token, stored.modified);
        }
        Ok(())
    }

    /// Finds a peering, with the revision of its record.
    async fn peering_of(&self, target: &Target) -> Result<Option<(Peering, Revision)>, ServiceError> {
        let name = match &target.by {
            By::Name(name) => name.clone(),
            By::Id(id) => match self.name_of(id).await? {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        let peering_key = key::peering(&name);
        let Some(stored) = self.store.get(&peering_key).await? else { return Ok(None) };
        let peering: Peering = decode(&peering_key, &stored.value)?;
        let is_other = matches!(&target.by, By::Id(id) if peering.local_id != *id);
        Ok((!is_other).then_some((peering, stored.modified)))
    }

    /// Finds the name that belongs to an id.
    pub(crate) async fn name_of(&self, id: &PeeringId) -> Result<Option<PeerName>, ServiceError> {
        let id_key = key::peering_id(id);
        match self.store.get(&id_key).await? {
            Some(stored) => Ok(Some(decode::<PeerName>(&id_key, &stored.value)?)),
            None => Ok(None),
        }
    }

    async fn tokens_of_interest(
        &self,
        secrets: &PeeringSecrets,
        target: &Target,
        id: &PeeringId,
    ) -> Result<Vec<TokenId>, ServiceError> {
        let mut tokens: Vec<TokenId> = Vec::new();
        tokens.extend(secrets.establishment.as_ref().map(|kept| kept.token));
        tokens.extend(secrets.pending.as_ref().map(|pending| pending.token));
        tokens.extend(target.token);
        if let Some(hash) = &target.presented {
            let pointer_key = key::token_secret(hash);
            if let Some(stored) = self.store.get(&pointer_key).await? {
                let pointer: TokenPointer = decode(&pointer_key, &stored.value)?;
                if pointer.peering == *id {
                    tokens.push(pointer.token);
                }
            }
        }
        tokens.sort_unstable();
        tokens.dedup();
        Ok(tokens)
    }

    /// Decides and commits, starting again when somebody else was faster.
    ///
    /// `command` is called for each attempt with the record as it was read.
    pub(super) async fn transact(
        &self,
        target: impl Into<Target>,
        origin: Origin,
        mut command: impl FnMut(&Record) -> Result<Command, ServiceError> + Send,
    ) -> Result<Transition<Record>, ServiceError> {
        let target = target.into();
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let loaded = self.load(&target).await?;
            let command = command(&loaded.record)?;
            let takes_trust_away = command.takes_trust_away();
            let decided = apply(&loaded.record, command, self.clock.now());
            let transition = match decided {
                Ok(transition) if transition.touched || transition.next != loaded.record => transition.asked_by(origin),
                // There is no commit that would check what was read, so it is read again.
                _ if !self.is_as_read(&loaded).await? => continue,
                unchanged_or_refused => return Ok(unchanged_or_refused?),
            };
            self.outbox.admit(takes_trust_away)?;
            if self.commit(&loaded, &transition).await? {
                return Ok(transition);
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    /// Commits the difference; `false` if the record has changed meanwhile.
    async fn commit(&self, before: &Loaded, transition: &Transition<Record>) -> Result<bool, ServiceError> {
        let written_by = self.entropy.uuid();
        let txn = self.difference(before, transition, written_by)?;
        self.commit_with_trim(txn, written_by, transition.events.len()).await
    }

    /// Commits a transaction that adds so many events, and trims the outbox with it; `false` if a precondition did not
    /// hold.
    pub(super) async fn commit_with_trim(
        &self,
        own: Txn,
        written_by: Uuid,
        events: usize,
    ) -> Result<bool, ServiceError> {
        let mut txn = own.clone();
        let trim = self.outbox.take_trim();
        trim.add_to(&mut txn, written_by)?;
        let is_done = match self.store.commit(txn).await? {
            Commit::Committed(_) => true,
            Commit::Conflict => false,
            Commit::Unknown => self.read_back(&own, written_by).await?,
        };
        if is_done {
            self.metrics.count(&metrics::COMMITS, &[]);
            self.outbox.added(events);
            trim.removed();
        }
        Ok(is_done)
    }

    /// Says whether a peering and its secrets are still those that were read, so that they were read together.
    pub(super) async fn is_as_read(&self, loaded: &Loaded) -> Result<bool, ServiceError> {
        let Some(peering) = &loaded.record.peering else { return Ok(true) };
        let revision = |record: Option<crate::store::Record>| record.map(|record| record.modified);
        let now = revision(self.store.get(&key::peering(&peering.name)).await?);
        let secrets_now = revision(self.store.get(&key::secrets(&peering.local_id)).await?);
        Ok(now == loaded.peering_revision && secrets_now == loaded.secrets_revision)
    }

    /// Finds out whether a commit of unknown outcome happened. One of its values that carries its id says that it did;
    /// a record that it would have changed and that is still as it was read says that it did not.
    pub(super) async fn read_back(&self, txn: &Txn, written: Uuid) -> Result<bool, ServiceError> {
        let (mut is_as_read, mut writes_a_value, mut is_removed) = (false, false, false);
        for write in &txn.writes {
            let (Write::Put(key, _) | Write::Delete(key)) = write;
            let is_put = matches!(write, Write::Put(..));
            let found = self.store.get(key).await.map_err(|cause| {
                warn!(key, cause = chain(&cause), "the outcome of a commit cannot be read back");
                ServiceError::OutcomeUnknown
            })?;
            if found.as_ref().is_some_and(|record| written_by(&record.value) == Some(written)) {
                return Ok(true);
            }
            is_as_read |= txn.preconditions.contains(&still(key, found.as_ref().map(|record| record.modified)));
            writes_a_value |= is_put;
            is_removed |= !is_put && found.is_none();
        }
        match (is_as_read, writes_a_value, is_removed) {
            (true, ..) => Ok(false),
            // What only removes leaves nothing to tell by, and may be decided twice.
            (false, false, _) => Ok(false),
            // It is gone, as it was to be, and so may be the values that would tell.
            (false, true, true) => Ok(true),
            (false, true, false) => Err(ServiceError::OutcomeUnknown),
        }
    }

    /// Writes down what differs between the record as it was read and as it is to be.
    pub(super) fn difference(
        &self,
        before: &Loaded,
        transition: &Transition<Record>,
        written_by: Uuid,
    ) -> Result<Txn, ServiceError> {
        let (old, next) = (&before.record, &transition.next);
        let mut txn = Txn::default();
        let Some(peering) = next.peering.as_ref().or(old.peering.as_ref()) else { return Ok(txn) };
        let id = peering.local_id;
        let peering_key = key::peering(&peering.name);
        let secrets_key = key::secrets(&id);
        txn.preconditions.push(still(&peering_key, before.peering_revision));
        if before.secrets_revision.is_some() || !next.secrets.is_empty() {
            txn.preconditions.push(still(&secrets_key, before.secrets_revision));
        }
        match &next.peering {
            Some(peering) => {
                if transition.touched || next.peering != old.peering {
                    txn.writes.push(Write::Put(peering_key.clone(), encode(&peering_key, peering, written_by)?));
                }
                if old.peering.is_none() {
                    let id_key = key::peering_id(&id);
                    txn.writes.push(Write::Put(id_key.clone(), encode(&id_key, &peering.name, written_by)?));
                }
            }
            None => {
                txn.writes.push(Write::Delete(peering_key));
                txn.writes.push(Write::Delete(key::peering_id(&id)));
                if peering.dialed().is_none() {
                    let tombstone_key = key::tombstone(&id);
                    let tombstone = Tombstone { deleted_at: peering.deleted_at.unwrap_or_else(|| self.clock.now()) };
                    txn.writes.push(Write::Put(tombstone_key.clone(), encode(&tombstone_key, &tombstone, written_by)?));
                }
            }
        }
        if next.secrets != old.secrets {
            txn.writes.push(if next.secrets.is_empty() {
                Write::Delete(secrets_key)
            } else {
                let value = encode(&secrets_key, &next.secrets, written_by)?;
                Write::Put(secrets_key, value)
            });
        }
        for (token, issued) in &next.tokens {
            if old.tokens.get(token) == Some(issued) {
                continue;
            }
            let token_key = key::token(&id, token);
            txn.preconditions.push(still(&token_key, before.token_revisions.get(token).copied()));
            txn.writes.push(Write::Put(token_key.clone(), encode(&token_key, issued, written_by)?));
            if !old.tokens.contains_key(token) {
                let pointer_key = key::token_secret(&issued.secret);
                let pointer = TokenPointer { peering: id, token: *token };
                txn.writes.push(Write::Put(pointer_key.clone(), encode(&pointer_key, &pointer, written_by)?));
            }
        }
        // Those of a deleted peering stay until they are swept.
        for (token, issued) in old.tokens.iter().filter(|(token, _)| !next.tokens.contains_key(token)) {
            if next.peering.is_some() {
                let token_key = key::token(&id, token);
                txn.preconditions.push(still(&token_key, before.token_revisions.get(token).copied()));
                txn.writes.push(Write::Delete(token_key));
                txn.writes.push(Write::Delete(key::token_secret(&issued.secret)));
            }
        }
        for (at, event) in transition.events.iter().enumerate() {
            let event_key = key::outbox(event.at.as_nanosecond(), at, &self.entropy.uuid().simple().to_string());
            txn.writes.push(Write::Put(event_key.clone(), encode(&event_key, event, written_by)?));
        }
        Ok(txn)
    }
}

/// Demands that a key is as it was read.
pub(super) fn still(key: &str, revision: Option<Revision>) -> Precondition {
    match revision {
        Some(revision) => Precondition::Unchanged(key.to_owned(), revision),
        None => Precondition::Absent(key.to_owned()),
    }
}
