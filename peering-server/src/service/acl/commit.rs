//! Changes of tokens and policies, each in one transaction with its event.

use peering_core::acl::{AclChange, AclEvent};
use peering_core::transition::Origin;
use uuid::Uuid;

use crate::service::records::still;
use crate::service::{Service, ServiceError};
use crate::store::record::{Kept, OutboxRow, encode};
use crate::store::{Revision, Txn, Write, key};

/// A transaction in the making.
pub(super) struct Change {
    txn: Txn,
    written_by: Uuid,
    events: Vec<AclEvent>,
}

impl Change {
    /// Writes a record on condition that it is as it was read.
    pub(super) fn put<T: Kept>(&mut self, key: &str, read: Option<Revision>, value: &T) -> Result<(), ServiceError> {
        self.txn.preconditions.push(still(key, read));
        self.txn.writes.push(Write::Put(key.to_owned(), encode(key, value, self.written_by)?));
        Ok(())
    }

    /// Removes a record on condition that it is as it was read.
    pub(super) fn delete(&mut self, key: &str, read: Revision) {
        self.txn.preconditions.push(still(key, Some(read)));
        self.txn.writes.push(Write::Delete(key.to_owned()));
    }

    /// Removes what leads to a record that goes with it.
    pub(super) fn delete_pointer(&mut self, key: String) {
        self.txn.writes.push(Write::Delete(key));
    }
}

impl Service {
    /// Begins a change by somebody.
    pub(super) fn acl_change(&self, origin: Origin, what: AclChange) -> Change {
        let event = AclEvent { at: self.clock.now(), origin, acl: what };
        Change { txn: Txn::default(), written_by: self.entropy.uuid(), events: vec![event] }
    }

    /// Commits a change; `false` if a record is not as it was read.
    pub(super) async fn commit_acl(&self, mut change: Change) -> Result<bool, ServiceError> {
        let is_deletion = |event: &AclEvent| matches!(event.acl, AclChange::TokenDeleted { .. });
        self.outbox.admit(!change.events.is_empty() && change.events.iter().all(is_deletion))?;
        let events = std::mem::take(&mut change.events);
        let count = events.len();
        for (at, event) in events.into_iter().enumerate() {
            let random = self.entropy.uuid().simple().to_string();
            let event_key = key::outbox(event.at.as_nanosecond(), at, &random);
            let value = encode(&event_key, &OutboxRow::Acl(event), change.written_by)?;
            change.txn.writes.push(Write::Put(event_key, value));
        }
        self.commit_with_trim(change.txn, change.written_by, count).await
    }
}
