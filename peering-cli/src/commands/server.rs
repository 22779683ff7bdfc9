//! `peering server`: runs a server until it is told to stop.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use peering_server::config::env::{CONFIG_FILE, FLAGS_ALONE, PREFIX, VARIABLES, is_unknown};
use peering_server::config::{Config, LogFormat, LogLevel, Mistake, Mistakes, Settings};
use peering_server::listen::ListenAddress;
use peering_server::logs;
use peering_server::server::Server as Running;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing::{error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::args::go_bool;
use crate::commands::error::CommandError;
use crate::data_dir::{current_uid, default_data_dir};
use crate::output::escape::line;
use crate::output::log::Guarded;
use crate::world::{Environment, World};

/// What the names of our crates begin with.
const OWN_CRATES: &str = "peering";

/// Flags of `server`.
#[derive(Debug, Clone, Args)]
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
  flag's name in capitals, such as PEERING_SERVER_DATA_DIR. Two are flags alone,
  since they are meant for one start: -after-restore and -check.",
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
    /// Where the audit trail goes: a `file`, stdout, both by giving it twice, or off; audit.log in the data directory by
    /// default.
    #[arg(long, value_name = "value")]
    audit_log: Vec<String>,
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
    /// `duration` for which a peering token can be used if none is asked for, such as 24h.
    #[arg(long, value_name = "value")]
    token_ttl_default: Option<String>,
    /// Longest `duration` for which a peering token can be used.
    #[arg(long, value_name = "value")]
    token_ttl_max: Option<String>,
    /// `duration` for which a token is listed after it ended; 720h by default.
    #[arg(long, value_name = "value")]
    token_retention: Option<String>,
    /// Void every unredeemed token before anybody is served: for the first start after the store was restored from a
    /// backup.
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value = "false", hide_default_value = true,
        value_parser = go_bool::parse)]
    after_restore: bool,
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
}

impl Server {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let config = Config { after_restore: self.after_restore, ..self.read_settings(world.environment)? };
        let unknown = unknown_variables(world);
        if self.check {
            if let Some(unknown) = unknown {
                world.output.message(&format!("Warning: {unknown}"));
            }
            Running::check(&config).map_err(CommandError::Start)?;
            return Ok(world.output.result("The settings are good.")?);
        }
        let log = start_log(config.log_level, config.log_format);
        if let Some(unknown) = unknown {
            warn!("{unknown}");
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
        let served = runtime.block_on(self.serve(config, &log, world));
        // Whoever still waits to write to standard output, which nobody reads, is not waited for.
        runtime.shutdown_background();
        served
    }

    fn config_file(&self, environment: Environment<'_>) -> Option<PathBuf> {
        let named =
            || environment(&format!("{PREFIX}{CONFIG_FILE}")).filter(|path| !path.is_empty()).map(PathBuf::from);
        self.config_file.clone().or_else(named)
    }

    /// Reads flags, then variables, then the file, and checks them.
    fn read_settings(&self, environment: Environment<'_>) -> Result<Config, Mistakes> {
        let look_up = |name: &str| environment(name).and_then(|value| value.into_string().ok());
        let (variables, mut mistakes) = Settings::from_env(look_up);
        mistakes.extend(unreadable(environment));
        mistakes.extend(flags_as_variables(environment));
        let file = self.config_file(environment);
        let flags = self.settings();
        let in_file = file.as_deref().map(Settings::from_file).transpose().unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        });
        let mut settings = flags.clone().or(variables.clone()).or(in_file.clone().unwrap_or_default());
        if settings.data_dir.is_none() {
            settings.data_dir = current_uid().ok().and_then(|uid| default_data_dir(environment, uid));
        }
        let resolved = settings.resolve();
        all_or_nothing(
            mistakes,
            resolved.map_err(|wrong| wrong.blamed(&flags, &variables, file.as_deref().zip(in_file.as_ref()))),
        )
    }

    async fn serve(&self, config: Config, log: &LogLevels, world: &mut World<'_>) -> Result<(), CommandError> {
        // Signals are caught before anything is opened, so that none finds a server half way.
        let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Runtime)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(CommandError::Runtime)?;
        let prints_trail = config.audit.stdout;
        let server = Running::start(config).await.map_err(|error| CommandError::Start(Box::new(error)))?;
        // Standard output that holds a trail holds nothing else, so that it can be verified as it is.
        match ready_line(&server) {
            ready if prints_trail => world.output.message(&ready),
            ready => world.output.result(&ready)?,
        }
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload(&server, log, world.environment),
            }
        }
        tokio::select! {
            () = server.shutdown() => Ok(()),
            _ = terminate.recv() => Err(CommandError::Interrupted),
            _ = interrupt.recv() => Err(CommandError::Interrupted),
        }
    }

    /// Reads the settings again and takes on what a running server can. A mistake leaves everything as it was.
    fn reload(&self, server: &Running, log: &LogLevels, environment: Environment<'_>) {
        // A pipe can be read once: the second time it would look like a file without settings.
        let is_pipe = |path: &PathBuf| path.metadata().is_ok_and(|found| !found.is_file());
        if let Some(path) = self.config_file(environment).filter(is_pipe) {
            return error!(path = %path.display(), "SIGHUP: the settings file is no regular file, nothing was reloaded");
        }
        let new = match self.read_settings(environment) {
            Ok(new) => new,
            Err(mistakes) => {
                return error!(error = mistakes.to_string(), "SIGHUP: the settings are wrong, nothing was reloaded");
            }
        };
        match server.reload(&new) {
            Ok(waiting) => {
                log.set(new.log_level);
                info!("SIGHUP: certificates, log level, limits and the life of tokens were reloaded");
                if !waiting.is_empty() {
                    warn!(settings = waiting.join(", "), "SIGHUP: these settings changed too and need a restart");
                }
            }
            Err(cause) => error!(error = &cause as &dyn Error, "SIGHUP: nothing was reloaded"),
        }
    }

    fn settings(&self) -> Settings {
        let flags = self.clone();
        Settings {
            dev: flags.dev,
            data_dir: flags.data_dir,
            store: flags.store,
            keyring: flags.keyring,
            datacenter: flags.datacenter,
            node_name: flags.node_name,
            http_addr: flags.http_addr,
            http_cert: flags.http_cert,
            http_key: flags.http_key,
            peer_addr: flags.peer_addr,
            advertise: flags.advertise,
            acl: flags.acl,
            audit_log: flags.audit_log,
            allow_plaintext: flags.allow_plaintext,
            dial_deny: flags.dial_deny,
            http_max_connections: flags.http_max_connections,
            token_ttl_default: flags.token_ttl_default,
            token_ttl_max: flags.token_ttl_max,
            token_retention: flags.token_retention,
            log_level: flags.log_level,
            log_format: flags.log_format,
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
        value.to_str().is_none().then_some(Mistake::new("environment", problem))
    })
}

/// Finds variables that stand for what is a flag alone: to pass them over would be to not void the tokens of a restored
/// store, and to heed them would be to void tokens at every start.
fn flags_as_variables(environment: Environment<'_>) -> impl Iterator<Item = Mistake> + '_ {
    FLAGS_ALONE.into_iter().filter_map(move |flag| {
        let variable = format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"));
        environment(&variable).filter(|value| !value.is_empty())?;
        let problem = format!(
            "{variable} is set, which would hold for every start: unset it, and give the flag -{flag} to the one start that \
             it is meant for"
        );
        Some(Mistake::new(flag, problem))
    })
}

/// Names the variables that look like settings and are none. They are no mistake: what sets them may be none of ours.
fn unknown_variables(world: &World<'_>) -> Option<String> {
    let names = (world.variable_names)();
    let is_slip = |name: &&str| name.strip_prefix(PREFIX).is_some_and(is_unknown);
    let slips = names.iter().filter_map(|name| name.to_str()).filter(is_slip);
    let mut unknown: Vec<String> = slips.map(|name| line(name).into_owned()).collect();
    unknown.sort();
    let passed = "no setting has such a variable, and it was passed over; peering server -h lists the settings";
    (!unknown.is_empty()).then(|| format!("{}: {passed}", unknown.join(", ")))
}

/// Says in one line that the server is there, and where.
fn ready_line(server: &Running) -> String {
    let http: Vec<String> = server.http_addresses().iter().map(ListenAddress::to_string).collect();
    let advertised: Vec<String> = server.service().own_addresses().iter().map(ToString::to_string).collect();
    let voided = match server.voided() {
        None => String::new(),
        Some(1) => ", 1 unredeemed token voided".to_owned(),
        Some(voided) => format!(", {voided} unredeemed tokens voided"),
    };
    format!(
        "peering server ready: datacenter {}, http {}, peers {}, advertised as {}{voided}",
        server.service().cluster().datacenter(),
        http.join(" "),
        server.peer_address(),
        advertised.join(" ")
    )
}

/// What the log lets through, while it is written.
struct LogLevels(reload::Handle<Targets, Registry>);

impl LogLevels {
    fn set(&self, level: LogLevel) {
        // A program that has a server inside may have a log of its own; then there is none of ours to change.
        _ = self.0.reload(words_of(filter_of(level)));
    }
}

/// Sends the log to standard error.
fn start_log(level: LogLevel, format: LogFormat) -> LogLevels {
    let (words, levels) = reload::Layer::new(words_of(filter_of(level)));
    let registry = tracing_subscriber::registry().with(words);
    let lines = fmt::layer().with_ansi(false);
    // A program that has a server inside may have a log of its own already; then that one is written.
    _ = match format {
        LogFormat::Text => registry.with(lines.with_writer(Guarded::text())).try_init(),
        LogFormat::Json => registry.with(lines.json().with_writer(Guarded::json())).try_init(),
    };
    LogLevels(levels)
}

const fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
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
