//! What an operator does with policies.

use peering_core::acl::{AclChange, Builtin, DESCRIPTION_BYTES_MAX, Policy, Rules, check_policy_name};
use peering_core::api::acl::AclPolicyRequest;
use peering_core::foreign::echo;
use peering_core::id::TokenId;
use uuid::Uuid;

use super::AclError;
use super::lookup::Found;
use crate::bounds::{ACL_DATACENTERS_MAX, ACL_PAGE_ROWS, COMMIT_ATTEMPTS_MAX};
use crate::service::access::{Action, Actor};
use crate::service::peerings::Indexed;
use crate::service::{Service, ServiceError};
use crate::store::record::{AclPointer, decode};
use crate::store::{Revision, key};

/// A policy as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyView {
    /// The record.
    pub policy: Policy,
    /// Index of the write that made it.
    pub create_index: Revision,
    /// Index of the last write to it.
    pub modify_index: Revision,
}

impl From<Found<Policy>> for PolicyView {
    fn from(found: Found<Policy>) -> Self {
        Self { policy: found.stored, create_index: found.created, modify_index: found.modified }
    }
}

impl Service {
    /// Reads a policy by its id.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:read`; [`AclError`] if there is no such policy.
    pub async fn read_policy(&self, actor: &Actor, id: &str) -> Result<Indexed<PolicyView>, ServiceError> {
        self.require_identity(actor, Action::AclRead).await?;
        let id = parse_id(id).ok_or(AclError::NotAnId { kind: "policy" })?;
        let found = self.policy_by_id(id).await?.ok_or(AclError::NoPolicy)?;
        Ok(Indexed { value: found.into(), index: self.directory_index(key::ACL_POLICIES).await? })
    }

    /// Reads a policy by its name.
    ///
    /// # Errors
    /// As for [`Self::read_policy`].
    pub async fn read_policy_by_name(&self, actor: &Actor, name: &str) -> Result<Indexed<PolicyView>, ServiceError> {
        self.require_identity(actor, Action::AclRead).await?;
        let found = self.policy_by_name(name).await?.ok_or(AclError::NoPolicy)?;
        Ok(Indexed { value: found.into(), index: self.directory_index(key::ACL_POLICIES).await? })
    }

    /// Lists all policies by name.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:read`.
    pub async fn list_policies(&self, actor: &Actor) -> Result<Indexed<Vec<PolicyView>>, ServiceError> {
        self.require_identity(actor, Action::AclRead).await?;
        let (mut views, mut after, mut index) = (Vec::new(), None::<String>, None);
        loop {
            let page = self.store.range(key::ACL_POLICIES, ACL_PAGE_ROWS, after.as_deref()).await?;
            let index = *index.get_or_insert(page.revision);
            for record in &page.records {
                let policy = decode(&record.key, &record.value)?;
                views.push(PolicyView { policy, create_index: record.created, modify_index: record.modified });
            }
            after = page.records.last().map(|record| record.key.clone());
            if !page.more {
                views.sort_by(|one, other| one.policy.name.cmp(&other.policy.name));
                return Ok(Indexed { value: views, index: index.max(1) });
            }
        }
    }

    pub(super) async fn directory_index(&self, directory: &str) -> Result<Revision, ServiceError> {
        Ok(self.store.range(directory, 0, None).await?.revision.max(1))
    }

    /// Makes a policy.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:write`; [`AclError`] for a name or rules that cannot be, and for a name that
    /// there is.
    pub async fn create_policy(&self, actor: &Actor, request: AclPolicyRequest) -> Result<PolicyView, ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        check_policy_name(&request.name).map_err(AclError::from)?;
        let id = self.entropy.uuid();
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            if self.policy_by_name(&request.name).await?.is_some() {
                return Err(AclError::PolicyExists(request.name).into());
            }
            let policy = checked(id, request.clone())?;
            let mut change = self.acl_change(by, AclChange::PolicyCreated { id, name: policy.name.clone() });
            change.put(&key::acl_policy(id), None, &policy)?;
            change.put(&key::acl_policy_name(&policy.name), None, &AclPointer { id })?;
            if self.commit_acl(change).await? {
                return self.shown_policy(id).await;
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    async fn shown_policy(&self, id: Uuid) -> Result<PolicyView, ServiceError> {
        Ok(self.policy_by_id(id).await?.ok_or(AclError::NoPolicy)?.into())
    }

    /// Replaces a policy.
    ///
    /// # Errors
    /// As for [`Self::create_policy`], and [`AclError`] for a policy that there is not or that is built in.
    pub async fn update_policy(
        &self,
        actor: &Actor,
        id: &str,
        request: AclPolicyRequest,
    ) -> Result<PolicyView, ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        check_policy_name(&request.name).map_err(AclError::from)?;
        let id = parse_id(id).ok_or(AclError::UpdatedPolicy)?;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let found = self.policy_by_id(id).await?.ok_or(AclError::NoPolicyToUpdate(id))?;
            let is_renamed = key::acl_policy_name(&found.stored.name) != key::acl_policy_name(&request.name);
            if is_renamed && self.policy_by_name(&request.name).await?.is_some() {
                return Err(AclError::PolicyRenamed(request.name).into());
            }
            if let Some(builtin) = Builtin::of(id) {
                check_builtin(builtin, &request)?;
            }
            let policy = checked(id, request.clone())?;
            let mut change = self.acl_change(by, AclChange::PolicyUpdated { id, name: policy.name.clone() });
            change.put(&key::acl_policy(id), Some(found.modified), &policy)?;
            if is_renamed {
                change.delete_pointer(key::acl_policy_name(&found.stored.name));
                change.put(&key::acl_policy_name(&policy.name), None, &AclPointer { id })?;
            }
            if self.commit_acl(change).await? {
                return self.shown_policy(id).await;
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    /// Removes a policy; tokens that have it lose it.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:write`; [`AclError`] for a policy that there is not or that is built in.
    pub async fn delete_policy(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        let id = parse_id(id).ok_or(AclError::NotAnId { kind: "policy" })?;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let found = self.policy_by_id(id).await?.ok_or(AclError::NoPolicyToDelete)?;
            if let Some(builtin) = Builtin::of(id) {
                return Err(AclError::BuiltinPolicy(builtin.name()).into());
            }
            let name = found.stored.name;
            let mut change = self.acl_change(by, AclChange::PolicyDeleted { id, name: name.clone() });
            change.delete(&key::acl_policy(id), found.modified);
            change.delete_pointer(key::acl_policy_name(&name));
            if self.commit_acl(change).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }
}

/// Reads an id in its one written form.
pub(super) fn parse_id(text: &str) -> Option<Uuid> {
    TokenId::parse(text).ok().map(|id| *id.as_uuid())
}

fn check_builtin(builtin: Builtin, request: &AclPolicyRequest) -> Result<(), AclError> {
    if !request.datacenters.is_empty() {
        return Err(AclError::BuiltinDatacenters(builtin.name()));
    }
    if request.rules != builtin.policy().rules {
        return Err(AclError::BuiltinRules(builtin.name()));
    }
    Ok(())
}

/// Checks what is not checked elsewhere: rules, and the lengths of what is only kept.
fn checked(id: Uuid, request: AclPolicyRequest) -> Result<Policy, AclError> {
    let AclPolicyRequest { name, description, rules, datacenters, .. } = request;
    Rules::parse(&rules)?;
    check_description(&description)?;
    let got = datacenters.len();
    if got > ACL_DATACENTERS_MAX {
        return Err(AclError::TooLong { what: "Datacenters", max: ACL_DATACENTERS_MAX, unit: "names", got });
    }
    if let Some(long) = datacenters.iter().find(|name| echo(name) != name.as_str()) {
        let max = peering_core::foreign::ECHO_BYTES_MAX;
        return Err(AclError::TooLong { what: "Datacenters", max, unit: "bytes in a name", got: long.len() });
    }
    Ok(Policy { id, name, description, rules, datacenters })
}

/// Refuses a description that is longer than anybody reads.
pub(super) fn check_description(description: &str) -> Result<(), AclError> {
    let got = description.len();
    if got > DESCRIPTION_BYTES_MAX {
        return Err(AclError::TooLong { what: "Description", max: DESCRIPTION_BYTES_MAX, unit: "bytes", got });
    }
    Ok(())
}
