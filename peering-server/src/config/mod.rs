//! Settings of a server: raw ones from flags and environment in, one checked [`Config`] out.

pub mod env;
mod file;
mod given;
mod resolve;
mod restart;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;

use peering_core::name::Datacenter;
use serde::Deserialize;
use thiserror::Error;

use crate::bounds::HTTP_CONNECTIONS_MAX;
use crate::tls::CertificateFiles;
pub use file::CONFIG_FILE_BYTES_MAX;
pub(crate) use tokens::TOKEN_TTL_MIN;
pub use tokens::TokenPolicy;

/// Settings as they were given: every one may be missing. A settings file has the fields as its keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Memory store, loopback only, access control off.
    pub dev: Option<bool>,
    /// Where store and keyring are.
    pub data_dir: Option<PathBuf>,
    /// `sqlite` or `memory`.
    pub store: Option<String>,
    /// The keyring's file.
    pub keyring: Option<PathBuf>,
    /// Name of the datacenter.
    pub datacenter: Option<String>,
    /// Name of this server.
    pub node_name: Option<String>,
    /// Addresses of the HTTP API: `host:port`, `https://host:port` or `unix:///path`.
    #[serde(deserialize_with = "file::texts")]
    pub http_addr: Vec<String>,
    /// File of the HTTP API's certificate.
    pub http_cert: Option<PathBuf>,
    /// File of its key.
    pub http_key: Option<PathBuf>,
    /// Address of the peer listener.
    pub peer_addr: Option<String>,
    /// Where peers reach us, `host[:port]`.
    #[serde(deserialize_with = "file::texts")]
    pub advertise: Vec<String>,
    /// `deny`, `allow` or `off`.
    pub acl: Option<String>,
    /// Where the audit trail goes: a path, `stdout`, both, or `off`.
    #[serde(deserialize_with = "file::texts")]
    pub audit_log: Vec<String>,
    /// Whether tokens without CA may be used.
    pub allow_plaintext: Option<bool>,
    /// Networks that are never dialed, in CIDR form.
    #[serde(deserialize_with = "file::texts")]
    pub dial_deny: Vec<String>,
    /// Most connections on one listener of the HTTP API.
    #[serde(deserialize_with = "file::number_or_text")]
    pub http_max_connections: Option<String>,
    /// Life of a peering token for which none is asked, such as `24h`.
    pub token_ttl_default: Option<String>,
    /// Longest life of a peering token.
    pub token_ttl_max: Option<String>,
    /// How long a peering token is kept after it ended.
    pub token_retention: Option<String>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whether answers are indented and nothing is kept.
    pub dev: bool,
    /// Where facts are kept.
    pub store: StoreChoice,
    /// Name of the datacenter.
    pub datacenter: Datacenter,
    /// Name of this server.
    pub node_name: String,
    /// Addresses of the HTTP API over TCP without TLS; all are loopback.
    pub http_tcp: Vec<SocketAddr>,
    /// Addresses of the HTTP API over TLS.
    pub http_tls: Vec<SocketAddr>,
    /// The certificate for those; given if there are any.
    pub http_certificate: Option<CertificateFiles>,
    /// Paths of the HTTP API's unix sockets.
    pub http_unix: Vec<PathBuf>,
    /// Address of the peer listener.
    pub peer_addr: SocketAddr,
    /// Where peers reach us.
    pub advertise: Advertise,
    /// Who may do what without a token that says so.
    pub acl: AclMode,
    /// Where the management token that the first start makes is written; none without access control.
    pub management_token: Option<PathBuf>,
    /// Where the audit trail goes.
    pub audit: AuditLog,
    /// Whether tokens without CA may be used.
    pub allow_plaintext: bool,
    /// Networks that are never dialed.
    pub dial_deny: Vec<ipnet::IpNet>,
    /// Most connections on one listener of the HTTP API, at least 1.
    pub http_max_connections: usize,
    /// How long peering tokens live and are kept.
    pub tokens: TokenPolicy,
    /// Whether the store was restored from a backup, so that every token in it that nobody has redeemed is voided before
    /// anybody can ask for anything. No setting: it is said of one start.
    pub after_restore: bool,
    /// How much is logged.
    pub log_level: LogLevel,
    /// How it is written.
    pub log_format: LogFormat,
}

/// Whether access control is on, and what it says where no rule does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AclMode {
    /// On; what no rule allows is denied.
    Deny,
    /// On; what no rule denies is allowed, except tokens and policies.
    Allow,
    /// Off: everyone may do everything, and tokens are not looked at.
    #[default]
    Off,
}

/// Where the audit trail goes; nowhere by default.
///
/// # Examples
/// ```
/// use peering_core::name::Datacenter;
/// use peering_server::config::{AuditLog, Config};
///
/// let audit = AuditLog { file: Some("/var/log/peering/audit.log".into()), ..AuditLog::default() };
/// let config = Config { audit, ..Config::ephemeral(Datacenter::parse("dc1")?) };
/// assert!(config.audit.is_on());
/// # Ok::<(), peering_core::name::NameError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditLog {
    /// A file, made with mode 0600 if it is not there.
    pub file: Option<PathBuf>,
    /// Whether lines go to standard output.
    pub stdout: bool,
}

impl AuditLog {
    /// Says whether there is a trail at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.file.is_some() || self.stdout
    }
}

/// Where facts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// In this process, and gone with it.
    Memory,
    /// In a directory of this machine.
    Sqlite {
        /// The directory, made with mode 0700 if it is not there.
        data_dir: PathBuf,
        /// The keyring's file.
        keyring: PathBuf,
    },
}

/// Where peers reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advertise {
    /// The peer listener's address, or this machine's outward one if that is a wildcard.
    Discover,
    /// Hosts as they were given, with their ports if they had one.
    Given(Vec<(String, Option<u16>)>),
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// And everything else.
    Trace,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// One mistake in the settings: which, what came, what is expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {problem}", place.as_ref().map_or_else(|| format!("-{setting}"), Clone::clone))]
pub struct Mistake {
    /// The flag's name; its variable is `PEERING_SERVER_` and the same in capitals.
    pub setting: &'static str,
    /// Where the value was given, if by no flag.
    pub place: Option<String>,
    /// What is wrong and what to do.
    pub problem: String,
}

impl Mistake {
    /// Blames a flag.
    #[must_use]
    pub const fn new(setting: &'static str, problem: String) -> Self {
        Self { setting, place: None, problem }
    }
}

/// All mistakes in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", list(.0))]
pub struct Mistakes(pub Vec<Mistake>);

fn list(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Config {
    /// Says why the HTTP API may not listen where these settings have it, as the resolver says of each address.
    ///
    /// # Errors
    /// The first address beyond this machine that lacks TLS or access control, and what it lacks.
    pub(crate) fn check_http_addresses(&self) -> Result<(), String> {
        let plain = self.http_tcp.iter().map(|address| (address, resolve::Encryption::None));
        let tls = self.http_tls.iter().map(|address| (address, resolve::Encryption::Tls));
        plain.chain(tls).try_for_each(|(address, encryption)| resolve::may_listen(*address, encryption, self.acl))
    }

    /// Returns the settings of `-dev` on free ports of loopback: a server for tests and demonstrations, which keeps
    /// nothing.
    #[must_use]
    pub fn ephemeral(datacenter: Datacenter) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            dev: true,
            store: StoreChoice::Memory,
            datacenter,
            node_name: "peering".to_owned(),
            http_tcp: vec![loopback],
            http_tls: Vec::new(),
            http_certificate: None,
            http_unix: Vec::new(),
            peer_addr: loopback,
            advertise: Advertise::Discover,
            acl: AclMode::Off,
            management_token: None,
            audit: AuditLog::default(),
            allow_plaintext: false,
            dial_deny: Vec::new(),
            http_max_connections: HTTP_CONNECTIONS_MAX,
            tokens: TokenPolicy::default(),
            after_restore: false,
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
        }
    }
}
