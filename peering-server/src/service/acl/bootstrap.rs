//! The first management token: made at a start that finds none, written to a file, and handed out once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use peering_core::acl::{ANONYMOUS_ACCESSOR, ANONYMOUS_SECRET, AclChange, Builtin, GLOBAL_MANAGEMENT_ID, Token};
use peering_core::id::IdError;
use peering_core::id::TokenId;
use peering_core::secret::AclSecret;
use peering_core::transition::Origin;
use rustix::process::geteuid;
use thiserror::Error;
use uuid::Uuid;

use super::lookup::Found;
use super::{AclError, TokenView};
use crate::bounds::{ACL_PAGE_ROWS, COMMIT_ATTEMPTS_MAX};
use crate::service::access::Actor;
use crate::service::refusals::Refused;
use crate::service::{Service, ServiceError};
use crate::store::key;
use crate::store::record::{AclBootstrap, AclPointer, Kept, StoredAclToken, decode};

/// What a bootstrapped token is called; Consul's words.
const DESCRIPTION: &str = "Bootstrap Token (Global Management)";
/// Mode of the file: whoever reads it may do everything.
const FILE_MODE: u32 = 0o600;

/// Says why there is no first management token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ManagementTokenError {
    /// Its file cannot be written.
    #[error("the management token cannot be written to {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The store cannot be used.
    #[error("tokens and policies cannot be made")]
    Service(#[source] Box<ServiceError>),
}

impl From<ServiceError> for ManagementTokenError {
    fn from(error: ServiceError) -> Self {
        Self::Service(Box::new(error))
    }
}

impl Service {
    /// Makes what access control needs and the store lacks: the built-in policies, the anonymous token, and a management
    /// token, whose secret is written to a file before anything relies on it.
    ///
    /// # Errors
    /// [`ManagementTokenError`]; then there is no new token.
    pub async fn prepare_access(&self, file: Option<&Path>) -> Result<(), ManagementTokenError> {
        self.make_builtins().await?;
        if self.has_management_token().await? {
            return Ok(());
        }
        let secret = AclSecret::from_random(self.entropy.bytes16());
        if let Some(path) = file {
            write_durably(path, secret.expose())
                .map_err(|source| ManagementTokenError::File { path: path.to_owned(), source })?;
        }
        Ok(self.make_management_token(&secret).await?)
    }

    async fn make_builtins(&self) -> Result<(), ServiceError> {
        for builtin in Builtin::ALL {
            let (id, policy) = (builtin.id(), builtin.policy());
            let change = AclChange::PolicyCreated { id, name: policy.name.clone() };
            let found_by = key::acl_policy_name(&policy.name);
            self.make(change, (&key::acl_policy(id), &policy), (&found_by, id)).await?;
        }
        let (accessor, secret) = (ANONYMOUS_ACCESSOR, AclSecret::from_text(ANONYMOUS_SECRET));
        let token = self.new_token(accessor, &secret, "Anonymous Token", Vec::new());
        let stored = StoredAclToken { token, sealed: None };
        let found_by = key::acl_secret(&secret.hash());
        let change = AclChange::TokenCreated { accessor };
        self.make(change, (&key::acl_token(accessor), &stored), (&found_by, accessor)).await
    }

    /// Makes a record and what leads to it, unless it is there: of several servers that start together one makes it.
    async fn make<T: Kept>(
        &self,
        what: AclChange,
        (key, value): (&str, &T),
        (found_by, id): (&str, Uuid),
    ) -> Result<(), ServiceError> {
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            if self.store.get(key).await?.is_some() {
                return Ok(());
            }
            let mut change = self.acl_change(Origin::default(), what.clone());
            change.put(key, None, value)?;
            change.put(found_by, None, &AclPointer { id })?;
            if self.commit_acl(change).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    async fn has_management_token(&self) -> Result<bool, ServiceError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.store.range(key::ACL_TOKENS, ACL_PAGE_ROWS, after.as_deref()).await?;
            for record in &page.records {
                let StoredAclToken { token, .. } = decode(&record.key, &record.value)?;
                let is_anonymous = token.accessor == ANONYMOUS_ACCESSOR;
                if !is_anonymous
                    && token.policies.contains(&GLOBAL_MANAGEMENT_ID)
                    && !token.is_expired(self.clock.now())
                {
                    return Ok(true);
                }
            }
            after = page.records.last().map(|record| record.key.clone());
            if !page.more {
                return Ok(false);
            }
        }
    }

    async fn make_management_token(&self, secret: &AclSecret) -> Result<(), ServiceError> {
        let accessor = self.entropy.uuid();
        let token = self.new_token(accessor, secret, DESCRIPTION, vec![GLOBAL_MANAGEMENT_ID]);
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let before = self.bootstrap_record().await?.map(|found| found.modified);
            let mut change = self.acl_change(Origin::default(), AclChange::ManagementTokenMade { accessor });
            let sealed = Some(self.seal_secret(accessor, secret)?);
            change.put(&key::acl_token(accessor), None, &StoredAclToken { token: token.clone(), sealed })?;
            change.put(&key::acl_secret(&secret.hash()), None, &AclPointer { id: accessor })?;
            change.put(key::ACL_BOOTSTRAP, before, &AclBootstrap { accessor, done: false })?;
            if self.commit_acl(change).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    fn new_token(&self, accessor: Uuid, secret: &AclSecret, description: &str, policies: Vec<Uuid>) -> Token {
        Token {
            accessor,
            secret: secret.hash(),
            description: description.to_owned(),
            policies,
            local: false,
            expires: None,
            created: self.clock.now(),
        }
    }

    async fn bootstrap_record(&self) -> Result<Option<Found<AclBootstrap>>, ServiceError> {
        let Some(record) = self.store.get(key::ACL_BOOTSTRAP).await? else { return Ok(None) };
        let stored = decode(key::ACL_BOOTSTRAP, &record.value)?;
        Ok(Some(Found { stored, created: record.created, modified: record.modified }))
    }

    /// Hands out the first management token, once: to whoever knows its secret, or to the server's own user over a unix
    /// socket.
    ///
    /// # Errors
    /// [`AclError::BootstrapOver`] the second time, [`AclError::BootstrapSecret`] and [`AclError::BootstrapRemote`] for
    /// others.
    pub async fn bootstrap_acl(&self, actor: &Actor, given: &AclSecret) -> Result<TokenView, ServiceError> {
        self.access_is_on()?;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let over = |index| ServiceError::from(AclError::BootstrapOver { index });
            let Some(found) = self.bootstrap_record().await? else { return Err(over(0)) };
            if found.stored.done {
                return Err(over(found.modified));
            }
            let accessor = found.stored.accessor;
            let Some(token) = self.token_by_accessor(accessor).await? else { return Err(over(found.modified)) };
            self.check_bootstrapper(actor, given, &token)?;
            let mut change = self.acl_change(actor.origin(), AclChange::Bootstrapped { accessor });
            change.put(key::ACL_BOOTSTRAP, Some(found.modified), &AclBootstrap { accessor, done: true })?;
            if self.commit_acl(change).await? {
                return self.view_token(token, true, &mut Default::default()).await;
            }
        }
        Err(ServiceError::Contended { attempts: COMMIT_ATTEMPTS_MAX })
    }

    fn check_bootstrapper(&self, actor: &Actor, given: &AclSecret, token: &Found) -> Result<(), AclError> {
        let refused = if given.is_empty() {
            if actor.user == Some(geteuid().as_raw()) {
                return Ok(());
            }
            AclError::BootstrapRemote
        } else {
            check_form(given.expose()).map_err(AclError::BootstrapForm)?;
            if given.hash() == token.stored.token.secret {
                return Ok(());
            }
            AclError::BootstrapSecret
        };
        self.tally(Refused::of("acl_bootstrap", actor.origin()));
        if let Some(times) = self.refusals.note(actor.source, "acl_bootstrap") {
            let source = actor.source.map(|source| source.to_string());
            tracing::warn!(source, times, "an ACL bootstrap was refused");
        }
        Err(refused)
    }

    /// Refuses everything about tokens and policies where access control is off.
    ///
    /// # Errors
    /// [`AclError::Disabled`].
    pub fn access_is_on(&self) -> Result<(), AclError> {
        if self.access.mode == crate::config::AclMode::Off { Err(AclError::Disabled) } else { Ok(()) }
    }
}

/// Says what Consul's library for UUIDs says of a text that is none.
fn check_form(text: &str) -> Result<(), &'static str> {
    let parsed: Result<TokenId, IdError> = text.parse();
    match parsed {
        Ok(_) => Ok(()),
        Err(IdError { bytes: 36, .. }) => Err("uuid is improperly formatted"),
        Err(_) => Err("uuid string is wrong length"),
    }
}

/// Writes a file for its owner alone, whole or not at all. When this returns, file and name are durable.
fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let mut draft_name = path.as_os_str().to_owned();
    draft_name.push(".draft");
    let draft = Path::new(&draft_name);
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(draft, path));
    if written.is_err() {
        let _ = fs::remove_file(draft);
    }
    written?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_file_is_for_its_owner_alone_and_replaces_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("management-token");
        fs::write(&path, "older").unwrap();
        fs::write(directory.path().join("management-token.draft"), "left over").unwrap();
        write_durably(&path, "secret").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(write_durably(&directory.path().join("no/such"), "secret").is_err());
    }

    #[test]
    fn a_secret_of_another_form_is_refused_in_the_words_of_consuls_library() {
        assert_eq!(check_form("11111111-2222-3333-4444-555555555555"), Ok(()));
        assert_eq!(check_form("foo"), Err("uuid string is wrong length"));
        assert_eq!(check_form("zz111111-2222-3333-4444-555555555555"), Err("uuid is improperly formatted"));
    }
}
