//! The log as a consumer of events: each becomes a line, in the words by which operators of Consul search theirs.

use peering_core::acl::{AclChange, AclEvent};
use peering_core::transition::{Event, What};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Consumer, Follower};
use crate::causes::chain;
use crate::logs::PEERING;
use crate::service::{Service, ServiceError};
use crate::store::Record;
use crate::store::record::{OutboxRow, decode};

impl Service {
    /// Writes every event to the log, in order, until `stop`; then removes what was seen.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails: nothing is lost, the next start goes on where this one ended.
    pub async fn log_events(&self, stop: CancellationToken) -> Result<(), ServiceError> {
        let mut follower = self.follow_outbox(Consumer::Log);
        loop {
            let rows = tokio::select! {
                rows = follower.next() => rows?,
                () = stop.cancelled() => break,
            };
            let Some(rows) = rows else { break };
            log_rows(rows, &follower);
            // A backlog goes at once, or it would wait for as many changes; a few rows ride along with the next one.
            if follower.is_catching_up() && self.outbox.has_a_backlog() {
                self.flush_outbox().await?;
            }
        }
        // What was committed before the stop.
        if let Some(rows) = follower.next_at_once().await? {
            log_rows(rows, &follower);
        }
        self.flush_outbox().await
    }
}

fn log_rows(rows: Vec<Record>, follower: &Follower<'_>) {
    rows.iter().for_each(log_row);
    follower.seen(rows);
}

fn log_row(row: &Record) {
    match decode::<OutboxRow>(&row.key, &row.value) {
        Ok(OutboxRow::Peering(event)) => log_event(&event),
        Ok(OutboxRow::Acl(event)) => log_acl_event(&event),
        Err(cause) => error!(row = row.key, cause = chain(&cause), "an event cannot be read and is passed over"),
    }
}

/// Tells a change of tokens or policies to the log.
fn log_acl_event(event: &AclEvent) {
    let by = event.origin.actor.map(|by| by.to_string());
    match &event.acl {
        AclChange::ManagementTokenMade { accessor } => {
            info!(accessor_id = %accessor, "the first management token was made");
        }
        AclChange::Bootstrapped { accessor } => info!(accessor_id = %accessor, "ACL bootstrap completed"),
        AclChange::TokenCreated { accessor } => info!(accessor_id = %accessor, by, "ACL token created"),
        AclChange::TokenUpdated { accessor } => info!(accessor_id = %accessor, by, "ACL token updated"),
        AclChange::TokenDeleted { accessor } => info!(accessor_id = %accessor, by, "ACL token deleted"),
        AclChange::TokenExpired { accessor } => info!(accessor_id = %accessor, "ACL token expired"),
        AclChange::PolicyCreated { id, name } => info!(policy_id = %id, name, by, "ACL policy created"),
        AclChange::PolicyUpdated { id, name } => info!(policy_id = %id, name, by, "ACL policy updated"),
        AclChange::PolicyDeleted { id, name } => info!(policy_id = %id, name, by, "ACL policy deleted"),
        other => info!(event = ?other, "ACL event"),
    }
}

/// Tells one event to the log. The words are those by which operators of Consul search their logs, where it has any.
pub(in crate::service) fn log_event(event: &Event) {
    let (peer_name, peer_id) = (event.name.as_str(), event.peering);
    match &event.what {
        What::TokenGenerated { token, expires } => {
            let expires = expires.map(|at| at.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, expires, "peering token generated");
        }
        What::TokenSuperseded { token, by } => {
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, superseded_by = %by, "peering token superseded");
        }
        What::TokenRedeemed { token, from } => {
            let source = from.map(|from| from.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, source, "peering token redeemed");
        }
        What::TokenRevoked { token, reason } => {
            info!(target: PEERING, peer_name, %peer_id, token_id = %token, ?reason, "peering token revoked");
        }
        What::StreamSecretPromoted { token } => {
            let token_id = token.map(|token| token.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id, "pending stream secret promoted");
        }
        What::TrustDomainChanged { from, to } => {
            let (from, to) = (peering_core::foreign::quoted(from), peering_core::foreign::quoted(to));
            warn!(target: PEERING, peer_name, %peer_id, from, to, "the peer has another trust domain than before");
        }
        What::EstablishBegun { token } => {
            let token_id = token.map(|token| token.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id, "establishing peering");
        }
        What::Established { token } => {
            let token_id = token.map(|token| token.to_string());
            info!(target: PEERING, peer_name, %peer_id, token_id, "peering established, dialing");
        }
        What::TrustBundleStored { roots } => {
            info!(target: PEERING, peer_name, %peer_id, roots, "trust bundle of the peer stored")
        }
        What::ServerAddressesStored { addresses } => {
            info!(target: PEERING, peer_name, %peer_id, addresses, "server addresses of the peer stored");
        }
        What::Deleted => info!(target: PEERING, peer_name, %peer_id, "peering marked for deletion"),
        What::Removed => info!(target: PEERING, peer_name, %peer_id, "peering removed"),
        What::Terminated => info!(
            target: PEERING, peer_name, %peer_id,
            "peering was deleted by our peer: marking peering as terminated and cleaning up imported resources"
        ),
        other => info!(target: PEERING, peer_name, %peer_id, event = ?other, "peering event"),
    }
}
