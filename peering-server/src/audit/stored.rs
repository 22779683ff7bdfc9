//! The head of an audit trail in the store of a server that is not running.

use std::path::{Path, PathBuf};

use peering_core::audit::Head;
use thiserror::Error;

use crate::store::record::{AuditHead, RecordError, decode};
use crate::store::sqlite::{DATABASE_FILE, OpenError, SqliteStore};
use crate::store::{Store, StoreError, key};

/// Says why there is no head to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoredHeadError {
    /// There is no store.
    #[error("{} holds no store", data_dir.display())]
    NoStore {
        /// The directory.
        data_dir: PathBuf,
    },
    /// The store cannot be opened.
    #[error("the store in {} cannot be opened", data_dir.display())]
    Open {
        /// The directory.
        data_dir: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    /// What it keeps cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It keeps none.
    #[error("the store in {} knows of no audit trail", data_dir.display())]
    NoTrail {
        /// The directory.
        data_dir: PathBuf,
    },
}

/// Reads what a store last kept of its audit trail's end.
///
/// # Errors
/// [`StoredHeadError`]; a store that a running server has open is not read.
pub async fn stored_head(data_dir: &Path) -> Result<Head, StoredHeadError> {
    let data_dir = data_dir.to_owned();
    // Opening one would make one.
    if !data_dir.join(DATABASE_FILE).is_file() {
        return Err(StoredHeadError::NoStore { data_dir });
    }
    let store = match SqliteStore::open(&data_dir) {
        Ok(store) => store,
        Err(source) => return Err(StoredHeadError::Open { data_dir, source }),
    };
    let kept = store.get(key::AUDIT_HEAD).await;
    store.close().await;
    match kept? {
        Some(record) => Ok(decode::<AuditHead>(key::AUDIT_HEAD, &record.value)?.head),
        None => Err(StoredHeadError::NoTrail { data_dir }),
    }
}
