//! `peering audit key`: what checks the signatures of an audit trail.

#[cfg(feature = "server")]
use std::path::PathBuf;

use clap::Args;
use peering_core::api::audit::AuditKey;

use crate::args::http::HttpFlags;
use crate::commands::audit::error::{AuditError, explained};
use crate::commands::audit::keys;
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::world::World;

/// Flags of `audit key`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering audit key [options]",
    about = "Show the public keys that check the audit trail",
    long_about = "  Show the public halves of the keys that sign the audit trail, in PEM, the
  current one first; of a keyring that is the newest, with which a running server
  signs from its next start on. Keep them away from the server: whoever can change the trail
  should not be the one who says what checks it.

  Example:

    $ peering audit key > audit-key.pem",
    args_override_self = true
)]
pub(crate) struct Key {
    #[command(flatten)]
    http: HttpFlags,
    #[cfg(feature = "server")]
    #[arg(long, value_name = "file", help = "The `file` of a keyring to read instead of asking a server.")]
    keyring: Option<PathBuf>,
    #[arg(long, value_name = "string", default_value = "pretty", help = "How the keys are printed: pretty or json.")]
    format: String,
}

impl Key {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AuditError> {
        let format = Format::parse(&self.format).map_err(|_| AuditError::Format)?;
        let keys = self.keys(world)?;
        match format {
            Format::Json => world.output.json(&keys)?,
            Format::Pretty => {
                let blocks: Vec<String> = keys.iter().map(|key| block(key, self.current())).collect();
                world.output.result(&blocks.join("\n"))?;
            }
        }
        Ok(())
    }

    /// Says what is true of the current key: of a running server, which may be older than its keyring, a file tells nothing.
    const fn current(&self) -> &'static str {
        #[cfg(feature = "server")]
        if self.keyring.is_some() {
            return ", the newest, signs from the next start on";
        }
        ", signs now"
    }

    fn keys(&self, world: &World<'_>) -> Result<Vec<AuditKey>, AuditError> {
        #[cfg(feature = "server")]
        if let Some(path) = &self.keyring {
            return of_keyring(path);
        }
        let session = Session::open(&self.http, world)?;
        session.run(session.client.audit_keys()).map_err(|error| explained(error, AuditError::Keys))
    }
}

#[cfg(feature = "server")]
fn of_keyring(path: &std::path::Path) -> Result<Vec<AuditKey>, AuditError> {
    use peering_server::entropy::SystemEntropy;
    use peering_server::keyring::{Keyring, Label, PublicKey};

    let failed = |error| AuditError::Keyring(Box::new(error));
    let keyring = Keyring::open(path, std::sync::Arc::new(SystemEntropy)).map_err(failed)?;
    let shown =
        |key: PublicKey| AuditKey { id: key.id.to_string(), is_current: key.is_current, public_key: key.to_base64() };
    Ok(keyring.public_keys(Label::AuditCheckpoint).map_err(failed)?.into_iter().map(shown).collect())
}

/// Words before a block of PEM are passed over by whoever reads it.
fn block(key: &AuditKey, current: &str) -> String {
    let current = if key.is_current { current } else { "" };
    format!("Key {}{current}:\n{}", key.id, keys::pem(&key.public_key))
}
