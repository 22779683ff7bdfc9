//! Which settings a running server can take on, and which need a restart.

use super::Config;

impl Config {
    /// Names the settings that differ in `new` and that a server takes on only when it starts.
    ///
    /// # Examples
    /// ```
    /// use peering_core::name::Datacenter;
    /// use peering_server::config::{Config, LogLevel};
    ///
    /// let running = Config::ephemeral(Datacenter::parse("dc1")?);
    /// let new = Config { log_level: LogLevel::Debug, allow_plaintext: true, ..running.clone() };
    /// assert_eq!(running.needs_restart(&new), ["allow-plaintext"]);
    /// # Ok::<(), peering_core::name::NameError>(())
    /// ```
    #[must_use]
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        // Every field is named, so that a new one cannot be forgotten here.
        let Self {
            dev,
            store,
            datacenter,
            node_name,
            http_tcp,
            http_tls,
            http_certificate,
            http_unix,
            peer_addr,
            advertise,
            acl,
            management_token,
            audit,
            allow_plaintext,
            dial_deny: _,
            http_max_connections: _,
            tokens: _,
            after_restore: _,
            log_level: _,
            log_format,
        } = self;
        let changed = [
            ("dev", *dev != new.dev),
            ("store, -data-dir or -keyring", *store != new.store || *management_token != new.management_token),
            ("datacenter", *datacenter != new.datacenter),
            ("node-name", *node_name != new.node_name),
            (
                "http-addr",
                *http_tcp != new.http_tcp
                    || *http_tls != new.http_tls
                    || *http_unix != new.http_unix
                    || http_certificate.is_some() != new.http_certificate.is_some(),
            ),
            ("peer-addr", *peer_addr != new.peer_addr),
            ("advertise", *advertise != new.advertise),
            ("acl", *acl != new.acl),
            ("audit-log", *audit != new.audit),
            ("allow-plaintext", *allow_plaintext != new.allow_plaintext),
            ("log-format", *log_format != new.log_format),
        ];
        changed.into_iter().filter_map(|(setting, has_changed)| has_changed.then_some(setting)).collect()
    }
}
