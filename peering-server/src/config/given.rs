//! Which settings were given: a wrong value is blamed on where it came from.

use std::path::Path;

use super::env::PREFIX;
use super::{Mistakes, Settings};

impl Settings {
    /// Says whether a setting was given here, by its flag's name.
    #[must_use]
    pub fn has(&self, setting: &str) -> bool {
        // Every field is named, so that a new one cannot be forgotten here.
        let Self {
            dev,
            data_dir,
            store,
            keyring,
            datacenter,
            node_name,
            http_addr,
            http_cert,
            http_key,
            peer_addr,
            advertise,
            acl,
            audit_log,
            allow_plaintext,
            dial_deny,
            http_max_connections,
            token_ttl_default,
            token_ttl_max,
            token_retention,
            log_level,
            log_format,
        } = self;
        match setting {
            "dev" => dev.is_some(),
            "data-dir" => data_dir.is_some(),
            "store" => store.is_some(),
            "keyring" => keyring.is_some(),
            "datacenter" => datacenter.is_some(),
            "node-name" => node_name.is_some(),
            "http-addr" => !http_addr.is_empty(),
            "http-cert" => http_cert.is_some(),
            "http-key" => http_key.is_some(),
            "peer-addr" => peer_addr.is_some(),
            "advertise" => !advertise.is_empty(),
            "acl" => acl.is_some(),
            "audit-log" => !audit_log.is_empty(),
            "allow-plaintext" => allow_plaintext.is_some(),
            "dial-deny" => !dial_deny.is_empty(),
            "http-max-connections" => http_max_connections.is_some(),
            "token-ttl-default" => token_ttl_default.is_some(),
            "token-ttl-max" => token_ttl_max.is_some(),
            "token-retention" => token_retention.is_some(),
            "log-level" => log_level.is_some(),
            "log-format" => log_format.is_some(),
            _ => false,
        }
    }
}

impl Mistakes {
    /// Blames each mistake in what no flag gave on the variable that did, or on the key of the file.
    ///
    /// # Examples
    /// ```
    /// use peering_server::config::Settings;
    ///
    /// let variables = Settings { acl: Some("on".to_owned()), dev: Some(true), ..Settings::default() };
    /// let flags = Settings::default();
    /// let mistakes = flags.clone().or(variables.clone()).resolve().unwrap_err();
    /// let told = mistakes.blamed(&flags, &variables, None).to_string();
    /// assert_eq!(told, "PEERING_SERVER_ACL: expected one of deny, allow, off, got \"on\"");
    /// ```
    #[must_use]
    pub fn blamed(mut self, flags: &Settings, variables: &Settings, file: Option<(&Path, &Settings)>) -> Self {
        for mistake in &mut self.0 {
            let name = mistake.setting.replace('-', "_");
            mistake.place = if flags.has(mistake.setting) {
                None
            } else if variables.has(mistake.setting) {
                Some(format!("{PREFIX}{}", name.to_uppercase()))
            } else {
                let in_file = file.filter(|(_, given)| given.has(mistake.setting));
                in_file.map(|(path, _)| format!("{name} in {}", path.display()))
            };
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::env::VARIABLES;
    use super::*;

    #[test]
    fn every_setting_is_known_by_its_flag() {
        for (name, _) in VARIABLES {
            let one = |asked: &str| (asked == format!("{PREFIX}{name}")).then(|| "true".to_owned());
            let (given, _) = Settings::from_env(one);
            let flag = name.to_lowercase().replace('_', "-");
            assert!(given.has(&flag) && !Settings::default().has(&flag), "{flag}");
        }
        assert!(!Settings::default().has("after-restore"));
    }
}
