//! Takes tokens back: one at an operator's word, and after a restore all that nobody has redeemed.

use peering_core::id::{PeeringId, TokenId};
use peering_core::life::RevokeReason;
use peering_core::secrets::{Command, IssuedToken, Refusal, apply};
use peering_core::transition::Origin;
use tracing::warn;

use super::TOKEN_ROWS_A_PAGE;
use crate::bounds::COMMIT_ATTEMPTS_MAX;
use crate::causes::chain;
use crate::service::records::{By, Target};
use crate::service::{Service, ServiceError};
use crate::store::record::{RecordError, decode};
use crate::store::{Txn, key};

/// Tokens voided by one commit: each takes up to eight operations, and seen events may ride along.
const VOIDED_A_COMMIT: usize = 7;

impl Service {
    /// Takes a token back: void if it is unused; if it was redeemed, its stream secret is void unless that was used. It
    /// is found at once if its peering is known too.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] for a token that there is not, that ended already, or whose stream secret was used.
    pub async fn revoke_token(
        &self,
        token: TokenId,
        peering: Option<PeeringId>,
        origin: Origin,
    ) -> Result<(), ServiceError> {
        let (found, _) = self.find_issued_record(token, peering).await?;
        let Some(record) = found else { return Err(Refusal::NoToken(token).into()) };
        let issued: IssuedToken = decode(&record.key, &record.value)?;
        let revoke = Command::RevokeToken { token, reason: RevokeReason::Operator };
        self.transact(target(issued.peering, token), origin, |_| Ok(revoke.clone())).await?;
        Ok(())
    }

    /// Voids every token that nobody has redeemed, as far as this store knows: it was restored, and they may have been
    /// used since. Returns how many there were. Called again after a crash, it goes on where it ended.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn void_unredeemed(&self) -> Result<usize, ServiceError> {
        let mut voided = 0;
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(key::TOKENS, TOKEN_ROWS_A_PAGE, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            let mut unredeemed = Vec::new();
            for record in page.records {
                match decode::<IssuedToken>(&record.key, &record.value) {
                    Ok(issued) if issued.life.end().is_none() => unredeemed.push((issued.peering, issued.life.id())),
                    Ok(_) => {}
                    // The newer release could redeem it.
                    Err(newer @ RecordError::Newer { .. }) => return Err(newer.into()),
                    // It cannot be redeemed either.
                    Err(cause) => warn!(key = record.key, cause = chain(&cause), "a token cannot be read and stays"),
                }
            }
            for tokens in unredeemed.chunks(VOIDED_A_COMMIT) {
                voided += self.void(tokens).await?;
            }
            if !page.more {
                return Ok(voided);
            }
        }
    }

    /// Voids a few tokens in one commit.
    async fn void(&self, tokens: &[(PeeringId, TokenId)]) -> Result<usize, ServiceError> {
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let written_by = self.entropy.uuid();
            let (mut txn, mut voided, mut events) = (Txn::default(), 0, 0);
            for (peering, token) in tokens {
                let loaded = match self.load(&target(*peering, *token)).await {
                    Ok(loaded) => loaded,
                    // An exchange and an open read the same records, so that nobody can use it either.
                    Err(ServiceError::Record(cause)) if !matches!(cause, RecordError::Newer { .. }) => {
                        warn!(token_id = %token, cause = chain(&cause), "a token cannot be voided, nor used");
                        continue;
                    }
                    Err(other) => return Err(other),
                };
                let revoke = Command::RevokeToken { token: *token, reason: RevokeReason::Restored };
                match apply(&loaded.record, revoke, self.clock.now()) {
                    Ok(transition) => {
                        let own = self.difference(&loaded, &transition, written_by)?;
                        txn.preconditions.extend(own.preconditions);
                        txn.writes.extend(own.writes);
                        events += transition.events.len();
                        voided += 1;
                    }
                    // Somebody ended it since it was read, or its peering is gone: it cannot be used.
                    Err(cause) => warn!(token_id = %token, cause = chain(&cause), "a token need not be voided"),
                }
            }
            if txn.writes.is_empty() {
                return Ok(0);
            }
            self.outbox.admit(true)?;
            if self.commit_with_trim(txn, written_by, events).await? {
                return Ok(voided);
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }
}

fn target(peering: PeeringId, token: TokenId) -> Target {
    Target { by: By::Id(peering), presented: None, token: Some(token) }
}
