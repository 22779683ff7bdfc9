//! Peering tokens, Consul's and ours.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::address::{self, Dialer};
use super::certificate::{self, CertificateReport, Role};
use super::code::Code;
use super::finding::Findings;
use super::{Contents, Draft, Kind, check_end};
use crate::id::{PeeringId, TokenId};
use crate::remote::RemoteInfo;
use crate::token::consul::{PeeringToken, UnverifiedToken};
use crate::token::error::{DecodeError, VerifyError};
use crate::token::verify::{ADDRESSES_MAX, CA_ENTRIES_MAX, VerifiedToken};
use crate::trust::{CaCertificate, peering_trust_domain};

/// What a peering token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct PeeringContents {
    /// The acceptor's name for the peer that the token is meant for.
    pub peer_name: Option<String>,
    /// Public name of the token.
    #[serde(rename = "TokenID")]
    pub token_id: Option<String>,
    /// From when on the acceptor refuses the token. If absent, never, or there is a finding [`Code::ExpiresAt`].
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

/// Looks at base64 of JSON with Consul's keys.
///
/// # Source
/// Consul 1.21, `agent/structs/peering.go`, `PeeringToken`; the keys that follow are ours.
pub(super) fn look(text: &str, now: Timestamp, findings: &mut Findings) -> Option<Draft> {
    let token = match UnverifiedToken::decode(text) {
        Ok(token) => token,
        Err(error @ DecodeError::TooLong { .. }) => {
            findings.add(Code::TooLong, error.to_string());
            return Some(Draft::unknown());
        }
        Err(DecodeError::Json(error)) if !error.is_syntax() => {
            findings.add(Code::Unreadable, error.to_string());
            return Some(Draft { kind: Kind::ConsulPeering, contents: None });
        }
        Err(_) => return None,
    };
    let claims = token.claims();
    if is_empty(claims) {
        findings.add(Code::Unknown, "it is base64 of JSON, in which nothing of a peering token stands");
        return Some(Draft::unknown());
    }
    let is_ours = claims.token_id.is_some() || claims.peer_name.is_some();
    let kind = if is_ours { Kind::Peering } else { Kind::ConsulPeering };
    let certificates = certificates(&claims.ca, now, findings);
    check_addresses(claims, findings);
    check_names(claims, findings);
    if let Some(at) = claims.expires_at {
        check_end(at, now, findings);
    }
    if token.has_unreadable_end() {
        let cause = "ExpiresAt is no time: `establish` takes the token as if it had no end, and the acceptor goes by \
                     the end that it has kept itself";
        findings.add(Code::ExpiresAt, cause);
    }
    let contents = contents(claims, certificates);
    match token.verify(now) {
        Ok(verified) => check_verified(&verified, findings),
        Err(error) => refused(&error, findings),
    }
    Some(Draft::of(kind, Contents::Peering(Box::new(contents))))
}

/// Says whether nothing is in it that a peering token has.
fn is_empty(claims: &PeeringToken) -> bool {
    let PeeringToken { ca, manual_server_addresses, server_addresses, .. } = claims;
    let lists = [ca, manual_server_addresses, server_addresses];
    let is_nameless = claims.server_name.is_empty() && claims.peer_id.is_empty() && claims.peer_name.is_none();
    lists.into_iter().all(Vec::is_empty)
        && is_nameless
        && claims.establishment_secret.is_empty()
        && claims.remote == RemoteInfo::default()
        && claims.token_id.is_none()
}

fn certificates(entries: &[String], now: Timestamp, findings: &mut Findings) -> Vec<CertificateReport> {
    let entries = entries.iter().take(CA_ENTRIES_MAX).enumerate();
    let report = |(index, pem): (usize, &String)| {
        certificate::report(format!("CA entry {index}"), Role::Root, pem, now, findings)
    };
    entries.map(report).collect()
}

fn check_addresses(claims: &PeeringToken, findings: &mut Findings) {
    let PeeringToken { manual_server_addresses: manual, server_addresses: automatic, .. } = claims;
    let [is_manual_dialable, is_automatic_dialable] =
        [("ManualServerAddresses", manual), ("ServerAddresses", automatic)]
            .map(|(list, addresses)| address::check(list, addresses, Dialer::Ours, findings));
    let is_dialable = if manual.is_empty() { is_automatic_dialable } else { is_manual_dialable };
    let has_addresses = !manual.is_empty() || !automatic.is_empty();
    if has_addresses && !is_dialable {
        findings.add(Code::NoDialable, "none of the addresses that would be dialed can be");
    }
    if !manual.is_empty() && !automatic.is_empty() {
        findings.add(Code::ManualOnly, "only the manual addresses are dialed, the automatic ones are not");
    }
}

fn check_names(claims: &PeeringToken, findings: &mut Findings) {
    if claims.establishment_secret.is_empty() {
        findings.add(Code::NoSecret, "there is no establishment secret, so the acceptor will refuse");
    }
    if !claims.peer_id.is_empty() && PeeringId::parse(&claims.peer_id).is_err() {
        findings.add(Code::PeerId, "the peer id is not a UUID, so the acceptor will refuse");
    }
    if claims.token_id.as_deref().is_some_and(|id| TokenId::parse(id).is_err()) {
        findings.add(Code::TokenId, "the token id is not a UUID and is ignored");
    }
}

fn check_verified(verified: &VerifiedToken, findings: &mut Findings) {
    let Some(trust) = &verified.trust else {
        let cause = "there is no CA, so secrets and services would cross the network in plaintext";
        findings.add(Code::Plaintext, cause);
        return;
    };
    let named = peering_trust_domain(&verified.server_name);
    let mut domains = trust.roots().iter().filter_map(CaCertificate::spiffe_trust_domain).peekable();
    if let Some(named) = named
        && domains.peek().is_some()
        && domains.all(|domain| domain != named.as_str())
    {
        let cause = "the server name and the CA belong to different trust domains, so the TLS handshake may fail";
        findings.add(Code::TrustDomain, cause);
    }
}

/// Says what the checks of single entries have not said.
fn refused(error: &VerifyError, findings: &mut Findings) {
    let code = match error {
        VerifyError::Ca { index, .. } if *index < CA_ENTRIES_MAX => return,
        VerifyError::Address(_) | VerifyError::Expired { .. } => return,
        VerifyError::Ca { .. } => Code::CertificateUnreadable,
        VerifyError::NoAddresses => Code::NoAddresses,
        VerifyError::NoServerName => Code::NoServerName,
        VerifyError::NoPeerId => Code::NoPeerId,
        VerifyError::TooMany { .. } => Code::TooMany,
        VerifyError::NoUsableRoot { .. } => Code::NoUsableRoot,
    };
    findings.add(code, error.to_string());
}

fn contents(claims: &PeeringToken, certificates: Vec<CertificateReport>) -> PeeringContents {
    let locality = claims.remote.locality.clone().unwrap_or_default();
    let first = |list: &[String]| list.iter().take(ADDRESSES_MAX).cloned().collect();
    PeeringContents {
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
