//! Finds tokens by secret and reads the rules of policies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use peering_core::acl::{Policy, Rules};
use peering_core::secret::AclSecret;
use uuid::Uuid;

use super::AclError;
use crate::bounds::ACL_COMPILED_POLICIES_MAX;
use crate::service::{Service, ServiceError};
use crate::store::record::{AclPointer, StoredAclToken, decode};
use crate::store::{Revision, key};

/// A stored record with its revisions.
#[derive(Debug, Clone)]
pub(in crate::service) struct Found<T = StoredAclToken> {
    pub(in crate::service) stored: T,
    pub(in crate::service) created: Revision,
    pub(in crate::service) modified: Revision,
}

/// Rules that were read, by policy and revision: reading them again costs more than all else that a request does.
#[derive(Debug, Default)]
pub(crate) struct CompiledPolicies(Mutex<HashMap<Uuid, (Revision, Arc<Rules>)>>);

impl CompiledPolicies {
    fn get(&self, id: Uuid, revision: Revision) -> Option<Arc<Rules>> {
        let compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.get(&id).filter(|(of, _)| *of == revision).map(|(_, rules)| Arc::clone(rules))
    }

    fn put(&self, id: Uuid, revision: Revision, rules: &Arc<Rules>) {
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= ACL_COMPILED_POLICIES_MAX && !compiled.contains_key(&id) {
            // Rare enough that which one goes does not matter.
            compiled.clear();
        }
        compiled.insert(id, (revision, Arc::clone(rules)));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Service {
    /// Finds a token by its secret; one that has ended is not found.
    ///
    /// # Security
    /// The secret is hashed before anything is compared, so that the time taken tells nothing of it.
    pub(in crate::service) async fn find_token(&self, secret: &AclSecret) -> Result<Option<Found>, ServiceError> {
        let pointer_key = key::acl_secret(&secret.hash());
        let Some(pointer) = self.store.get(&pointer_key).await? else { return Ok(None) };
        let pointer: AclPointer = decode(&pointer_key, &pointer.value)?;
        let found = self.token_by_accessor(pointer.id).await?;
        Ok(found.filter(|found| found.stored.token.secret == secret.hash()))
    }

    /// Finds a token by its public name; one that has ended is not found.
    pub(super) async fn token_by_accessor(&self, accessor: Uuid) -> Result<Option<Found>, ServiceError> {
        let found: Option<Found> = self.find(&key::acl_token(accessor)).await?;
        Ok(found.filter(|found| !found.stored.token.is_expired(self.clock.now())))
    }

    /// Finds a policy by its id.
    pub(super) async fn policy_by_id(&self, id: Uuid) -> Result<Option<Found<Policy>>, ServiceError> {
        self.find(&key::acl_policy(id)).await
    }

    /// Finds a policy by its name.
    pub(super) async fn policy_by_name(&self, name: &str) -> Result<Option<Found<Policy>>, ServiceError> {
        let Some(pointer) = self.find::<AclPointer>(&key::acl_policy_name(name)).await? else { return Ok(None) };
        self.policy_by_id(pointer.stored.id).await
    }

    async fn find<T: crate::store::record::Kept>(&self, key: &str) -> Result<Option<Found<T>>, ServiceError> {
        let Some(record) = self.store.get(key).await? else { return Ok(None) };
        let stored = decode(key, &record.value)?;
        Ok(Some(Found { stored, created: record.created, modified: record.modified }))
    }

    /// Reads the rules of those of these policies that there are and that count in this datacenter.
    pub(in crate::service) async fn compiled_policies(&self, ids: &[Uuid]) -> Result<Vec<Arc<Rules>>, ServiceError> {
        let mut policies = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(Found { stored: policy, modified, .. }) = self.policy_by_id(*id).await? else { continue };
            if !policy.counts_in(self.cluster.datacenter().as_str()) {
                continue;
            }
            let rules = match self.compiled.get(*id, modified) {
                Some(rules) => rules,
                None => {
                    let rules = Arc::new(Rules::parse(&policy.rules).map_err(AclError::from)?);
                    self.compiled.put(*id, modified, &rules);
                    rules
                }
            };
            policies.push(rules);
        }
        Ok(policies)
    }
}
