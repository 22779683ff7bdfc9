//! Lists issued tokens within a bound of memory, and finds one by its id.

use std::collections::BTreeMap;

use peering_core::id::{PeeringId, TokenId};
use peering_core::life::TokenState;
use peering_core::name::PeerName;
use peering_core::secrets::{IssuedToken, PeeringSecrets};
use tracing::warn;

use super::{TOKEN_ROWS_A_PAGE, TokenFilter, TokenPage, TokenView};
use crate::bounds::LISTED_TOKENS_MAX;
use crate::causes::chain;
use crate::service::peerings::Indexed;
use crate::service::{Service, ServiceError};
use crate::store::record::decode;
use crate::store::{Record, key};

impl Service {
    /// Lists tokens in the order in which they were issued, the first [`LISTED_TOKENS_MAX`] of those asked for.
    ///
    /// No more than so many, and a page of the store's rows, are in memory at a time.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn list_issued(&self, filter: &TokenFilter) -> Result<Indexed<TokenPage>, ServiceError> {
        self.list_issued_within(filter, LISTED_TOKENS_MAX).await
    }

    pub(in crate::service) async fn list_issued_within(
        &self,
        filter: &TokenFilter,
        tokens_max: usize,
    ) -> Result<Indexed<TokenPage>, ServiceError> {
        let peer = filter.peer.as_ref().map(|name| name.to_lowercase());
        let now = self.clock.now();
        // By the order of their making: what is more than anybody gets at once falls off at the end.
        let mut first: BTreeMap<(u64, TokenId), TokenView> = BTreeMap::new();
        let mut has_more = false;
        let mut names = Names::default();
        let (mut after, mut index): (Option<String>, _) = (None, None);
        loop {
            let page = self.store.range(key::TOKENS, TOKEN_ROWS_A_PAGE, after.as_deref()).await?;
            // A change during the listing must wake whoever waits from here.
            let index = *index.get_or_insert(page.revision);
            after = page.records.last().map(|record| record.key.clone());
            for record in page.records {
                let is_late = first.len() >= tokens_max
                    && first.last_key_value().is_some_and(|((last, _), _)| *last < record.created);
                if record.created <= filter.after || (is_late && has_more) {
                    continue;
                }
                let Some(view) = self.view_issued(&record, &mut names).await? else { continue };
                let is_asked_for = (filter.states.is_empty() || filter.states.contains(&view.state))
                    && peer.as_deref().is_none_or(|peer| view.name.as_ref().is_some_and(|name| name.as_str() == peer))
                    && filter
                        .older_than
                        .is_none_or(|age| now.duration_since(view.issued.life.created()) >= signed(age));
                if !is_asked_for {
                    continue;
                }
                first.insert((view.create_index, view.issued.life.id()), view);
                if first.len() > tokens_max {
                    has_more = true;
                    drop(first.pop_last());
                }
            }
            if !page.more {
                let mut tokens: Vec<TokenView> = first.into_values().collect();
                self.mark_revocable(&mut tokens).await?;
                return Ok(Indexed { value: TokenPage { tokens, has_more }, index: index.max(1) });
            }
        }
    }

    /// Finds a token by its id, at once if its peering is known too; else all keys are looked at. What is not there, or
    /// not in that peering, has the index of the last change of any token.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails, or the token's record cannot be read.
    pub async fn find_issued(
        &self,
        token: TokenId,
        peering: Option<PeeringId>,
    ) -> Result<Indexed<Option<TokenView>>, ServiceError> {
        let (found, index) = self.find_issued_record(token, peering).await?;
        let Some(record) = found else { return Ok(Indexed { value: None, index }) };
        // One that is asked for by its id is not passed over.
        decode::<IssuedToken>(&record.key, &record.value)?;
        let mut tokens: Vec<TokenView> = self.view_issued(&record, &mut Names::default()).await?.into_iter().collect();
        self.mark_revocable(&mut tokens).await?;
        let index = record.modified.max(1);
        Ok(Indexed { value: tokens.pop(), index })
    }

    /// Finds the record of a token, among those of all peerings if its own is not named.
    pub(super) async fn find_issued_record(
        &self,
        token: TokenId,
        peering: Option<PeeringId>,
    ) -> Result<(Option<Record>, u64), ServiceError> {
        if let Some(peering) = peering {
            // Read first, so that a change after it has a greater index.
            let index = self.store.range(key::TOKENS, 1, None).await?.revision;
            return Ok((self.store.get(&key::token(&peering, &token)).await?, index.max(1)));
        }
        let end = format!("/{token}");
        let (mut after, mut index): (Option<String>, _) = (None, None);
        loop {
            let page = self.store.range(key::TOKENS, TOKEN_ROWS_A_PAGE, after.as_deref()).await?;
            let index = (*index.get_or_insert(page.revision)).max(1);
            after = page.records.last().map(|record| record.key.clone());
            if let Some(found) = page.records.into_iter().find(|record| record.key.ends_with(&end)) {
                return Ok((Some(found), index));
            }
            if !page.more {
                return Ok((None, index));
            }
        }
    }

    /// Reads a token's record. One that cannot be read hides no other.
    async fn view_issued(&self, record: &Record, names: &mut Names) -> Result<Option<TokenView>, ServiceError> {
        let issued = match decode::<IssuedToken>(&record.key, &record.value) {
            Ok(issued) => issued,
            Err(cause) => {
                warn!(key = record.key, cause = chain(&cause), "a token cannot be read and is not listed");
                return Ok(None);
            }
        };
        let name = match &issued.name {
            Some(name) => Some(name.clone()),
            None => names.of(self, issued.peering).await?,
        };
        let state = issued.life.state_at(self.clock.now());
        let is_revocable = state == TokenState::Unused;
        let (create_index, modify_index) = (record.created, record.modified);
        Ok(Some(TokenView { issued, name, state, is_revocable, create_index, modify_index }))
    }

    /// Finds out of which redeemed tokens the stream secret was not used yet.
    async fn mark_revocable(&self, tokens: &mut [TokenView]) -> Result<(), ServiceError> {
        let mut pending: BTreeMap<PeeringId, Option<TokenId>> = BTreeMap::new();
        for view in tokens.iter_mut().filter(|view| view.state == TokenState::Redeemed) {
            let id = view.issued.peering;
            let token = match pending.get(&id) {
                Some(token) => *token,
                None => {
                    let secrets_key = key::secrets(&id);
                    let stored = self.store.get(&secrets_key).await?;
                    let secrets =
                        stored.map(|stored| decode::<PeeringSecrets>(&secrets_key, &stored.value)).transpose();
                    // Secrets that cannot be read are no reason to hide a token.
                    let token = secrets.ok().flatten().and_then(|secrets| secrets.pending).map(|kept| kept.token);
                    pending.insert(id, token);
                    token
                }
            };
            view.is_revocable = token == Some(view.issued.life.id());
        }
        Ok(())
    }
}

/// The name of the peering that was asked for last: tokens of one peering stand together.
#[derive(Default)]
struct Names(Option<(PeeringId, Option<PeerName>)>);

impl Names {
    async fn of(&mut self, service: &Service, id: PeeringId) -> Result<Option<PeerName>, ServiceError> {
        if let Some((known, name)) = &self.0
            && *known == id
        {
            return Ok(name.clone());
        }
        let name = service.name_of(&id).await?;
        self.0 = Some((id, name.clone()));
        Ok(name)
    }
}

fn signed(age: std::time::Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(age).unwrap_or(jiff::SignedDuration::MAX)
}
