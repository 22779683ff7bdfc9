//! What an operator does with tokens.

use std::collections::HashMap;

use peering_core::acl::{ANONYMOUS_ACCESSOR, ANONYMOUS_SECRET, AclChange, Policy, Resource, Token};
use peering_core::api::acl::AclTokenRequest;
use peering_core::secret::AclSecret;
use peering_core::transition::Origin;
use uuid::Uuid;

use super::AclError;
use super::draft::{check_kinds, end, given_id};
use super::lookup::Found;
use super::policies::{PolicyView, check_description, parse_id};
use crate::bounds::{ACL_PAGE_ROWS, COMMIT_ATTEMPTS_MAX};
use crate::keyring::{Label, Sealed};
use crate::service::access::{Action, Actor, Identity};
use crate::service::peerings::Indexed;
use crate::service::{Service, ServiceError};
use crate::store::record::{AclPointer, RecordError, StoredAclToken, decode};
use crate::store::{Revision, key};

/// A secret, or word that there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownSecret {
    /// The caller may see it.
    Shown(AclSecret),
    /// The caller may not.
    Hidden,
}

/// A token as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenView {
    /// The record.
    pub token: Token,
    /// Its secret.
    pub secret: ShownSecret,
    /// Its policies that there are, with their names.
    pub policies: Vec<(Uuid, String)>,
    /// Index of the write that made it.
    pub create_index: Revision,
    /// Index of the last write to it.
    pub modify_index: Revision,
}

/// Names of policies that were looked up for one answer; none for one that is gone.
pub(super) type PolicyNames = HashMap<Uuid, Option<String>>;

impl Service {
    /// Seals the secret of a token, so that it can be shown again.
    pub(super) fn seal_secret(&self, accessor: Uuid, secret: &AclSecret) -> Result<Sealed, ServiceError> {
        Ok(self.keyring.seal(Label::AclSecret, key::acl_token(accessor).as_bytes(), secret.expose().as_bytes())?)
    }

    fn unseal_secret(&self, stored: &StoredAclToken) -> Result<AclSecret, ServiceError> {
        let Some(sealed) = &stored.sealed else { return Ok(AclSecret::from_text(ANONYMOUS_SECRET)) };
        let context = key::acl_token(stored.token.accessor);
        let bytes = self.keyring.unseal(Label::AclSecret, context.as_bytes(), sealed)?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| RecordError::Sealed { what: "the secret of an ACL token" })?;
        Ok(AclSecret::from_text(text))
    }

    /// Shows a token, its secret only to whoever may see it.
    pub(super) async fn view_token(
        &self,
        found: Found,
        shows_secret: bool,
        names: &mut PolicyNames,
    ) -> Result<TokenView, ServiceError> {
        let Found { stored, created, modified } = found;
        let secret = if shows_secret { ShownSecret::Shown(self.unseal_secret(&stored)?) } else { ShownSecret::Hidden };
        let mut policies = Vec::with_capacity(stored.token.policies.len());
        for id in &stored.token.policies {
            let name = match names.get(id) {
                Some(name) => name.clone(),
                None => {
                    let name = self.policy_by_id(*id).await?.map(|found| found.stored.name);
                    names.insert(*id, name.clone());
                    name
                }
            };
            policies.extend(name.map(|name| (*id, name)));
        }
        Ok(TokenView { token: stored.token, secret, policies, create_index: created, modify_index: modified })
    }

    fn sees_secrets(&self, identity: &Identity) -> bool {
        identity.allows(Resource::Acl, "", peering_core::acl::Access::Write)
    }

    /// Reads a token by its public name.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:read`; [`AclError`] if there is no such token.
    pub async fn read_token(&self, actor: &Actor, accessor: &str) -> Result<Indexed<TokenView>, ServiceError> {
        let identity = self.require_identity(actor, Action::AclRead).await?;
        let accessor = parse_id(accessor).ok_or(AclError::NotAnId { kind: "token" })?;
        let found = self.token_by_accessor(accessor).await?.ok_or(AclError::NoToken)?;
        let value = self.view_token(found, self.sees_secrets(&identity), &mut PolicyNames::new()).await?;
        Ok(Indexed { value, index: self.directory_index(key::ACL_TOKENS).await? })
    }

    /// Reads the caller's own token, for which no right is needed.
    ///
    /// # Errors
    /// [`AclError::NoToken`] without a token, or for one that there is not.
    pub async fn read_own_token(&self, actor: &Actor) -> Result<Indexed<TokenView>, ServiceError> {
        self.access_is_on()?;
        let secret = actor.token.as_ref().ok_or(AclError::NoToken)?;
        let Some(found) = self.find_token(secret).await? else {
            self.note_wrong_token(actor);
            return Err(AclError::NoToken.into());
        };
        let value = self.view_token(found, true, &mut PolicyNames::new()).await?;
        Ok(Indexed { value, index: self.directory_index(key::ACL_TOKENS).await? })
    }

    /// Returns the policies of a token with their rules.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn policies_of(&self, token: &TokenView) -> Result<Vec<PolicyView>, ServiceError> {
        let mut policies = Vec::with_capacity(token.policies.len());
        for (id, _) in &token.policies {
            let found: Option<Found<Policy>> = self.policy_by_id(*id).await?;
            policies.extend(found.map(PolicyView::from));
        }
        Ok(policies)
    }

    /// Lists all tokens that have not ended, or those with one policy.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:read`.
    pub async fn list_tokens(
        &self,
        actor: &Actor,
        policy: Option<&str>,
    ) -> Result<Indexed<Vec<TokenView>>, ServiceError> {
        let identity = self.require_identity(actor, Action::AclRead).await?;
        let shows = self.sees_secrets(&identity);
        let wanted = policy.map(parse_id);
        let (mut views, mut names, mut after, mut index) = (Vec::new(), PolicyNames::new(), None::<String>, None);
        loop {
            let page = self.store.range(key::ACL_TOKENS, ACL_PAGE_ROWS, after.as_deref()).await?;
            let index = *index.get_or_insert(page.revision);
            for record in &page.records {
                let stored: StoredAclToken = decode(&record.key, &record.value)?;
                let is_wanted = wanted.is_none_or(|id| id.is_some_and(|id| stored.token.policies.contains(&id)));
                if is_wanted && !stored.token.is_expired(self.clock.now()) {
                    let found = Found { stored, created: record.created, modified: record.modified };
                    views.push(self.view_token(found, shows, &mut names).await?);
                }
            }
            after = page.records.last().map(|record| record.key.clone());
            if !page.more {
                return Ok(Indexed { value: views, index: index.max(1) });
            }
        }
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:write`; [`AclError`] for ids that are taken or none, ends that cannot be,
    /// and policies that there are not.
    pub async fn create_token(&self, actor: &Actor, request: AclTokenRequest) -> Result<TokenView, ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        self.make_token(by, request).await
    }

    async fn make_token(&self, by: Origin, request: AclTokenRequest) -> Result<TokenView, ServiceError> {
        if !request.auth_method.is_empty() {
            return Err(AclError::AuthMethod.into());
        }
        let accessor = given_id("AccessorID", &request.accessor_id)?.unwrap_or_else(|| self.entropy.uuid());
        let drawn = AclSecret::from_random(self.entropy.bytes16());
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            if self.write_token(by, &request, accessor, &drawn).await? {
                let found = self.token_by_accessor(accessor).await?.ok_or(AclError::NoToken)?;
                return self.view_token(found, true, &mut PolicyNames::new()).await;
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    /// Writes a new token, with the secret that was drawn for it unless the request has one; `false` if it is to be looked
    /// again whether its ids are free.
    async fn write_token(
        &self,
        by: Origin,
        request: &AclTokenRequest,
        accessor: Uuid,
        drawn: &AclSecret,
    ) -> Result<bool, ServiceError> {
        if self.store.get(&key::acl_token(accessor)).await?.is_some() {
            return Err(AclError::IdInUse { field: "AccessorID" }.into());
        }
        // As it was given: what is presented later is compared byte by byte.
        let given = given_id("SecretID", &request.secret_id)?.map(|_| AclSecret::from_text(request.secret_id.as_str()));
        let secret = given.as_ref().unwrap_or(drawn);
        let secret_key = key::acl_secret(&secret.hash());
        if self.store.get(&secret_key).await?.is_some() {
            return Err(AclError::IdInUse { field: "SecretID" }.into());
        }
        let created = self.clock.now();
        let expires = end(request, created)?;
        check_kinds(request)?;
        let policies = self.linked_policies(&request.policies).await?;
        let description = request.description.clone().unwrap_or_default();
        check_description(&description)?;
        let token =
            Token { accessor, secret: secret.hash(), description, policies, local: request.local, expires, created };
        let sealed = Some(self.seal_secret(accessor, secret)?);
        let mut change = self.acl_change(by, AclChange::TokenCreated { accessor });
        change.put(&key::acl_token(accessor), None, &StoredAclToken { token, sealed })?;
        change.put(&secret_key, None, &AclPointer { id: accessor })?;
        self.commit_acl(change).await
    }

    /// Makes a token that may do what another may.
    ///
    /// # Errors
    /// As for [`Self::create_token`], and [`AclError`] if there is no such token.
    pub async fn clone_token(
        &self,
        actor: &Actor,
        accessor: &str,
        description: Option<String>,
    ) -> Result<TokenView, ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        let accessor = parse_id(accessor).ok_or(AclError::NotAnId { kind: "token" })?;
        let found = self.token_by_accessor(accessor).await?.ok_or(AclError::NoToken)?;
        let original = self.view_token(found, false, &mut PolicyNames::new()).await?;
        let link = |(id, name): (Uuid, String)| peering_core::api::acl::AclLink { id: id.to_string(), name };
        let request = AclTokenRequest {
            description: Some(description.unwrap_or(original.token.description)),
            policies: original.policies.into_iter().map(link).collect(),
            local: original.token.local,
            expiration_time: original.token.expires,
            ..AclTokenRequest::default()
        };
        self.make_token(by, request).await
    }

    /// Replaces what of a token may change: its description and its policies.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:write`; [`AclError`] for a token that there is not, and for a change of what
    /// stays.
    pub async fn update_token(
        &self,
        actor: &Actor,
        accessor: &str,
        request: AclTokenRequest,
    ) -> Result<TokenView, ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        let accessor = parse_id(accessor).ok_or(AclError::UpdatedAccessor)?;
        check_kinds(&request)?;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let found = self.token_by_accessor(accessor).await?.ok_or(AclError::NoTokenToUpdate(accessor))?;
            let before = found.stored;
            check_unchanged(&before.token, &request)?;
            let policies = self.linked_policies(&request.policies).await?;
            let description = request.description.clone().unwrap_or_default();
            check_description(&description)?;
            let token = Token { description, policies, ..before.token };
            let mut change = self.acl_change(by, AclChange::TokenUpdated { accessor });
            let next = StoredAclToken { token, sealed: before.sealed };
            change.put(&key::acl_token(accessor), Some(found.modified), &next)?;
            if self.commit_acl(change).await? {
                let found = self.token_by_accessor(accessor).await?.ok_or(AclError::NoTokenToUpdate(accessor))?;
                return self.view_token(found, true, &mut PolicyNames::new()).await;
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    /// Removes a token.
    ///
    /// # Errors
    /// [`ServiceError::Denied`] without `acl:write`; [`AclError`] for a token that there is not, the caller's own, and the
    /// anonymous one.
    pub async fn delete_token(&self, actor: &Actor, accessor: &str) -> Result<(), ServiceError> {
        let by = self.require_identity(actor, Action::AclWrite).await?.origin();
        let accessor = parse_id(accessor).ok_or(AclError::DeletedAccessor)?;
        if accessor == ANONYMOUS_ACCESSOR {
            return Err(AclError::AnonymousToken.into());
        }
        if Some(accessor) == by.actor {
            return Err(AclError::OwnToken.into());
        }
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let found = self.token_by_accessor(accessor).await?.ok_or(AclError::NoTokenToDelete)?;
            if self.remove_token(by, &found.stored, found.modified, AclChange::TokenDeleted { accessor }).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    async fn remove_token(
        &self,
        by: Origin,
        stored: &StoredAclToken,
        modified: Revision,
        event: AclChange,
    ) -> Result<bool, ServiceError> {
        let mut change = self.acl_change(by, event);
        change.delete(&key::acl_token(stored.token.accessor), modified);
        change.delete_pointer(key::acl_secret(&stored.token.secret));
        self.commit_acl(change).await
    }

    /// Removes tokens that have ended.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails; the next sweep goes on.
    pub async fn sweep_acl_tokens(&self) -> Result<(), ServiceError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(key::ACL_TOKENS, ACL_PAGE_ROWS, after.as_deref()).await?;
            for record in &page.records {
                let stored: StoredAclToken = decode(&record.key, &record.value)?;
                let accessor = stored.token.accessor;
                if stored.token.is_expired(self.clock.now()) {
                    // One that was changed meanwhile is looked at again by the next sweep.
                    self.remove_token(
                        Origin::default(),
                        &stored,
                        record.modified,
                        AclChange::TokenExpired { accessor },
                    )
                    .await?;
                }
            }
            after = page.records.last().map(|record| record.key.clone());
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// Refuses to change what of a token stays as it was made.
fn check_unchanged(token: &Token, request: &AclTokenRequest) -> Result<(), AclError> {
    let accessor = token.accessor;
    let secret = AclSecret::from_text(request.secret_id.as_str());
    if !secret.is_empty() && secret.hash() != token.secret {
        return Err(AclError::SecretChanged);
    }
    if !request.auth_method.is_empty() {
        return Err(AclError::AuthMethodChanged(accessor));
    }
    if request.local != token.local {
        return Err(AclError::LocalChanged(accessor));
    }
    let is_moved = request.expiration_time.is_some_and(|end| Some(end) != token.expires);
    let has_ttl = request.expiration_ttl.is_some_and(|ttl| ttl.to_std() != Some(std::time::Duration::ZERO));
    if is_moved || has_ttl { Err(AclError::EndChanged(accessor)) } else { Ok(()) }
}
