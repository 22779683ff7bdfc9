//! What flags and environment say about a call, resolved once and checked before anything is sent.

use std::io;
use std::path::PathBuf;

use reqwest::header::HeaderValue;
use reqwest::{Certificate, Identity};
use thiserror::Error;

use crate::args::go_bool;
use crate::args::hidden::HiddenText;
use crate::args::http::{CallFlags, ClientFlags};
use crate::bounded;
use crate::client::address::ApiAddress;
use crate::client::variables::Variable;
use crate::client::{go_io, tls, transport};
use crate::data_dir::LocalServer;
use crate::world::Environment;

/// Most bytes of a file with an ACL token: a signed token of an identity provider has a few thousand.
const TOKEN_FILE_BYTES_MAX: u64 = 64 << 10;

/// Says why the settings of a call are wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum SettingsError {
    /// The address has a scheme that the client does not speak. The text is Consul's.
    #[error("Unknown protocol scheme: {scheme}")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The address names no host.
    #[error("{address:?} is not an address: expected host:port, http://…, https://… or unix:///path")]
    Address {
        /// The address.
        address: String,
    },
    /// The ACL token's file cannot be read. The text is Consul's.
    #[error("Error loading token file {} : {}", path.display(), go_io::file_reason(path, source))]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate without a key or the other way round. The text is Consul's.
    #[error("both client cert and client key must be provided")]
    HalfIdentity,
    /// The file of certificates to trust cannot be read. The text is Consul's.
    #[error("Error loading CA File: {}", go_io::file_reason(path, source))]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory of certificates to trust cannot be read. The text is Consul's.
    #[error("lstat {}: {}", path.display(), go_io::reason(source))]
    CaPath {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of a client's certificate or key cannot be read. The text is Consul's.
    #[error("{}", go_io::file_reason(path, source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of certificates is larger than any should be.
    #[error("{} is larger than {bytes_max} bytes: expected a file of PEM certificates", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        bytes_max: u64,
    },
    /// A file or directory holds no certificate.
    #[error("{} holds no PEM certificate", path.display())]
    NoCertificate {
        /// The file or directory.
        path: PathBuf,
    },
    /// Certificate and key are no PEM or do not belong together.
    #[error("{} and {} are not a PEM certificate and its private key", certificate.display(), key.display())]
    Identity {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
    },
    /// A variable is not one of Go's booleans.
    #[error("{variable} is {value:?}: expected {}", go_bool::SPELLINGS)]
    Boolean {
        /// Name of the variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// A variable is not UTF-8.
    #[error("{variable} is not valid UTF-8")]
    NotText {
        /// Name of the variable.
        variable: String,
    },
    /// The ACL token holds a character that no HTTP header carries.
    #[error("the ACL token holds a control character: expected printable text on one line")]
    AclToken,
    /// The file of the ACL token is larger than a token can be.
    #[error("Error loading token file {} : expected at most {bytes_max} bytes", path.display())]
    TokenFileTooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        bytes_max: u64,
    },
    /// The address is not one that a URL can be made of.
    #[error("{url:?} is not a URL: check the address")]
    Url {
        /// What was made of the address.
        url: String,
    },
    /// The TLS name is an address while the host is another.
    #[error("the TLS server name {name:?} is not a DNS name: expected a name such as server.dc1.consul")]
    TlsServerName {
        /// The name.
        name: String,
    },
    /// The operating system has no room for an event loop.
    #[error("cannot start an event loop: {}", go_io::reason(.0))]
    EventLoop(#[source] io::Error),
    /// The HTTP client refuses the settings.
    #[error("cannot set up the HTTP client: {}", transport::innermost(.0))]
    Http(#[source] reqwest::Error),
}

/// Who the caller is to a proxy that asks for HTTP basic authentication.
#[derive(Debug)]
pub(crate) struct BasicAuth {
    pub user: String,
    pub password: HiddenText,
}

/// Everything that a client needs to know.
///
/// # Security
/// The token is marked sensitive, so that `Debug` does not show it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub address: ApiAddress,
    pub acl_token: Option<HeaderValue>,
    pub basic_auth: Option<BasicAuth>,
    pub roots: Option<Vec<Certificate>>,
    pub identity: Option<Identity>,
    pub verifies_certificates: bool,
    pub tls_server_name: Option<String>,
    pub datacenter: Option<String>,
    pub partition: Option<String>,
    pub namespace: Option<String>,
}

impl Settings {
    /// Resolves flags, then environment, then defaults; `local` is called only if nobody names an address or a token.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting that is wrong.
    pub(crate) fn resolve(
        flags: &impl CallFlags,
        environment: Environment<'_>,
        local: impl FnOnce() -> Option<LocalServer>,
    ) -> Result<Self, SettingsError> {
        let (flags, scope) = (flags.client(), flags.scope());
        let path = |flag: &Option<PathBuf>, variable: Variable| given_path(flag).or_else(|| variable.path(environment));
        let text = |flag: Option<&str>, variable: Variable| match flag.filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Ok(variable.text(environment)?.map(|(_, text)| text)),
        };
        let wants_tls = boolean(Variable::HttpSsl, environment)?.unwrap_or(false);
        let mut acl_token = acl_token(flags, environment)?.filter(|t| !t.is_empty());
        // A token that somebody named is meant for a server that somebody named, or for Consul's usual address.
        let local = || if acl_token.is_none() { local() } else { None };
        let address = match text(flags.http_addr.as_deref(), Variable::HttpAddr)? {
            Some(address) => ApiAddress::parse(&address, wants_tls)?,
            None => match local() {
                Some(LocalServer { socket, management_token }) => {
                    // The one place to which a token goes that nobody named.
                    acl_token = management_token.map(token_in).transpose()?.filter(|t| !t.is_empty());
                    ApiAddress::Unix(socket)
                }
                None => ApiAddress::parse(ApiAddress::DEFAULT, wants_tls)?,
            },
        };
        let ca_file = path(&flags.ca_file, Variable::CaCert);
        let ca_path = path(&flags.ca_path, Variable::CaPath);
        let certificate = path(&flags.client_cert, Variable::ClientCert);
        let key = path(&flags.client_key, Variable::ClientKey);
        Ok(Self {
            address,
            acl_token: acl_token.map(sensitive).transpose()?,
            basic_auth: basic_auth(environment)?,
            roots: tls::roots(ca_file.as_deref(), ca_path.as_deref())?,
            identity: tls::identity(certificate.as_deref(), key.as_deref())?,
            verifies_certificates: boolean(Variable::HttpSslVerify, environment)?.unwrap_or(true),
            tls_server_name: text(flags.tls_server_name.as_deref(), Variable::TlsServerName)?,
            datacenter: scope.datacenter.filter(|name| !name.is_empty()).map(str::to_owned),
            partition: text(scope.partition, Variable::Partition)?,
            namespace: text(scope.namespace, Variable::Namespace)?,
        })
    }
}

fn given_path(flag: &Option<PathBuf>) -> Option<PathBuf> {
    flag.clone().filter(|path| !path.as_os_str().is_empty())
}

fn boolean(variable: Variable, environment: Environment<'_>) -> Result<Option<bool>, SettingsError> {
    let Some((variable, value)) = variable.text(environment)? else {
        return Ok(None);
    };
    go_bool::parse(&value).map(Some).map_err(|_| SettingsError::Boolean { variable, value })
}

/// Finds the ACL token: file before text, and flags before environment.
fn acl_token(flags: &ClientFlags, environment: Environment<'_>) -> Result<Option<String>, SettingsError> {
    if let Some(path) = given_path(&flags.token_file) {
        return token_in(path).map(Some);
    }
    if let Some(token) = flags.token.as_ref().map(|token| token.expose()).filter(|token| !token.is_empty()) {
        return Ok(Some(token.to_owned()));
    }
    if let Some(path) = Variable::HttpTokenFile.path(environment) {
        return token_in(path).map(Some);
    }
    Ok(Variable::HttpToken.text(environment)?.map(|(_, token)| token))
}

fn token_in(path: PathBuf) -> Result<String, SettingsError> {
    match bounded::read_text_file(&path, TOKEN_FILE_BYTES_MAX) {
        Ok(Some(text)) => Ok(text.trim().to_owned()),
        Ok(None) => Err(SettingsError::TokenFileTooLarge { path, bytes_max: TOKEN_FILE_BYTES_MAX }),
        Err(source) => Err(SettingsError::TokenFile { path, source }),
    }
}

fn basic_auth(environment: Environment<'_>) -> Result<Option<BasicAuth>, SettingsError> {
    let Some((_, credentials)) = Variable::HttpAuth.text(environment)? else {
        return Ok(None);
    };
    let (user, password) = match credentials.split_once(':') {
        Some((user, password)) => (user.to_owned(), password.to_owned()),
        None => (credentials, String::new()),
    };
    Ok(Some(BasicAuth { user, password: password.into() }))
}

fn sensitive(text: String) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| SettingsError::AclToken)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::http::HttpFlags;

    #[test]
    fn the_management_token_goes_to_the_own_socket_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, token) = (dir.path().join("api.sock"), dir.path().join("management-token"));
        std::fs::write(&token, "s3cret\n").unwrap();
        let local = || Some(LocalServer { socket: socket.clone(), management_token: Some(token.clone()) });
        let named = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| std::ffi::OsString::from(value))
        };
        let nothing = named("", "");
        let own = Settings::resolve(&HttpFlags::default(), &nothing, local).unwrap();
        assert_eq!(own.address, ApiAddress::Unix(socket.clone()));
        assert_eq!(own.acl_token.unwrap(), "s3cret");
        for environment in [named("CONSUL_HTTP_ADDR", "unix:///x/api.sock"), named("PEERING_HTTP_ADDR", "127.0.0.1:1")]
        {
            let other = Settings::resolve(&HttpFlags::default(), &environment, local).unwrap();
            assert_eq!(other.acl_token, None);
        }
        let token_named = named("CONSUL_HTTP_TOKEN", "mine");
        let other = Settings::resolve(&HttpFlags::default(), &token_named, local).unwrap();
        assert_eq!(other.acl_token.unwrap(), "mine");
        assert_ne!(other.address, ApiAddress::Unix(socket.clone()));
    }
}
