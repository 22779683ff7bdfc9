//! Every environment variable that the client reads.
//!
//! Each has two names: ours, `PEERING_…`, wins over Consul's, `CONSUL_…`. An empty value counts as none.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::client::settings::SettingsError;
use crate::world::Environment;

/// A setting that the environment may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Address of the server, in any form that `-http-addr` takes.
    HttpAddr,
    /// ACL token.
    HttpToken,
    /// File that holds the ACL token; wins over the token itself.
    HttpTokenFile,
    /// `user:password` or `user` for HTTP basic authentication.
    HttpAuth,
    /// Boolean: use TLS even if the address does not say `https://`.
    HttpSsl,
    /// Boolean: false accepts any certificate.
    HttpSslVerify,
    /// File of certificates to trust.
    CaCert,
    /// Directory of certificates to trust.
    CaPath,
    /// File of the client's certificate.
    ClientCert,
    /// File of the client's key.
    ClientKey,
    /// Name that the server's certificate must carry.
    TlsServerName,
    /// Admin partition.
    Partition,
    /// Namespace; sent as it is.
    Namespace,
}

impl Variable {
    /// Returns the name without its prefix.
    const fn suffix(self) -> &'static str {
        match self {
            Self::HttpAddr => "HTTP_ADDR",
            Self::HttpToken => "HTTP_TOKEN",
            Self::HttpTokenFile => "HTTP_TOKEN_FILE",
            Self::HttpAuth => "HTTP_AUTH",
            Self::HttpSsl => "HTTP_SSL",
            Self::HttpSslVerify => "HTTP_SSL_VERIFY",
            Self::CaCert => "CACERT",
            Self::CaPath => "CAPATH",
            Self::ClientCert => "CLIENT_CERT",
            Self::ClientKey => "CLIENT_KEY",
            Self::TlsServerName => "TLS_SERVER_NAME",
            Self::Partition => "PARTITION",
            Self::Namespace => "NAMESPACE",
        }
    }

    /// Returns the name and value that count, if there are any.
    fn lookup(self, environment: Environment<'_>) -> Option<(String, OsString)> {
        ["PEERING_", "CONSUL_"].into_iter().find_map(|prefix| {
            let name = format!("{prefix}{}", self.suffix());
            environment(&name).filter(|value| !value.is_empty()).map(|value| (name, value))
        })
    }

    /// Reads a path, which may be any bytes.
    pub(crate) fn path(self, environment: Environment<'_>) -> Option<PathBuf> {
        self.lookup(environment).map(|(_, value)| value.into())
    }

    /// Reads the name of the variable that counts and its text.
    ///
    /// # Errors
    /// [`SettingsError::NotText`] if the value is not UTF-8.
    pub(crate) fn text(self, environment: Environment<'_>) -> Result<Option<(String, String)>, SettingsError> {
        match self.lookup(environment) {
            None => Ok(None),
            Some((name, value)) => match value.into_string() {
                Ok(text) => Ok(Some((name, text))),
                Err(_) => Err(SettingsError::NotText { variable: name }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_name_wins_and_an_empty_value_is_none() {
        let both = |name: &str| match name {
            "PEERING_HTTP_ADDR" => Some(OsString::from("a")),
            "CONSUL_HTTP_ADDR" => Some("b".into()),
            "PEERING_HTTP_TOKEN" => Some("".into()),
            "CONSUL_HTTP_TOKEN" => Some("c".into()),
            _ => None,
        };
        assert_eq!(Variable::HttpAddr.text(&both).unwrap(), Some(("PEERING_HTTP_ADDR".into(), "a".into())));
        assert_eq!(Variable::HttpToken.text(&both).unwrap(), Some(("CONSUL_HTTP_TOKEN".into(), "c".into())));
        assert_eq!(Variable::CaCert.path(&both), None);
    }

    #[test]
    fn a_value_that_is_not_text_is_refused_by_name() {
        use std::os::unix::ffi::OsStringExt;

        let odd = |name: &str| (name == "CONSUL_HTTP_TOKEN").then(|| OsString::from_vec(vec![0xff]));
        let error = Variable::HttpToken.text(&odd).unwrap_err();
        assert_eq!(error.to_string(), "CONSUL_HTTP_TOKEN is not valid UTF-8");
    }
}
