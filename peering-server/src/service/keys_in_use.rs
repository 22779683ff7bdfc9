//! Whether a keyring has every key that sealed something in a store.

use std::collections::BTreeSet;
use std::fmt;

use crate::keyring::{KeyId, Keyring};
use crate::store::record::{SEALED_DIRECTORIES, sealed_by};
use crate::store::{Store, StoreError};

/// Records read from the store at once.
const PAGE_ROWS: usize = 256;
/// Most missing keys that are named: more than anybody rotates in before looking.
const MISSING_KEYS_NAMED_MAX: usize = 8;

/// Keys that sealed something in a store and are not on a keyring; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKeys {
    /// Their ids, as many as are named.
    ids: BTreeSet<String>,
    /// Whether there are more.
    has_more: bool,
}

impl fmt::Display for MissingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = if self.ids.len() == 1 { "key " } else { "keys " };
        for id in &self.ids {
            write!(f, "{before}{id}")?;
            before = ", ";
        }
        if self.has_more { f.write_str(" and more") } else { Ok(()) }
    }
}

/// Looks at the key of everything sealed in the rows of a store; nothing is unsealed. Returns the keys that the keyring
/// has not.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub async fn missing_keys(store: &dyn Store, keyring: &Keyring) -> Result<Option<MissingKeys>, StoreError> {
    let known: Vec<&KeyId> = keyring.ids().collect();
    let mut missing = MissingKeys { ids: BTreeSet::new(), has_more: false };
    for directory in SEALED_DIRECTORIES {
        let mut after: Option<String> = None;
        loop {
            let page = store.range(directory, PAGE_ROWS, after.as_deref()).await?;
            after = page.records.last().map(|record| record.key.clone());
            for record in page.records {
                let id = sealed_by(&record.key, &record.value).filter(|id| !known.contains(&id));
                let Some(id) = id.map(|id| id.to_string()) else { continue };
                if missing.ids.len() < MISSING_KEYS_NAMED_MAX {
                    missing.ids.insert(id);
                } else if !missing.ids.contains(&id) {
                    missing.has_more = true;
                }
            }
            if !page.more {
                break;
            }
        }
    }
    Ok((!missing.ids.is_empty()).then_some(missing))
}
