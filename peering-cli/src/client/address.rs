//! Addresses of an HTTP API: `host:port`, a URL, or a unix socket.

use std::path::PathBuf;

use crate::client::settings::SettingsError;

/// Where the HTTP API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiAddress {
    /// A host on the network.
    Network {
        /// Whether TLS is spoken.
        is_https: bool,
        /// Host with or without port, as it was written.
        authority: String,
        /// Path before `/v1/…`, without a slash at its end; usually empty.
        prefix: String,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl ApiAddress {
    /// Where a server listens unless told otherwise.
    pub(crate) const DEFAULT: &str = "127.0.0.1:8500";

    /// Reads an address. `wants_tls` turns a plain address into one with TLS, an `http://` one included.
    ///
    /// # Errors
    /// [`SettingsError::Scheme`] for a scheme other than `http`, `https` and `unix`; [`SettingsError::Address`] if
    /// there is no host or path.
    ///
    /// # Source
    /// The Go client of Consul 1.21.
    pub(crate) fn parse(text: &str, wants_tls: bool) -> Result<Self, SettingsError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_https = match scheme {
            "http" => wants_tls,
            "https" => true,
            "unix" if rest.is_empty() => return Err(SettingsError::Address { address: text.to_owned() }),
            "unix" => return Ok(Self::Unix(rest.into())),
            _ => return Err(SettingsError::Scheme { scheme: scheme.to_owned() }),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        if authority.is_empty() {
            return Err(SettingsError::Address { address: text.to_owned() });
        }
        // Go takes no host for this machine, and people write `:8500`.
        let host = if authority.starts_with(':') { "127.0.0.1" } else { "" };
        Ok(Self::Network { is_https, authority: format!("{host}{authority}"), prefix })
    }

    /// Returns the URL before `/v1/…`. A socket is asked for `localhost`.
    pub(crate) fn base(&self) -> String {
        match self {
            Self::Network { is_https, authority, prefix } => {
                format!("{}://{authority}{prefix}", if *is_https { "https" } else { "http" })
            }
            Self::Unix(_) => "http://localhost".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_consul_is_read() {
        for (text, wants_tls, base) in [
            ("127.0.0.1:8500", false, "http://127.0.0.1:8500"),
            ("127.0.0.1:8500", true, "https://127.0.0.1:8500"),
            ("http://h:1", false, "http://h:1"),
            ("http://h:1", true, "https://h:1"),
            ("https://h", false, "https://h"),
            ("https://gw/consul", false, "https://gw/consul"),
            ("http://gw:80/a/b/", false, "http://gw:80/a/b"),
            ("http://[::1]:8500/", false, "http://[::1]:8500"),
            (":8500", false, "http://127.0.0.1:8500"),
            ("unix:///tmp/c.sock", false, "http://localhost"),
            ("unix://c.sock", true, "http://localhost"),
        ] {
            assert_eq!(ApiAddress::parse(text, wants_tls).unwrap().base(), base, "{text}");
        }
        assert_eq!(ApiAddress::parse("unix:///tmp/c.sock", false).unwrap(), ApiAddress::Unix("/tmp/c.sock".into()));
    }

    #[test]
    fn other_schemes_and_missing_hosts_are_refused() {
        assert_eq!(ApiAddress::parse("ftp://h:1", false).unwrap_err().to_string(), "Unknown protocol scheme: ftp");
        for text in ["", "http://", "https:///path", "unix://"] {
            assert!(matches!(ApiAddress::parse(text, false), Err(SettingsError::Address { .. })), "{text}");
        }
    }
}
