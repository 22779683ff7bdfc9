//! Finishes deletions: what hangs on a peering goes first, its record last. And sweeps what nobody needs any more.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use peering_core::id::PeeringId;
use peering_core::peering::{Peering, Stored};
use peering_core::secrets::{Command, IssuedToken, PeeringSecrets};
use peering_core::transition::Origin;

use tracing::warn;

use super::records::{By, Target};
use super::{Service, ServiceError};
use crate::bounds::{COMMIT_ATTEMPTS_MAX, TOMBSTONE_AGE_MAX, TOMBSTONES_MAX};
use crate::causes::chain;
use crate::store::record::{Tombstone, decode};
use crate::store::{Commit, Txn, Write, key};

/// Token rows removed in one commit; each takes two operations.
const TOKEN_ROWS_A_COMMIT: usize = 50;
/// Tokens read at once when all are looked at.
const TOKEN_ROWS_A_PAGE: usize = 1_024;
/// Tombstones read or removed at once.
const TOMBSTONE_ROWS_A_COMMIT: usize = 100;
/// Deletions between two sweeps, so that reading all tombstones costs each deletion little.
const DELETIONS_A_SWEEP: usize = 100;

impl Service {
    /// Removes a peering that is marked for deletion. Anything else is left alone.
    ///
    /// Its tokens are listed until they are swept, and found by their secrets: they say who redeemed them, and why they are
    /// refused.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails; calling again goes on where this call ended.
    pub(crate) async fn finish_delete(&self, id: PeeringId) -> Result<(), ServiceError> {
        let loaded = self.load(&Target::from(id)).await?;
        if !loaded.record.peering.is_some_and(|peering: Peering| peering.state == Stored::Deleting) {
            return Ok(());
        }
        let prefix = key::tokens(&id);
        let mut attempts = 0;
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(&prefix, TOKEN_ROWS_A_COMMIT, after.as_deref()).await?;
            let Some(last) = page.records.last().map(|record| record.key.clone()) else { break };
            let mut txn = Txn::default();
            for record in page.records {
                let is_kept = match decode::<IssuedToken>(&record.key, &record.value) {
                    Ok(issued) => {
                        // Without its name nobody would know what it was for; without an end it would stay for ever.
                        let is_kept = issued.name.is_some() && issued.life.end().is_some();
                        if !is_kept {
                            txn.writes.push(Write::Delete(key::token_secret(&issued.secret)));
                        }
                        is_kept
                    }
                    // One damaged row may not keep a peering from going.
                    Err(cause) => {
                        warn!(key = record.key, cause = chain(&cause), "a token cannot be read and goes unread");
                        false
                    }
                };
                if !is_kept {
                    txn.writes.push(Write::Delete(record.key));
                }
            }
            if txn.writes.is_empty() {
                after = Some(last);
                continue;
            }
            match self.store.commit(txn).await? {
                Commit::Committed(_) => (attempts, after) = (0, Some(last)),
                // An unknown outcome needs no reading back: the next turn does the same again.
                Commit::Conflict | Commit::Unknown if attempts < COMMIT_ATTEMPTS_MAX => attempts += 1,
                Commit::Conflict | Commit::Unknown => return Err(ServiceError::Contended { attempts }),
            }
        }
        self.transact(id, Origin::default(), |_| Ok(Command::FinishDelete)).await?;
        if self.deletions.fetch_add(1, Ordering::Relaxed).is_multiple_of(DELETIONS_A_SWEEP) {
            self.sweep_tombstones().await?;
        }
        Ok(())
    }

    /// Removes tokens that ended long ago. One whose stream secret was not used yet is kept as long as that secret.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn sweep_tokens(&self) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let retention = self.tokens.load().retention;
        let mut after: Option<String> = None;
        loop {
            let mut gone = Vec::new();
            let page = self.store.range(key::TOKENS, TOKEN_ROWS_A_PAGE, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            for record in page.records {
                let issued = match decode::<IssuedToken>(&record.key, &record.value) {
                    Ok(issued) => issued,
                    Err(cause) => {
                        warn!(key = record.key, cause = chain(&cause), "a token cannot be read and stays");
                        continue;
                    }
                };
                let is_old = |at| now.duration_since(at) > retention;
                if issued.life.ended_at(now).is_some_and(is_old) && self.is_free(&issued).await? {
                    gone.push(Write::Delete(key::token_secret(&issued.secret)));
                    gone.push(Write::Delete(record.key));
                }
            }
            for writes in gone.chunks(2 * TOKEN_ROWS_A_COMMIT) {
                let txn = Txn { writes: writes.to_vec(), ..Txn::default() };
                // What stays because of an unknown outcome is swept next time.
                let (Commit::Committed(_) | Commit::Conflict | Commit::Unknown) = self.store.commit(txn).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Says whether the secrets of its peering do not name a token that ended; one that expired is removed together with its
    /// name there. What they do not name now is never named again. Secrets that cannot be read may name it.
    async fn is_free(&self, issued: &IssuedToken) -> Result<bool, ServiceError> {
        let (secrets_key, token) = (key::secrets(&issued.peering), issued.life.id());
        let Some(stored) = self.store.get(&secrets_key).await? else { return Ok(true) };
        let secrets = match decode::<PeeringSecrets>(&secrets_key, &stored.value) {
            Ok(secrets) => secrets,
            Err(cause) => {
                // One damaged record must not keep the tokens of all others.
                warn!(key = secrets_key, cause = chain(&cause), "secrets cannot be read, so their tokens stay");
                return Ok(false);
            }
        };
        if secrets.establishment.is_none_or(|kept| kept.token != token) {
            return Ok(secrets.pending.is_none_or(|pending| pending.token != token));
        }
        let target = Target { by: By::Id(issued.peering), presented: None, token: Some(token) };
        match self.transact(target, Origin::default(), |_| Ok(Command::ForgetExpired(token))).await {
            Ok(_) => Ok(false),
            Err(ServiceError::Record(cause)) => {
                warn!(token_id = %token, cause = chain(&cause), "an expired token cannot be forgotten and stays");
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    /// Removes tombstones that are too old or too many, oldest first.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn sweep_tombstones(&self) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let mut kept = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(key::TOMBSTONES, TOMBSTONE_ROWS_A_COMMIT, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            for record in page.records {
                match decode::<Tombstone>(&record.key, &record.value) {
                    Ok(tombstone) => kept.push((tombstone.deleted_at, record.key)),
                    Err(cause) => {
                        warn!(key = record.key, cause = chain(&cause), "a tombstone cannot be read and goes first");
                        kept.push((Timestamp::MIN, record.key));
                    }
                }
            }
            if !page.more {
                break;
            }
        }
        kept.sort();
        let surplus = kept.len().saturating_sub(TOMBSTONES_MAX);
        let is_old = |deleted_at| now.duration_since(deleted_at) > TOMBSTONE_AGE_MAX;
        let gone: Vec<Write> = kept
            .into_iter()
            .enumerate()
            .filter(|(at, (deleted_at, _))| *at < surplus || is_old(*deleted_at))
            .map(|(_, (_, key))| Write::Delete(key))
            .collect();
        for writes in gone.chunks(TOMBSTONE_ROWS_A_COMMIT) {
            let txn = Txn { writes: writes.to_vec(), ..Txn::default() };
            // What stays because of a conflict or an unknown outcome is swept next time.
            let (Commit::Committed(_) | Commit::Conflict | Commit::Unknown) = self.store.commit(txn).await?;
        }
        Ok(())
    }
}
