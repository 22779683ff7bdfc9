//! Sends requests to one server: TLS, redirects, and answers up to a bound.
//!
//! There is no time-out on an answer, since a server may hold a write for a while; connecting has one.

use std::cell::OnceCell;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use rustls::pki_types::DnsName;

use crate::client::address::ApiAddress;
use crate::client::error::ClientError;
use crate::client::redirect::{self, REDIRECTS_MAX};
use crate::client::resolver::Resolver;
use crate::client::settings::{Settings, SettingsError};
use crate::client::transport::{Destination, TransportCause};
use crate::output::escape;

/// Time allowed for a connection, name lookup and TLS handshake included; that of Consul's Go client.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer: a list of ten thousand peerings with two root certificates each takes about half of it.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Most bytes of a refusal that are shown: a list of errors about every address of a token fits.
const REFUSAL_SHOWN_BYTES_MAX: usize = 256 << 10;

/// Header with the ACL token.
const ACL_TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// Makes the body of a refusal fit to be shown.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(REFUSAL_SHOWN_BYTES_MAX)]);
    let text = escape::answer(&text);
    if body.len() > REFUSAL_SHOWN_BYTES_MAX {
        format!("{text} … {REFUSAL_SHOWN_BYTES_MAX} of {} bytes", body.len())
    } else {
        text
    }
}

/// What a server is asked through.
pub(crate) struct Connection {
    settings: Settings,
    resolver: Resolver,
    base: Url,
    /// Without TLS nothing needs the system's root certificates, and loading them takes longer than a call.
    plain: OnceCell<reqwest::Client>,
    with_tls: OnceCell<reqwest::Client>,
}

/// An answer with status 200.
pub(crate) struct Answer {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// One request of a call; redirects make others of it.
struct Request {
    method: Method,
    url: Url,
    /// The URL as messages show it: as it was written.
    shown: String,
    body: Option<Vec<u8>>,
    /// Whether this goes to the server that was named, and so may carry the token.
    is_trusted: bool,
}

impl Connection {
    /// Prepares a connection; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`] if no URL can be made of the address, or the TLS settings do not fit each other.
    pub(crate) fn new(settings: Settings) -> Result<Self, SettingsError> {
        let base = settings.address.base();
        let base = Url::parse(&base).map_err(|_| SettingsError::Url { url: base })?;
        let resolver = Resolver::new(stand_in(&settings, &base)?);
        let connection = Self { settings, resolver, base, plain: OnceCell::new(), with_tls: OnceCell::new() };
        connection.client_for(&connection.base)?;
        Ok(connection)
    }

    /// Sends a request and follows redirects.
    ///
    /// # Errors
    /// [`ClientError`] unless the last answer has status 200 and can be read.
    pub(crate) async fn call(&self, method: Method, tail: &str, body: Option<Vec<u8>>) -> Result<Answer, ClientError> {
        let shown = format!("{}{tail}", self.settings.address.base());
        let url = Url::parse(&shown).map_err(|_| SettingsError::Url { url: shown.clone() })?;
        let mut request = Request { method, url, shown, body, is_trusted: true };
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(&request).await?;
            request = match redirect_of(&request, &response)? {
                Some(next) => next,
                None => return self.read_answer(response, &request).await,
            };
        }
        let Request { method, shown: url, .. } = request;
        Err(ClientError::TooManyRedirects { method, url, redirects_max: REDIRECTS_MAX })
    }

    async fn send(&self, request: &Request) -> Result<Response, ClientError> {
        let client = self.client_for(&request.url)?;
        let mut url = request.url.clone();
        let authority = url.authority().to_owned();
        let is_renamed = self.certificate_name(&url).is_some_and(|name| url.set_host(Some(name)).is_ok());
        let mut builder = client.request(request.method.clone(), url);
        if is_renamed {
            builder = builder.header(HOST, authority);
        }
        builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if request.is_trusted {
            if let Some(token) = &self.settings.acl_token {
                builder = builder.header(ACL_TOKEN, token.clone());
            }
            if let Some(auth) = &self.settings.basic_auth {
                builder = builder.basic_auth(&auth.user, Some(auth.password.expose()));
            }
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder.send().await.map_err(|error| self.transport_error(&error, request))
    }

    async fn read_answer(&self, mut response: Response, request: &Request) -> Result<Answer, ClientError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_error(&error, request))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(ClientError::AnswerTooLarge { bytes_max: ANSWER_BYTES_MAX });
            }
            body.extend_from_slice(&chunk);
        }
        if status == StatusCode::OK {
            return Ok(Answer { headers, body });
        }
        Err(ClientError::Status { code: status.as_u16(), body: shown(&body) })
    }

    /// Returns the name that the certificate of this server carries, if it is not the host.
    fn certificate_name(&self, url: &Url) -> Option<&str> {
        let (name, host) = self.resolver.stand_in()?;
        (url.scheme() == "https" && bare_host(url) == Some(host)).then_some(name)
    }

    /// Returns the HTTP client for a URL, which is made when the first URL of its scheme comes.
    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, SettingsError> {
        let (cell, needs_tls) = if url.scheme() == "https" { (&self.with_tls, true) } else { (&self.plain, false) };
        match cell.get() {
            Some(client) => Ok(client),
            None => {
                let client = self.build(needs_tls).map_err(SettingsError::Http)?;
                Ok(cell.get_or_init(|| client))
            }
        }
    }

    fn build(&self, needs_tls: bool) -> reqwest::Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(self.resolver.clone());
        match &self.settings.address {
            ApiAddress::Unix(path) => builder = builder.unix_socket(path.clone()).no_proxy(),
            ApiAddress::Network { .. } if is_loopback(&self.base) => builder = builder.no_proxy(),
            ApiAddress::Network { .. } => {}
        }
        match (&self.settings.roots, needs_tls) {
            (_, false) => builder = builder.tls_certs_only([]),
            (Some(roots), true) => builder = builder.tls_certs_only(roots.iter().cloned()),
            (None, true) => {}
        }
        if needs_tls {
            builder = builder.tls_danger_accept_invalid_certs(!self.settings.verifies_certificates);
            if let Some(identity) = &self.settings.identity {
                builder = builder.identity(identity.clone());
            }
        }
        builder.build()
    }

    fn transport_error(&self, error: &reqwest::Error, request: &Request) -> ClientError {
        let destination = match &self.settings.address {
            ApiAddress::Unix(path) => Destination { network: "unix", address: path.display().to_string() },
            ApiAddress::Network { .. } => Destination { network: "tcp", address: self.dialed(&request.url) },
        };
        let cause = Box::new(TransportCause::of(error, destination));
        ClientError::Transport { method: request.method.clone(), url: request.shown.clone(), cause }
    }

    /// Returns the address that was dialed: that of the URL, or the first one that its name has.
    fn dialed(&self, url: &Url) -> String {
        let port = url.port_or_known_default().unwrap_or_default();
        let host = bare_host(url).unwrap_or_default();
        let ip = host.parse().ok().or_else(|| self.resolver.first_found().map(|found| found.ip()));
        match ip {
            Some(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            Some(IpAddr::V4(ip)) => format!("{ip}:{port}"),
            None => format!("{host}:{port}"),
        }
    }
}

/// Returns the request that an answer asks for, if it is a redirect.
fn redirect_of(request: &Request, response: &Response) -> Result<Option<Request>, ClientError> {
    let Some(method) = redirect::next_method(response.status(), &request.method) else {
        return Ok(None);
    };
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let target = location.to_str().ok().and_then(|location| request.url.join(location).ok());
    let Some(url) = target.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Err(ClientError::RedirectTarget {
            method: request.method.clone(),
            url: request.shown.clone(),
            location: String::from_utf8_lossy(location.as_bytes()).into_owned(),
        });
    };
    let body = if method == Method::GET { None } else { request.body.clone() };
    let is_trusted = request.is_trusted && redirect::is_same_server(&request.url, &url);
    if body.is_some() && !is_trusted {
        let (method, shown) = (request.method.clone(), request.shown.clone());
        return Err(ClientError::RedirectAway { method, url: shown, target: Box::new(url) });
    }
    Ok(Some(Request { method, shown: url.to_string(), url, body, is_trusted }))
}

/// Returns the name to ask for and the host to look up instead, if the certificate has another name than the host.
fn stand_in(settings: &Settings, base: &Url) -> Result<Option<(String, String)>, SettingsError> {
    let (Some(name), Some(host)) = (&settings.tls_server_name, bare_host(base)) else {
        return Ok(None);
    };
    if name == host {
        return Ok(None);
    }
    let name = name.to_ascii_lowercase();
    match DnsName::try_from(name.as_str()) {
        Ok(_) => Ok(Some((name, host.to_owned()))),
        Err(_) => Err(SettingsError::TlsServerName { name }),
    }
}

/// Returns the host of a URL without the brackets of an IPv6 address.
fn bare_host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

/// Says whether a URL leads to this machine, to which no proxy is asked the way.
fn is_loopback(url: &Url) -> bool {
    let host = bare_host(url).unwrap_or_default();
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
