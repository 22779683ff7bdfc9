//! Config entries: read, write and delete, and what is exported to whom.

use peering_core::config_entry::{ConfigEntry, ExportedServices, Kind};
use peering_core::foreign;

use super::peerings::Indexed;
use super::records::still;
use super::{Service, ServiceError};
use crate::bounds::COMMIT_ATTEMPTS_MAX;
use crate::metrics;
use crate::store::record::{decode, encode};
use crate::store::{Commit, Record, Revision, Txn, VALUE_BYTES_MAX, Write, key};

/// The fixed name of the one `exported-services` entry.
const EXPORTS_NAME: &str = "default";
/// The fixed name of the one `mesh` entry.
const MESH_NAME: &str = "mesh";
/// More entries than there can be: one of each kind.
const ENTRIES_MAX: usize = 16;

/// A config entry with its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    /// The entry.
    pub entry: ConfigEntry,
    /// Index of the write that made it.
    pub create_index: Revision,
    /// Index of the last write to it.
    pub modify_index: Revision,
}

/// A change of one entry: the record as it is, and how it is to be.
enum Change {
    /// It is as wanted.
    None(bool),
    /// Make this write.
    Make(Write),
}

impl Service {
    /// Stores an entry. With `expected` it does so only if the entry's index is that one, 0 for none; `false` says that
    /// it is another. An entry that is there already is not written again, whatever is expected.
    ///
    /// # Errors
    /// [`ServiceError::ConfigEntry`] for one that is not acceptable, [`ServiceError::EntryTooLong`].
    pub async fn put_config_entry(
        &self,
        entry: &ConfigEntry,
        expected: Option<Revision>,
    ) -> Result<bool, ServiceError> {
        entry.check()?;
        let key = key::config_entry(entry.kind(), entry.name());
        self.change_entry(&key, |stored, written_by| {
            if let Some(stored) = stored
                && decode::<ConfigEntry>(&key, &stored.value)? == *entry
            {
                return Ok(Change::None(true));
            }
            if expected.is_some_and(|expected| expected != stored.map_or(0, |stored| stored.modified)) {
                return Ok(Change::None(false));
            }
            let value = encode(&key, entry, written_by)?;
            if value.len() > VALUE_BYTES_MAX {
                return Err(ServiceError::EntryTooLong { got: value.len(), max: VALUE_BYTES_MAX });
            }
            Ok(Change::Make(Write::Put(key.clone(), value)))
        })
        .await
    }

    /// Deletes an entry; one that is not there is no error. With `expected` it does so only if the entry's index is that
    /// one; `false` says that it is another.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn delete_config_entry(
        &self,
        kind: Kind,
        name: &str,
        expected: Option<Revision>,
    ) -> Result<bool, ServiceError> {
        if !is_kept(kind, name) {
            return Ok(true);
        }
        let key = key::config_entry(kind, name);
        self.change_entry(&key, |stored, _| {
            Ok(match stored {
                None => Change::None(true),
                Some(stored) if expected.is_some_and(|expected| expected != stored.modified) => Change::None(false),
                Some(_) => Change::Make(Write::Delete(key.clone())),
            })
        })
        .await
    }

    /// Reads, decides and commits, starting again when somebody else was faster.
    async fn change_entry(
        &self,
        key: &str,
        mut decide: impl FnMut(Option<&Record>, uuid::Uuid) -> Result<Change, ServiceError> + Send,
    ) -> Result<bool, ServiceError> {
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let stored = self.store.get(key).await?;
            let written_by = self.entropy.uuid();
            let write = match decide(stored.as_ref(), written_by)? {
                Change::None(answer) => return Ok(answer),
                Change::Make(write) => write,
            };
            let preconditions = vec![still(key, stored.map(|stored| stored.modified))];
            let txn = Txn { preconditions, writes: vec![write] };
            let is_done = match self.store.commit(txn.clone()).await? {
                Commit::Committed(_) => true,
                Commit::Conflict => false,
                Commit::Unknown => self.read_back(&txn, written_by).await?,
            };
            if is_done {
                self.metrics.count(&metrics::COMMITS, &[]);
                return Ok(true);
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    /// Reads one entry, with the index of all; none if it is not there.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn config_entry(&self, kind: Kind, name: &str) -> Result<Indexed<Option<EntryView>>, ServiceError> {
        let listed = self.config_entries().await?;
        let is_it = |view: &EntryView| view.entry.kind() == kind && view.entry.name() == name;
        Ok(Indexed { value: listed.value.into_iter().find(is_it), index: listed.index })
    }

    /// Lists all entries by kind.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn config_entries(&self) -> Result<Indexed<Vec<EntryView>>, ServiceError> {
        let page = self.store.range(key::CONFIG_ENTRIES, ENTRIES_MAX, None).await?;
        let views = page.records.iter().map(|record| {
            let entry = decode(&record.key, &record.value)?;
            Ok(EntryView { entry, create_index: record.created, modify_index: record.modified })
        });
        Ok(Indexed { value: views.collect::<Result<_, ServiceError>>()?, index: page.revision.max(1) })
    }

    /// Returns what is exported; nothing if nobody said so.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub async fn exports(&self) -> Result<Indexed<ExportedServices>, ServiceError> {
        let found = self.config_entry(Kind::ExportedServices, EXPORTS_NAME).await?;
        let value = match found.value.map(|view| view.entry) {
            Some(ConfigEntry::ExportedServices(exports)) => exports,
            _ => ExportedServices::default(),
        };
        Ok(Indexed { value, index: found.index })
    }

    /// Refuses to issue a token that would have to lead to mesh gateways. Consul refuses it only after it has made the
    /// peering and voided the token before.
    pub(super) async fn refuse_gateways(&self) -> Result<(), ServiceError> {
        let key = key::config_entry(Kind::Mesh, MESH_NAME);
        let Some(stored) = self.store.get(&key).await? else { return Ok(()) };
        match decode::<ConfigEntry>(&key, &stored.value)? {
            ConfigEntry::Mesh(mesh) if mesh.peers_through_gateways() => Err(ServiceError::NoGateways),
            _ => Ok(()),
        }
    }
}

/// Says whether there can be an entry of this kind and name.
fn is_kept(kind: Kind, name: &str) -> bool {
    matches!((kind, name), (Kind::ExportedServices, EXPORTS_NAME) | (Kind::Mesh, MESH_NAME))
}

/// Makes the error for an entry that is not there.
pub(crate) fn not_found(kind: Kind, name: &str) -> ServiceError {
    ServiceError::NoConfigEntry { kind: kind.as_str(), name: foreign::echo(name).to_owned() }
}
