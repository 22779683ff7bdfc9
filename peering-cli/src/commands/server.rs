//! `peering server`: runs a server until it is told to stop.

use std::path::PathBuf;

use clap::Args;
use peering_server::config::env::{PREFIX, VARIABLES};
use peering_server::config::{Config, LogFormat, LogLevel, Mistake, Mistakes, Settings};
use peering_server::listen::ListenAddress;
use peering_server::logs;
use peering_server::server::Server as Running;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::Leftovers;
use crate::args::go_bool;
use crate::commands::error::CommandError;
use crate::data_dir::{current_uid, default_data_dir};
use crate::output::log::Guarded;
use crate::world::{Environment, World};

/// What the names of our crates begin with.
const OWN_CRATES: &str = "peering";
/// Names the settings file where no flag does.
const CONFIG_FILE: &str = "PEERING_SERVER_CONFIG_FILE";

/// Flags of `server`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering server [options]",
    about = "Run a server",
    long_about = "  Run a server: it generates and uses peering tokens, accepts peer streams and
  keeps them open.

  For a look around, without keeping anything:

    $ peering server -dev

  To keep what it knows in a directory:

    $ peering server -data-dir ./data

  The first start writes a token that may do everything to management-token in that
  directory.

  Every flag can be given as an environment variable too: PEERING_SERVER_ and the
  flag's name in capitals, such as PEERING_SERVER_DATA_DIR.",
    args_override_self = true
)]
pub(crate) struct Server {
    /// `file` of settings in TOML, such as data_dir = "/var/lib/peering"; flags and variables win.
    #[arg(long, value_name = "value")]
    config_file: Option<PathBuf>,
    /// Run for development: keep everything in memory, listen on loopback alone, access control off.
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = go_bool::parse)]
    dev: Option<bool>,
    /// Directory of the store, the keyring, the management token and api.sock.
    #[arg(long, value_name = "value")]
    data_dir: Option<PathBuf>,
    /// Where facts are kept: sqlite or memory.
    #[arg(long, value_name = "value")]
    store: Option<String>,
    /// File of the keyring; keyring in the data directory by default.
    #[arg(long, value_name = "value")]
    keyring: Option<PathBuf>,
    /// Name of this datacenter; dc1 by default.
    #[arg(long, value_name = "value")]
    datacenter: Option<String>,
    /// Name of this server; the machine's name by default.
    #[arg(long, value_name = "value")]
    node_name: Option<String>,
    /// `address` of the HTTP API: host:port, https://host:port or unix:///path. Can be given many times.
    #[arg(long, value_name = "value")]
    http_addr: Vec<String>,
    /// `file` of the certificate for https addresses, in PEM, followed by those that lead to its root.
    #[arg(long, value_name = "value")]
    http_cert: Option<PathBuf>,
    /// `file` of that certificate's key, in PEM.
    #[arg(long, value_name = "value")]
    http_key: Option<PathBuf>,
    /// `address` of the listener for peers.
    #[arg(long, value_name = "value")]
    peer_addr: Option<String>,
    /// `host` and perhaps port at which peers reach this server; goes into tokens. Can be given many times.
    #[arg(long, value_name = "value")]
    advertise: Vec<String>,
    /// Access control: deny (the default: what no rule allows is denied), allow, or off.
    #[arg(long, value_name = "value")]
    acl: Option<String>,
    /// Use tokens without CA too, so that their streams are not encrypted.
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = go_bool::parse)]
    allow_plaintext: Option<bool>,
    /// `network` that is never dialed, such as 10.0.0.0/8. Can be given many times.
    #[arg(long, value_name = "value")]
    dial_deny: Vec<String>,
    /// Most connections at a time on each address of the HTTP API; 8192 by default.
    #[arg(long, value_name = "value")]
    http_max_connections: Option<String>,
    /// How much is logged: error, warn, info, debug or trace.
    #[arg(long, value_name = "value")]
    log_level: Option<String>,
    /// How the log is written: text or json.
    #[arg(long, value_name = "value")]
    log_format: Option<String>,
    /// Check the settings and stop.
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value = "false", hide_default_value = true,
        value_parser = go_bool::parse)]
    check: bool,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Server {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let check = self.check;
        let environment = world.environment;
        let look_up = |name: &str| environment(name).and_then(|value| value.into_string().ok());
        let (weaker, mut mistakes) = Settings::from_env(look_up);
        mistakes.extend(unreadable(environment));
        let file = self
            .config_file
            .clone()
            .or_else(|| environment(CONFIG_FILE).filter(|it| !it.is_empty()).map(PathBuf::from));
        let mut settings = self.into_settings().or(weaker);
        match file.as_deref().map(Settings::from_file).transpose() {
            Ok(weakest) => settings = settings.or(weakest.unwrap_or_default()),
            Err(mistake) => mistakes.push(mistake),
        }
        if settings.data_dir.is_none() {
            settings.data_dir = current_uid().ok().and_then(|uid| default_data_dir(environment, uid));
        }
        let config = all_or_nothing(mistakes, settings.resolve())?;
        if check {
            return Ok(world.output.result("The settings are good.")?);
        }
        start_log(config.log_level, config.log_format);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
        runtime.block_on(serve(config, world))
    }

    fn into_settings(self) -> Settings {
        Settings {
            dev: self.dev,
            data_dir: self.data_dir,
            store: self.store,
            keyring: self.keyring,
            datacenter: self.datacenter,
            node_name: self.node_name,
            http_addr: self.http_addr,
            http_cert: self.http_cert,
            http_key: self.http_key,
            peer_addr: self.peer_addr,
            advertise: self.advertise,
            acl: self.acl,
            allow_plaintext: self.allow_plaintext,
            dial_deny: self.dial_deny,
            http_max_connections: self.http_max_connections,
            log_level: self.log_level,
            log_format: self.log_format,
        }
    }
}

/// Passes checked settings on only if no mistake was made anywhere.
fn all_or_nothing(mut mistakes: Vec<Mistake>, resolved: Result<Config, Mistakes>) -> Result<Config, Mistakes> {
    match resolved {
        Ok(config) if mistakes.is_empty() => Ok(config),
        Ok(_) => Err(Mistakes(mistakes)),
        Err(Mistakes(more)) => {
            mistakes.extend(more);
            Err(Mistakes(mistakes))
        }
    }
}

/// Finds variables that are no text: to pass them over would start a server with other settings than were meant.
fn unreadable(environment: Environment<'_>) -> impl Iterator<Item = Mistake> + '_ {
    VARIABLES.iter().filter_map(move |(name, _)| {
        let value = environment(&format!("{PREFIX}{name}"))?;
        let problem = format!("{PREFIX}{name} is not UTF-8 text");
        value.to_str().is_none().then_some(Mistake { setting: "environment", problem })
    })
}

async fn serve(config: Config, world: &mut World<'_>) -> Result<(), CommandError> {
    // Signals are caught before anything is opened, so that none finds a server half way.
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Runtime)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(CommandError::Runtime)?;
    let server = Running::start(config).await.map_err(|error| CommandError::Start(Box::new(error)))?;
    world.output.result(&ready_line(&server))?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // A closed terminal must not cut streams.
            _ = hang_up.recv() => info!("SIGHUP: there is nothing to reload"),
        }
    }
    tokio::select! {
        () = server.shutdown() => Ok(()),
        _ = terminate.recv() => Err(CommandError::Interrupted),
        _ = interrupt.recv() => Err(CommandError::Interrupted),
    }
}

/// Says in one line that the server is there, and where.
fn ready_line(server: &Running) -> String {
    let http: Vec<String> = server.http_addresses().iter().map(ListenAddress::to_string).collect();
    let advertised: Vec<String> = server.service().own_addresses().iter().map(ToString::to_string).collect();
    format!(
        "peering server ready: datacenter {}, http {}, peers {}, advertised as {}",
        server.service().cluster().datacenter(),
        http.join(" "),
        server.peer_address(),
        advertised.join(" ")
    )
}

/// Sends the log to standard error.
fn start_log(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    // A program that has a server inside may have a log of its own already; then that one is written.
    let _ = match format {
        LogFormat::Text => log.with_writer(Guarded::text()).finish().with(words_of(level)).try_init(),
        LogFormat::Json => log.json().with_writer(Guarded::json()).finish().with(words_of(level)).try_init(),
    };
}

/// Lets our own words into the log, and those of libraries only where somebody looks for a fault: the HTTP/2 library
/// warns of every odd frame, so that a stranger could fill the log.
fn words_of(level: LevelFilter) -> Targets {
    let libraries = if level >= LevelFilter::DEBUG { level } else { LevelFilter::ERROR };
    let named = logs::ALL.map(|name| (name, level));
    Targets::new().with_default(libraries).with_target(OWN_CRATES, level).with_targets(named)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_do_not_fill_the_log_unless_somebody_looks_for_a_fault() {
        let info = words_of(LevelFilter::INFO);
        assert!(info.would_enable("peering_server::listen::accept", &Level::INFO));
        assert!(!info.would_enable("peering_server::listen::accept", &Level::DEBUG));
        for name in logs::ALL {
            assert!(info.would_enable(name, &Level::INFO) && !info.would_enable(name, &Level::DEBUG), "{name}");
        }
        assert!(!info.would_enable("h2::proto::ping_pong", &Level::WARN));
        assert!(info.would_enable("h2::proto::ping_pong", &Level::ERROR));
        assert!(words_of(LevelFilter::DEBUG).would_enable("h2::proto::ping_pong", &Level::DEBUG));
        assert!(!words_of(LevelFilter::ERROR).would_enable("peering_server", &Level::WARN));
    }
}
