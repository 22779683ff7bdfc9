//! Every environment variable of the server, and nothing else reads one.
//!
//! Each is the flag's name in capitals behind `PEERING_SERVER_`. Lists are separated by commas.

use std::path::PathBuf;

use super::{Mistake, Settings};

/// What all names begin with.
pub const PREFIX: &str = "PEERING_SERVER_";

/// The variables, each with a sentence.
pub const VARIABLES: [(&str, &str); 21] = [
    ("DEV", "true: memory store, loopback only, access control off"),
    ("DATA_DIR", "directory of store, keyring and api.sock"),
    ("STORE", "sqlite or memory"),
    ("KEYRING", "the keyring's file"),
    ("DATACENTER", "name of this datacenter"),
    ("NODE_NAME", "name of this server"),
    ("HTTP_ADDR", "addresses of the HTTP API"),
    ("HTTP_CERT", "file of the HTTP API's certificate, for its https addresses"),
    ("HTTP_KEY", "file of that certificate's key"),
    ("PEER_ADDR", "address of the peer listener"),
    ("ADVERTISE", "where peers reach this server"),
    ("ACL", "deny, allow or off"),
    ("AUDIT_LOG", "where the audit trail goes: a file, stdout, both, or off"),
    ("ALLOW_PLAINTEXT", "true: tokens without CA may be used"),
    ("DIAL_DENY", "networks that are never dialed"),
    ("HTTP_MAX_CONNECTIONS", "most connections on one listener of the HTTP API"),
    ("TOKEN_TTL_DEFAULT", "life of a peering token for which none is asked, such as 24h"),
    ("TOKEN_TTL_MAX", "longest life of a peering token"),
    ("TOKEN_RETENTION", "how long a peering token is kept after it ended; 720h by default"),
    ("LOG_LEVEL", "error, warn, info, debug or trace"),
    ("LOG_FORMAT", "text or json"),
];

/// Variable of the program `peering server` that names a settings file.
pub const CONFIG_FILE: &str = "CONFIG_FILE";

/// Flags of `peering server` that are no settings: they are said of one start, and a variable or a file would say them of
/// every start.
pub const FLAGS_ALONE: [&str; 2] = ["after-restore", "check"];

/// Returns the flag alone that a variable, by its name behind the prefix, or a key of a file would stand for.
#[must_use]
pub fn flag_alone(name: &str) -> Option<&'static str> {
    let flag = name.to_ascii_lowercase().replace('_', "-");
    FLAGS_ALONE.into_iter().find(|alone| *alone == flag)
}

/// Says whether a name behind the prefix is that of no variable of ours: most likely a slip, by which the server starts with
/// other settings than were meant.
///
/// # Examples
/// ```
/// use peering_server::config::env::is_unknown;
///
/// assert!(is_unknown("DATADIR") && !is_unknown("DATA_DIR"));
/// // Kubernetes tells of a service of the name peering-server so.
/// assert!(!is_unknown("SERVICE_HOST") && !is_unknown("PORT_8503_TCP"));
/// ```
#[must_use]
pub fn is_unknown(name: &str) -> bool {
    let is_ours = VARIABLES.iter().any(|(ours, _)| *ours == name) || name == CONFIG_FILE || flag_alone(name).is_some();
    let is_kubernetes = name.starts_with("SERVICE_") || name == "PORT" || name.starts_with("PORT_");
    !is_ours && !is_kubernetes
}

impl Settings {
    /// Reads settings with a look-up such as `|name| std::env::var(name).ok()`; an empty value counts as none.
    ///
    /// Booleans that are none count as not given and are returned as mistakes, to be reported together with those that
    /// [`Settings::resolve`] finds.
    #[must_use]
    pub fn from_env(look_up: impl Fn(&str) -> Option<String>) -> (Self, Vec<Mistake>) {
        let text = |name: &str| look_up(&format!("{PREFIX}{name}")).filter(|value| !value.is_empty());
        let list = |name: &str| -> Vec<String> {
            text(name).map(|value| value.split(',').map(|part| part.trim().to_owned()).collect()).unwrap_or_default()
        };
        let mut mistakes = Vec::new();
        let mut flag = |name: &str, setting: &'static str| match text(name).as_deref() {
            None => None,
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Some(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Some(false),
            Some(other) => {
                let problem = format!("{PREFIX}{name} is {other:?}, expected true or false");
                mistakes.push(Mistake::new(setting, problem));
                None
            }
        };
        let settings = Self {
            dev: flag("DEV", "dev"),
            allow_plaintext: flag("ALLOW_PLAINTEXT", "allow-plaintext"),
            data_dir: text("DATA_DIR").map(PathBuf::from),
            store: text("STORE"),
            keyring: text("KEYRING").map(PathBuf::from),
            datacenter: text("DATACENTER"),
            node_name: text("NODE_NAME"),
            http_addr: list("HTTP_ADDR"),
            http_cert: text("HTTP_CERT").map(PathBuf::from),
            http_key: text("HTTP_KEY").map(PathBuf::from),
            peer_addr: text("PEER_ADDR"),
            advertise: list("ADVERTISE"),
            acl: text("ACL"),
            audit_log: list("AUDIT_LOG"),
            dial_deny: list("DIAL_DENY"),
            http_max_connections: text("HTTP_MAX_CONNECTIONS"),
            token_ttl_default: text("TOKEN_TTL_DEFAULT"),
            token_ttl_max: text("TOKEN_TTL_MAX"),
            token_retention: text("TOKEN_RETENTION"),
            log_level: text("LOG_LEVEL"),
            log_format: text("LOG_FORMAT"),
        };
        (settings, mistakes)
    }

    /// Fills what is missing here from `weaker` settings.
    #[must_use]
    pub fn or(self, weaker: Self) -> Self {
        let first = |strong: Vec<String>, weak: Vec<String>| if strong.is_empty() { weak } else { strong };
        Self {
            dev: self.dev.or(weaker.dev),
            data_dir: self.data_dir.or(weaker.data_dir),
            store: self.store.or(weaker.store),
            keyring: self.keyring.or(weaker.keyring),
            datacenter: self.datacenter.or(weaker.datacenter),
            node_name: self.node_name.or(weaker.node_name),
            http_addr: first(self.http_addr, weaker.http_addr),
            http_cert: self.http_cert.or(weaker.http_cert),
            http_key: self.http_key.or(weaker.http_key),
            peer_addr: self.peer_addr.or(weaker.peer_addr),
            advertise: first(self.advertise, weaker.advertise),
            acl: self.acl.or(weaker.acl),
            audit_log: first(self.audit_log, weaker.audit_log),
            allow_plaintext: self.allow_plaintext.or(weaker.allow_plaintext),
            dial_deny: first(self.dial_deny, weaker.dial_deny),
            http_max_connections: self.http_max_connections.or(weaker.http_max_connections),
            token_ttl_default: self.token_ttl_default.or(weaker.token_ttl_default),
            token_ttl_max: self.token_ttl_max.or(weaker.token_ttl_max),
            token_retention: self.token_retention.or(weaker.token_retention),
            log_level: self.log_level.or(weaker.log_level),
            log_format: self.log_format.or(weaker.log_format),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_fills_what_no_flag_gave() {
        let env = |name: &str| match name {
            "PEERING_SERVER_DATACENTER" => Some("dc9".to_owned()),
            "PEERING_SERVER_HTTP_ADDR" => Some("127.0.0.1:1, unix:///tmp/x".to_owned()),
            "PEERING_SERVER_DEV" => Some("true".to_owned()),
            _ => None,
        };
        let flags = Settings { datacenter: Some("dc1".to_owned()), ..Settings::default() };
        let settings = flags.or(Settings::from_env(env).0);
        assert_eq!(settings.datacenter.as_deref(), Some("dc1"));
        assert_eq!(settings.http_addr, ["127.0.0.1:1", "unix:///tmp/x"]);
        assert_eq!(settings.dev, Some(true));
    }

    #[test]
    fn a_boolean_that_is_none_is_a_mistake() {
        let env = |name: &str| (name == "PEERING_SERVER_DEV").then(|| "maybe".to_owned());
        let (settings, mistakes) = Settings::from_env(env);
        assert_eq!(settings.dev, None);
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].to_string().contains("maybe"));
    }

    #[test]
    fn every_variable_is_read() {
        for (name, _) in VARIABLES {
            let asked = std::cell::RefCell::new(Vec::new());
            let (_, mistakes) = Settings::from_env(|name| {
                asked.borrow_mut().push(name.to_owned());
                None
            });
            assert!(mistakes.is_empty());
            assert!(asked.borrow().contains(&format!("{PREFIX}{name}")), "{name}");
            assert_eq!(asked.borrow().len(), VARIABLES.len());
        }
    }
}
