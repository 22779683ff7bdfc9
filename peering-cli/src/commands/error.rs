//! Why a verb failed, in Consul's words where Consul has some.

use std::io;

use thiserror::Error;

use crate::client::error::ClientError;
use crate::client::go_io;
use crate::client::settings::SettingsError;
use crate::commands::acl::error::AclError;
use crate::commands::audit::error::AuditError;
use crate::commands::issued::error::IssuedError;
use crate::commands::man::ManError;
use crate::commands::wait::WaitError;
use crate::exit::Exit;
use crate::output::OutputError;
use crate::output::escape::line;

/// Says why a verb failed. The text is what standard error shows.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum CommandError {
    /// A flag that the verb cannot do without is missing or empty.
    #[error("Missing the required -{0} flag")]
    MissingFlag(&'static str),
    /// `-format` names no format.
    #[error("Invalid format, valid formats are {{json|pretty}}")]
    Format,
    /// The settings of the call are wrong; in the words of generate-token, list and read.
    #[error("Error connect to Consul agent: {}", line(&.0.to_string()))]
    Connect(#[source] SettingsError),
    /// The same in the words of establish and delete.
    #[error("Error connecting to Consul agent: {}", line(&.0.to_string()))]
    Connecting(#[source] SettingsError),
    /// The name is also a path of the HTTP API.
    #[error(
        "The name {0:?} is a path of the HTTP API: a peering of that name could not be read or deleted, choose another -name"
    )]
    ReservedName(String),
    /// No token was generated.
    #[error("Error generating peering token for {}: {source}", line(name))]
    Generate {
        /// Name of the peer.
        name: String,
        /// Why.
        source: ClientError,
    },
    /// No token was generated, since the server knows of no end.
    #[error("Error generating peering token for {}: this server knows no -ttl: tokens of a Consul do not end", line(.0))]
    Endless(String),
    /// There is nothing to inspect.
    #[error("Missing the token to inspect: give the token, its file, or - for standard input")]
    MissingToken,
    /// `-format` of `inspect` names no format.
    #[error("Invalid format, valid formats are {{json|pretty|yaml}}")]
    InspectFormat,
    /// The inspected token may fail where it is used; the report says why.
    #[error("The token may fail where it is used")]
    Doubtful,
    /// The inspected token cannot be used; the report says why.
    #[error("The token cannot be used")]
    Unusable,
    /// What was inspected is no token.
    #[error("This is no token")]
    NoToken,
    /// The same, when a file may have been meant.
    #[error("This is no token; there is no file of that name either")]
    NoTokenNoFile,
    /// The peering token is given twice.
    #[error("Only one of -peering-token and -peering-token-file can be given")]
    TwoTokens,
    /// The file of the peering token cannot be read.
    #[error("Error reading the peering token from {}: {}", line(place), go_io::reason(source))]
    TokenFile {
        /// The file, or standard input.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The file of the peering token holds more than a token.
    #[error("Error reading the peering token from {}: expected at most {bytes_max} bytes", line(place))]
    TokenTooLarge {
        /// The file, or standard input.
        place: String,
        /// Most bytes that are read.
        bytes_max: u64,
    },
    /// The file of the peering token is empty.
    #[error("Error reading the peering token from {}: there is none", line(place))]
    TokenMissing {
        /// The file, or standard input.
        place: String,
    },
    /// There are different peering tokens, and which one is meant cannot be told.
    #[error("Error reading the peering token from {}: there are several, give only the one that is meant", line(place))]
    SeveralTokens {
        /// The file, standard input, or the flag.
        place: String,
    },
    /// The server did not establish the peering.
    #[error("Error establishing peering for {}: {source}{}", line(name), doubt.as_ref().map(|told| format!("\nNote: {told}")).unwrap_or_default())]
    Establish {
        /// Name of the peer.
        name: String,
        /// Why.
        source: ClientError,
        /// What is wrong with the token, if the server refused it and that can be seen by looking at it.
        doubt: Option<String>,
    },
    /// The peering was established and did not become active in time.
    #[error("Error waiting for peering with {}: {source}", line(name))]
    Wait {
        /// Name of the peer.
        name: String,
        /// Why.
        source: WaitError,
    },
    /// The peerings were not listed.
    #[error("Error listing peerings: {0}")]
    List(#[source] ClientError),
    /// Signals cannot be caught.
    #[error("Error preparing to watch: {0}")]
    Watch(#[source] io::Error),
    /// The peering was not read.
    #[error("Error reading peering: {0}")]
    Read(#[source] ClientError),
    /// There is no such peering.
    #[error("No peering with name {} found.", line(.0))]
    Absent(String),
    /// The peering was not deleted.
    #[error("Error deleting peering for {}: {source}", line(name))]
    Delete {
        /// Name of the peer.
        name: String,
        /// Why.
        source: ClientError,
    },
    /// A verb of access control failed.
    #[error(transparent)]
    Acl(Box<AclError>),
    /// A verb about the audit trail failed.
    #[error(transparent)]
    Audit(Box<AuditError>),
    /// A verb about issued tokens failed.
    #[error(transparent)]
    Issued(Box<IssuedError>),
    /// `completion` knows no such shell.
    #[error("Missing the shell: expected one of {0}")]
    NoShell(String),
    /// `man` has no directory to write to.
    #[error("Missing the directory for the pages, such as /usr/local/share/man/man1")]
    NoManDirectory,
    /// The pages were not written.
    #[error(transparent)]
    Man(#[from] ManError),
    /// Settings of a server are wrong; all of them are listed.
    #[cfg(feature = "server")]
    #[error("The settings of the server are wrong:\n{0}")]
    Settings(#[from] peering_server::config::Mistakes),
    /// The operating system did not give what a server needs.
    #[cfg(feature = "server")]
    #[error("Error preparing to run: {0}")]
    Runtime(#[source] io::Error),
    /// A server could not start.
    #[cfg(feature = "server")]
    #[error("Error starting the server: {}", peering_server::causes::chain(.0))]
    Start(#[source] Box<peering_server::server::StartError>),
    /// A second signal came while a server was stopping.
    #[cfg(feature = "server")]
    #[error("Stopped at once: streams were not ended cleanly")]
    Interrupted,
    /// The demonstration failed.
    #[cfg(feature = "server")]
    #[error(transparent)]
    Quickstart(#[from] crate::commands::quickstart::QuickstartError),
    /// No backup was made.
    #[cfg(feature = "server")]
    #[error("Error making the backup: {}", line(&peering_server::causes::chain(.0)))]
    Backup(#[source] Box<peering_server::store::sqlite::BackupError>),
    /// `backup` has no file to write to.
    #[cfg(feature = "server")]
    #[error("Missing the file for the backup, such as /var/backups/peering-2026-01-31.sqlite")]
    NoBackupFile,
    /// `backup` was to write to a stream.
    #[cfg(feature = "server")]
    #[error("A backup is a file that is checked after it was written, and cannot go to standard output: name a file")]
    BackupStream,
    /// Nobody said where a server keeps its data.
    #[cfg(feature = "server")]
    #[error("Missing the directory of the server: give -data-dir, or set HOME or XDG_STATE_HOME")]
    NoDataDirectory,
    /// The keyring was not read or changed.
    #[cfg(feature = "server")]
    #[error("Error using the keyring: {}", line(&peering_server::causes::chain(.0)))]
    Keyring(#[source] Box<peering_server::keyring::KeyringError>),
    /// The result was not printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl CommandError {
    /// Returns how the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Audit(error) => match **error {
                AuditError::Unvouched
                | AuditError::UnknownKeys(_)
                | AuditError::Overdue
                | AuditError::HeadBefore
                | AuditError::BeginsLate(_) => Exit::Unvouched,
                AuditError::Changed => Exit::Changed,
                _ => Exit::Failure,
            },
            Self::Doubtful => Exit::Warning,
            Self::NoToken | Self::NoTokenNoFile => Exit::NoToken,
            _ => Exit::Failure,
        }
    }
}

impl From<AuditError> for CommandError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Output(error) => Self::Output(error),
            error => Self::Audit(Box::new(error)),
        }
    }
}

impl From<AclError> for CommandError {
    fn from(error: AclError) -> Self {
        match error {
            AclError::Output(error) => Self::Output(error),
            error => Self::Acl(Box::new(error)),
        }
    }
}

impl From<IssuedError> for CommandError {
    fn from(error: IssuedError) -> Self {
        Self::Issued(Box::new(error))
    }
}

/// Returns the value of a flag that the verb cannot do without.
///
/// # Errors
/// [`CommandError::MissingFlag`] if it is missing or empty.
pub(crate) fn required(value: Option<String>, flag: &'static str) -> Result<String, CommandError> {
    value.filter(|value| !value.is_empty()).ok_or(CommandError::MissingFlag(flag))
}

/// Refuses names under which a peering could be made but neither read nor deleted.
///
/// # Errors
/// [`CommandError::ReservedName`] for `token` and `establish`.
pub(crate) fn not_reserved(name: String) -> Result<String, CommandError> {
    if matches!(name.as_str(), "token" | "establish") { Err(CommandError::ReservedName(name)) } else { Ok(name) }
}
