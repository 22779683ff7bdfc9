//! Tokens and links of Skupper: Kubernetes documents that people apply, in YAML or JSON.
//!
//! | form | what it is |
//! |---|---|
//! | Secret labelled `skupper.io/type: token-claim` | a password that is exchanged for a certificate, once or a few times |
//! | Secret labelled `skupper.io/type: connection-token` | the certificate itself, with its key |
//! | `AccessToken` of `skupper.io/v2alpha1` | a code that is exchanged for a link |
//! | `Link` of `skupper.io/v2alpha1` | a link; its certificate and key are in a Secret beside it |
//!
//! # Source
//! Skupper 1.9, `pkg/kube/claims/claim_create.go`, `client/connector_token_create.go`, `pkg/domain/token.go` and
//! `pkg/domain/link.go` (which takes a claim without a CA, and over http); Skupper 2.2,
//! `pkg/apis/skupper/v2alpha1/types.go`, `pkg/nonkube/api/token.go` and `internal/kube/grants/redeem.go` (which does not).

mod document;

use jiff::Timestamp;
use serde::Serialize;

use self::document::{Document, Secret};
use super::address::{self, Dialer};
use super::certificate::{self, CertificateReport, Role};
use super::code::Code;
use super::finding::Findings;
use super::{Contents, Draft, Kind, check_end};
use crate::foreign::quoted;
use crate::token::verify::ADDRESSES_MAX;

/// What a Skupper token or link holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SkupperContents {
    /// Name of the document.
    pub name: String,
    /// Where the token is exchanged.
    #[serde(rename = "URL")]
    pub url: Option<String>,
    /// Where the link goes: `host:port`.
    pub addresses: Vec<String>,
    /// When it ends, if it says so.
    pub expires_at: Option<Timestamp>,
    /// Id of the site that made it.
    pub generated_by: Option<String>,
    /// Release of the site that made it.
    pub site_version: Option<String>,
    /// The Secret with the link's certificate and key.
    pub tls_credentials: Option<String>,
    /// Its certificates.
    pub certificates: Vec<CertificateReport>,
    /// Whether there is a password, a code or a key.
    pub has_secret: bool,
}

/// Looks at Kubernetes documents.
pub(super) fn look(text: &str, now: Timestamp, findings: &mut Findings) -> Draft {
    let documents = match document::read(text) {
        Ok(documents) => documents,
        Err(unreadable) => {
            findings.add(if unreadable.is_cut { Code::Cut } else { Code::Unreadable }, unreadable.to_string());
            return Draft::unknown();
        }
    };
    let secrets: Vec<&Document> = documents.iter().filter(|document| document.kind == "Secret").collect();
    check_count(&documents, findings);
    let of_skupper = |kind: &str| documents.iter().find(|document| document.is_of_skupper() && document.kind == kind);
    let mut sight = Sight { contents: SkupperContents::default(), now, findings };
    let kind = if let Some(token) = of_skupper("AccessToken") {
        sight.access_token(token);
        Kind::SkupperAccessToken
    } else if let Some(link) = of_skupper("Link") {
        sight.link(link, &secrets);
        Kind::SkupperLink
    } else if let Some(secret) = secrets.iter().find(|secret| is_a_token(secret)).or(secrets.first()) {
        match secret.skupper_type() {
            Some("token-claim") => {
                sight.claim(secret);
                Kind::SkupperClaim
            }
            Some("connection-token") => {
                sight.connection(secret);
                Kind::SkupperConnection
            }
            Some(other) => {
                let cause = format!("it is a Secret of Skupper that is nobody's token: {}", quoted(other));
                findings.add(Code::Unknown, cause);
                return Draft::unknown();
            }
            None => {
                findings.add(Code::Unknown, "it is a Kubernetes Secret, and none of Skupper's");
                return Draft::unknown();
            }
        }
    } else {
        findings.add(Code::Unknown, "it is a Kubernetes document that holds no token");
        return Draft::unknown();
    };
    sight.named();
    let contents = sight.contents;
    Draft::of(kind, Contents::Skupper(Box::new(contents)))
}

/// Says whether a Secret is a token of Skupper 1.
fn is_a_token(secret: &Document) -> bool {
    matches!(secret.skupper_type(), Some("token-claim" | "connection-token"))
}

/// Says so if there is more than what is looked at.
fn check_count(documents: &[Document], findings: &mut Findings) {
    let is_of_2 = |it: &&Document| it.is_of_skupper() && matches!(it.kind.as_str(), "AccessToken" | "Link");
    let is_of_1 = |it: &&Document| it.kind == "Secret" && is_a_token(it);
    let count = match documents.iter().filter(is_of_2).count() {
        // Beside a link, a Secret is what the link names.
        0 => documents.iter().filter(is_of_1).count(),
        count => count,
    };
    if count > 1 {
        findings.add(Code::SeveralTokens, format!("there are {count} tokens and links, of which only one was read"));
    }
}

/// What was seen so far.
struct Sight<'a> {
    contents: SkupperContents,
    now: Timestamp,
    findings: &'a mut Findings,
}

impl Sight<'_> {
    fn claim(&mut self, secret: &Document) {
        self.annotations(secret);
        let url = secret.annotation("skupper.io/url");
        self.exchanged_at(url, &["https", "http"]);
        self.secret(secret.data.has("password"), "data has no password");
        let is_plaintext = url.is_some_and(|url| url.starts_with("http://"));
        if is_plaintext {
            let cause = "the URL is one of http: the password crosses the network in plaintext";
            self.findings.add(Code::UrlPlaintext, cause);
        }
        if secret.data.has_key("ca.crt") {
            self.root("ca.crt", &secret.data);
        } else if !is_plaintext {
            self.findings.add(Code::SystemRoots, "data has no ca.crt");
        }
        match secret.annotation("skupper.io/claim-expiration").map(str::parse::<Timestamp>) {
            Some(Ok(at)) => {
                self.contents.expires_at = Some(at);
                check_end(at, self.now, self.findings);
            }
            Some(Err(_)) => self.findings.add(Code::PartMalformed, "skupper.io/claim-expiration is no time"),
            None => {
                self.findings.add(Code::LifeUnknown, "it names no end; how often it may be used only its site knows")
            }
        }
    }

    fn connection(&mut self, secret: &Document) {
        self.annotations(secret);
        let roles = ["inter-router", "edge"];
        let annotation = |role: &str, what: &str| secret.annotation(&format!("{role}-{what}")).unwrap_or_default();
        let named = roles.into_iter().filter(|role| !annotation(role, "host").is_empty());
        self.addresses(named.map(|role| (annotation(role, "host"), annotation(role, "port"))).collect());
        self.credentials(&secret.data);
        self.findings.add(Code::LifeUnknown, "it holds as long as its certificate does");
    }

    fn access_token(&mut self, token: &Document) {
        self.contents.name = token.metadata.name.clone();
        self.exchanged_at(token.spec.url.as_deref(), &["https"]);
        self.secret(token.spec.code.is_some(), "spec has no code");
        match token.spec.ca.as_deref().filter(|pem| !pem.is_empty()) {
            Some(pem) => self.certificate("spec.ca", Role::Root, pem),
            None => self.findings.add(Code::NoUsableRoot, "spec has no ca"),
        }
        self.findings.add(Code::LifeUnknown, "when it ends and how often it may be used is in the site's AccessGrant");
    }

    fn link(&mut self, link: &Document, secrets: &[&Document]) {
        self.contents.name = link.metadata.name.clone();
        self.contents.tls_credentials = link.spec.tls_credentials.clone();
        if link.spec.tls_credentials.is_none() {
            self.findings.add(Code::Cut, "spec names no tlsCredentials: the end of the document may be missing");
        }
        let endpoints = link.spec.endpoints.iter().flatten();
        self.addresses(
            endpoints
                .map(|end| (end.host.as_deref().unwrap_or_default(), end.port.as_deref().unwrap_or_default()))
                .collect(),
        );
        let named = link.spec.tls_credentials.as_deref();
        match secrets.iter().find(|secret| named.is_none_or(|name| secret.metadata.name == name)) {
            Some(secret) => self.credentials(&secret.data),
            None => {
                let name = quoted(named.unwrap_or_default());
                self.secret(false, &format!("the Secret {name} with the certificate and key of the link is missing"));
            }
        }
        self.findings.add(Code::LifeUnknown, "it holds as long as its certificate does");
    }

    /// In every form that Skupper writes, the name comes late.
    fn named(&mut self) {
        if self.contents.name.is_empty() {
            self.findings.add(Code::Cut, "metadata has no name: the end of the document may be missing");
        }
    }

    fn annotations(&mut self, secret: &Document) {
        self.contents.name = secret.metadata.name.clone();
        self.contents.generated_by = secret.annotation("skupper.io/generated-by").map(str::to_owned);
        self.contents.site_version = secret.annotation("skupper.io/site-version").map(str::to_owned);
    }

    fn exchanged_at(&mut self, url: Option<&str>, schemes: &[&str]) {
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            self.findings.add(Code::NoAddresses, "there is no URL where it is exchanged");
            return;
        };
        self.contents.url = Some(url.to_owned());
        let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)) else {
            let cause = format!("the URL is not one of {}: {}", schemes.join(" or "), quoted(url));
            self.findings.add(Code::AddressMalformed, cause);
            return;
        };
        let port = if scheme == "http" { 80 } else { 443 };
        let authority = rest.split('/').next().unwrap_or_default();
        let has_port = authority.rsplit(']').next().is_some_and(|behind| behind.contains(':'));
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        if !address::check("the URL", &[authority], Dialer::Another, self.findings) {
            self.findings.add(Code::NoDialable, "the URL leads nowhere");
        }
    }

    fn addresses(&mut self, pairs: Vec<(&str, &str)>) {
        let bracketed = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let addresses: Vec<String> = pairs
            .iter()
            .take(ADDRESSES_MAX)
            .map(
                |(host, port)| if port.is_empty() { (*host).to_owned() } else { format!("{}:{port}", bracketed(host)) },
            )
            .collect();
        if pairs.is_empty() {
            self.findings.add(Code::NoAddresses, "no host is named");
        } else if pairs.len() > ADDRESSES_MAX {
            let cause = format!("there are {} hosts; expected at most {ADDRESSES_MAX}", pairs.len());
            self.findings.add(Code::TooMany, cause);
        } else if !address::check("the token", &addresses, Dialer::Another, self.findings) {
            self.findings.add(Code::NoDialable, "it has no address that anybody could reach");
        }
        self.contents.addresses = addresses;
    }

    /// The CA, a certificate and its key.
    fn credentials(&mut self, data: &Secret) {
        self.root("ca.crt", data);
        match data.text("tls.crt") {
            Some(pem) => self.certificate("tls.crt", Role::Own, &pem),
            None => self.findings.add(Code::CertificateUnreadable, "tls.crt is missing or not base64 of text"),
        }
        self.secret(data.has("tls.key"), "data has no tls.key");
    }

    fn root(&mut self, key: &str, data: &Secret) {
        match data.text(key) {
            Some(pem) => self.certificate(key, Role::Root, &pem),
            None => self.findings.add(Code::NoUsableRoot, format!("{key} is missing or not base64 of text")),
        }
    }

    fn certificate(&mut self, place: &str, role: Role, pem: &str) {
        let report = certificate::report(place.to_owned(), role, pem, self.now, self.findings);
        if role == Role::Root && report.is_usable_root == Some(false) {
            self.findings.add(Code::NoUsableRoot, format!("{place} is the only root"));
        }
        if role == Role::Own && report.not_after.is_some_and(|end| end <= self.now) {
            self.findings.add(Code::Expired, format!("{place} is what it is let in by, and has ended"));
        }
        self.contents.certificates.push(report);
    }

    fn secret(&mut self, is_there: bool, cause: &str) {
        self.contents.has_secret = is_there;
        if !is_there {
            self.findings.add(Code::NoSecret, cause);
        }
    }
}
