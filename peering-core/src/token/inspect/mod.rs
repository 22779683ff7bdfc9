//! Inspection: what a token is, what is in it and what is wrong with it, without asking anybody.

mod address;
mod certificate;
mod finding;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use certificate::CertificateReport;
pub use finding::{Finding, Severity};

use super::consul::{PeeringToken, UnverifiedToken};
use super::error::{DecodeError, VerifyError};
use super::verify::{ADDRESSES_MAX, CA_ENTRIES_MAX, VerifiedToken};
use crate::id::{PeeringId, TokenId};
use crate::trust::{CaCertificate, peering_trust_domain};

/// What a text is and what is to be said about it.
///
/// # Security
/// Everything but the establishment secret. All texts are the token's own: quote them with
/// [`quoted`](crate::foreign::quoted) before a terminal sees them. The texts of [`Finding`] are quoted already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Report {
    /// What the text is, such as `Consul peering token`.
    pub kind: &'static str,
    /// Whether `establish` would go on to dial: no finding is an error.
    pub is_usable: bool,
    /// What `establish` would answer instead of dialing.
    pub refusal: Option<String>,
    /// What the token holds, if it could be read.
    pub contents: Option<Contents>,
    /// What is odd or wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// What a peering token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Contents {
    /// The acceptor's name for the peer that the token is meant for.
    pub peer_name: Option<String>,
    /// Public name of the token.
    #[serde(rename = "TokenID")]
    pub token_id: Option<String>,
    /// From when on the acceptor refuses the token; never, if absent.
    pub expires_at: Option<Timestamp>,
    /// Metadata.
    pub meta: BTreeMap<String, String>,
    /// The acceptor's id of the peering.
    #[serde(rename = "PeerID")]
    pub peer_id: String,
    /// TLS name of the acceptor.
    pub server_name: String,
    /// Where the acceptor says it is.
    pub datacenter: String,
    /// The acceptor's admin partition; empty outside Consul Enterprise.
    pub partition: String,
    /// The acceptor's region; empty if unknown.
    pub region: String,
    /// The acceptor's zone; empty if unknown.
    pub zone: String,
    /// Addresses that an operator gave; if there are any, only these are dialed.
    pub manual_server_addresses: Vec<String>,
    /// Addresses that the acceptor knows itself by.
    pub server_addresses: Vec<String>,
    /// The entries of `CA`, at most [`CA_ENTRIES_MAX`].
    pub certificates: Vec<CertificateReport>,
    /// Whether there is an establishment secret. Whether it is still good only the acceptor knows.
    pub has_establishment_secret: bool,
}

/// Says what a text is and what is wrong with it, as of a time.
///
/// # Examples
/// ```
/// use peering_core::token::inspect;
///
/// let report = inspect("SWMTKN-1-…", jiff::Timestamp::UNIX_EPOCH);
/// assert_eq!(report.kind, "Docker Swarm join token");
/// assert!(!report.is_usable);
/// ```
#[must_use]
pub fn inspect(text: &str, now: Timestamp) -> Report {
    match UnverifiedToken::decode(text) {
        Ok(token) => report(token, now),
        Err(error) => unreadable(text, &error),
    }
}

fn report(token: UnverifiedToken, now: Timestamp) -> Report {
    let mut findings = Vec::new();
    let claims = token.claims();
    let certificates = certificate::reports(&claims.ca, now, &mut findings);
    address::check("ManualServerAddresses", &claims.manual_server_addresses, &mut findings);
    address::check("ServerAddresses", &claims.server_addresses, &mut findings);
    check_names(claims, &mut findings);
    let contents = contents(claims, certificates);
    let refusal = match token.verify(now) {
        Ok(verified) => {
            check_verified(&verified, &mut findings);
            None
        }
        Err(error) => {
            findings.extend(refused(&error));
            Some(error.to_string())
        }
    };
    finish("Consul peering token", refusal, Some(contents), findings)
}

fn unreadable(text: &str, error: &DecodeError) -> Report {
    let (kind, next_step) = if text.starts_with("SWMTKN-") {
        ("Docker Swarm join token", "a node joins a swarm with it; clusters need a peering token")
    } else if is_bootstrap_token(text) {
        ("Kubernetes bootstrap token", "a node joins a Kubernetes cluster with it; clusters need a peering token")
    } else if UnverifiedToken::decode(&text.replace(char::is_whitespace, "")).is_ok() {
        ("Consul peering token", "take out the spaces")
    } else {
        ("unknown", "copy the whole token again, from the first to the last character")
    };
    let finding = Finding::error("unreadable", error.to_string(), next_step);
    finish(kind, Some(error.to_string()), None, vec![finding])
}

fn finish(
    kind: &'static str,
    refusal: Option<String>,
    contents: Option<Contents>,
    mut findings: Vec<Finding>,
) -> Report {
    findings.sort_by_key(|finding| finding.severity);
    let is_usable = refusal.is_none() && findings.iter().all(|finding| finding.severity != Severity::Error);
    Report { kind, is_usable, refusal, contents, findings }
}

/// Six characters, a dot, sixteen characters, of `a-z` and `0-9`.
fn is_bootstrap_token(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(id, secret)| (id.len(), secret.len()) == (6, 16) && is_part(id) && is_part(secret))
}

fn contents(claims: &PeeringToken, certificates: Vec<CertificateReport>) -> Contents {
    let locality = claims.remote.locality.clone().unwrap_or_default();
    let first = |list: &[String]| list.iter().take(ADDRESSES_MAX).cloned().collect();
    Contents {
        peer_name: claims.peer_name.clone(),
        token_id: claims.token_id.clone(),
        expires_at: claims.expires_at,
        meta: claims.meta.clone(),
        peer_id: claims.peer_id.clone(),
        server_name: claims.server_name.clone(),
        datacenter: claims.remote.datacenter.clone(),
        partition: claims.remote.partition.clone(),
        region: locality.region,
        zone: locality.zone,
        manual_server_addresses: first(&claims.manual_server_addresses),
        server_addresses: first(&claims.server_addresses),
        certificates,
        has_establishment_secret: !claims.establishment_secret.is_empty(),
    }
}

fn check_names(claims: &PeeringToken, findings: &mut Vec<Finding>) {
    if claims.establishment_secret.is_empty() {
        let message = "there is no establishment secret, so the acceptor will refuse";
        findings.push(Finding::error("no-secret", message, "generate a new token"));
    }
    if !claims.peer_id.is_empty() && PeeringId::parse(&claims.peer_id).is_err() {
        let message = "the peer id is not a UUID, so the acceptor will refuse";
        findings.push(Finding::error("peer-id", message, "generate a new token"));
    }
    if claims.token_id.as_deref().is_some_and(|id| TokenId::parse(id).is_err()) {
        let message = "the token id is not a UUID and is ignored";
        findings.push(Finding::info("token-id", message, "nothing, unless you meant to revoke the token by it"));
    }
    if !claims.manual_server_addresses.is_empty() && !claims.server_addresses.is_empty() {
        let message = "only the manual addresses are dialed, the automatic ones are not";
        findings.push(Finding::info("manual-only", message, "nothing, if the manual addresses are meant"));
    }
}

fn check_verified(verified: &VerifiedToken, findings: &mut Vec<Finding>) {
    let Some(trust) = &verified.trust else {
        let message = "there is no CA, so secrets and services would cross the network in plaintext";
        let next_step =
            "turn on TLS at the acceptor and generate a new token, or start our server with -allow-plaintext";
        findings.push(Finding::error("plaintext", message, next_step));
        return;
    };
    let named = peering_trust_domain(&verified.server_name);
    let mut domains = trust.roots().iter().filter_map(CaCertificate::spiffe_trust_domain).peekable();
    if let Some(named) = named
        && domains.peek().is_some()
        && domains.all(|domain| domain != named.as_str())
    {
        let message = "the server name and the CA belong to different trust domains, so the TLS handshake will fail";
        findings.push(Finding::warning("trust-domain", message, "generate a new token at the acceptor"));
    }
}

/// Says what the checks of single entries have not said.
fn refused(error: &VerifyError) -> Option<Finding> {
    let (code, next_step) = match error {
        VerifyError::Ca { index, .. } if *index < CA_ENTRIES_MAX => return None,
        VerifyError::Address(_) => return None,
        VerifyError::Ca { .. } => ("root-unreadable", "generate a new token, or copy it again whole"),
        VerifyError::NoAddresses => ("no-addresses", "generate a new token with -server-external-addresses"),
        VerifyError::NoServerName => ("no-server-name", "generate a new token"),
        VerifyError::NoPeerId => ("no-peer-id", "generate a new token"),
        VerifyError::TooMany { .. } => ("too-many", "generate a new token with fewer of them"),
        VerifyError::NoUsableRoot { .. } => {
            ("no-usable-root", "compare the clocks of both clusters, then generate a new token")
        }
        VerifyError::Expired { .. } => ("expired", "generate a new token"),
    };
    Some(Finding::error(code, error.to_string(), next_step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::EstablishmentSecret;
    use crate::token::samples;
    use crate::trust::fixtures::{self, at};

    const NOW: &str = "2030-06-01T00:00:00Z";

    fn claims() -> PeeringToken {
        let mut claims = UnverifiedToken::decode(samples::ONE_ROOT.text).unwrap().claims().clone();
        claims.server_addresses = vec!["203.0.113.10:8503".into()];
        claims
    }

    fn codes(change: impl FnOnce(&mut PeeringToken)) -> Vec<&'static str> {
        let mut claims = claims();
        change(&mut claims);
        let report = inspect(&claims.encode(), at(NOW));
        let has_errors = report.findings.iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(report.is_usable, !has_errors, "{report:?}");
        report.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_good_token_has_no_finding_and_shows_everything_but_the_secret() {
        let mut claims = claims();
        claims.peer_name = Some("cluster-02".into());
        claims.token_id = Some("11111111-2222-3333-4444-555555555555".into());
        claims.expires_at = Some(at("2030-06-02T00:00:00Z"));
        let report = inspect(&claims.encode(), at(NOW));
        assert_eq!((report.kind, report.is_usable, &report.refusal), ("Consul peering token", true, &None));
        assert_eq!(report.findings, []);
        let json = serde_json::to_value(&report).unwrap();
        let contents = &json["Contents"];
        assert_eq!((&contents["PeerName"], &contents["Datacenter"]), (&"cluster-02".into(), &"dc1".into()));
        assert_eq!(contents["TokenID"], "11111111-2222-3333-4444-555555555555");
        assert_eq!(contents["ExpiresAt"], "2030-06-02T00:00:00Z");
        assert_eq!(contents["PeerID"], "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d");
        assert_eq!(contents["HasEstablishmentSecret"], true);
        let certificate = &contents["Certificates"][0];
        assert_eq!((&certificate["Subject"], &certificate["Key"]), (&"CN=example CA".into(), &"EC P-256".into()));
        assert_eq!(certificate["TrustDomain"], "0f5c1f5e-7a3b-4c1d-9e2f-64b0a1c2d3e4.consul");
        assert_eq!(certificate["Problem"], serde_json::Value::Null);
        assert!(!format!("{json} {report:?}").contains(claims.establishment_secret.expose()));
    }

    #[test]
    fn each_defect_of_a_token_has_its_finding() {
        let expired = fixtures::root("d", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z");
        let foreign = fixtures::root("other.consul", "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
        assert_eq!(codes(|it| it.establishment_secret = EstablishmentSecret::from_text("")), ["no-secret"]);
        assert_eq!(codes(|it| it.peer_id = "p".into()), ["peer-id"]);
        assert_eq!(codes(|it| it.peer_id.clear()), ["no-peer-id"]);
        assert_eq!(codes(|it| it.token_id = Some("x".into())), ["token-id"]);
        assert_eq!(codes(|it| it.manual_server_addresses = vec!["h:1".into()]), ["manual-only"]);
        assert_eq!(codes(|it| it.server_addresses.clear()), ["no-addresses"]);
        assert_eq!(codes(|it| it.server_addresses = vec!["h".into()]), ["address-no-port"]);
        assert_eq!(codes(|it| it.server_name.clear()), ["no-server-name"]);
        assert_eq!(codes(|it| it.ca.clear()), ["plaintext"]);
        assert_eq!(codes(|it| it.ca[0].clear()), ["root-unreadable"]);
        assert_eq!(codes(|it| it.ca.insert(0, expired.clone())), ["root-unusable"]);
        assert_eq!(codes(|it| it.ca = vec![expired]), ["no-usable-root", "root-unusable"]);
        assert_eq!(codes(|it| it.ca = vec![foreign]), ["trust-domain"]);
        assert_eq!(codes(|it| it.ca = vec![fixtures::P256.repeat(2)]), ["root-extra"]);
        assert_eq!(codes(|it| it.ca = vec![fixtures::P256.into(); 17]), ["too-many"]);
        assert_eq!(codes(|it| it.expires_at = Some(at(NOW))), ["expired"]);
    }

    #[test]
    fn the_refusal_is_what_establish_answers() {
        let report = inspect("e30=", at(NOW));
        assert_eq!(report.refusal.as_deref(), Some("peering token server addresses value is empty"));
        let report = inspect("+++/+++", at(NOW));
        assert_eq!(report.refusal.as_deref(), Some("failed to decode token: illegal base64 data at input byte 4"));
    }

    #[test]
    fn other_tokens_are_recognised_and_not_repeated() {
        let spaced = format!(" {}", samples::ONE_ROOT.text);
        for (text, kind, next_step) in [
            ("SWMTKN-1-abc-def", "Docker Swarm join token", "a node joins a swarm"),
            ("abcdef.0123456789abcdef", "Kubernetes bootstrap token", "a node joins a Kubernetes cluster"),
            (spaced.as_str(), "Consul peering token", "take out the spaces"),
            ("hello", "unknown", "copy the whole token again"),
        ] {
            let report = inspect(text, at(NOW));
            assert_eq!((report.kind, report.is_usable, &report.contents), (kind, false, &None));
            assert!(report.findings[0].next_step.starts_with(next_step));
            assert!(!format!("{report:?}").contains(text));
        }
    }

    #[test]
    fn foreign_text_in_findings_is_quoted() {
        let mut claims = claims();
        claims.server_addresses = vec!["evil\u{1b}[2J\u{202e}".into()];
        let report = inspect(&claims.encode(), at(NOW));
        assert_eq!(
            report.findings[0].message,
            r#"ServerAddresses has an address without a port: "evil\u{1b}[2J\u{202e}""#
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text: String) {
            prop_assert!(!inspect(&text, at(NOW)).is_usable);
        }
    }
}
