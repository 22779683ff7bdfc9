//! Verification: Consul's checks in Consul's order, then ours.

use jiff::Timestamp;

use super::consul::UnverifiedToken;
use super::error::{TokenWarning, VerifyError};
use crate::address::ServerAddress;
use crate::id::TokenId;
use crate::remote::RemoteInfo;
use crate::secret::EstablishmentSecret;
use crate::trust::{CaCertificate, TrustAnchors, Unusable};

/// Most entries in `CA`: a cluster has one root, and two or three while it rotates.
pub const CA_ENTRIES_MAX: usize = 16;

/// Most entries in each list of addresses: a cluster has three to seven servers.
pub const ADDRESSES_MAX: usize = 64;

/// A token that passed every check that needs no network. Only [`UnverifiedToken::verify`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedToken {
    /// Roots to trust for this peering and for nothing else; none means plaintext, which the caller must allow.
    pub trust: Option<TrustAnchors>,
    /// Addresses that an operator gave.
    pub manual_server_addresses: Vec<ServerAddress>,
    /// Addresses that the acceptor knows itself by.
    pub server_addresses: Vec<ServerAddress>,
    /// TLS name to send and to check; may be empty if there is no trust.
    pub server_name: String,
    /// The acceptor's id of the peering, to be sent back as it is.
    pub remote_id: String,
    /// The one-time secret. Consul does not check it, and so an empty one comes through; the acceptor refuses it.
    pub establishment_secret: EstablishmentSecret,
    /// Where the acceptor says it is.
    pub remote: RemoteInfo,
    /// Public name of the token, if it is one of ours.
    pub token_id: Option<TokenId>,
    /// From when on the acceptor refuses the token.
    pub expires_at: Option<Timestamp>,
    /// What was odd, for a log line or a person.
    pub warnings: Vec<TokenWarning>,
}

impl VerifiedToken {
    /// Returns the addresses to dial: the manual ones if there are any, else the automatic ones.
    #[must_use]
    pub fn dial_addresses(&self) -> &[ServerAddress] {
        if self.manual_server_addresses.is_empty() { &self.server_addresses } else { &self.manual_server_addresses }
    }
}

impl UnverifiedToken {
    /// Checks the token at a time.
    ///
    /// Consul's checks come first, in its order: every CA entry parses, there are addresses, each can be dialed, a CA
    /// has a server name, there is a peer id. Ours follow: the lists are short, the token has not expired, and if there
    /// is a CA, one entry is a usable root now. Entries that parse and are not usable are left out with a warning.
    ///
    /// # Errors
    /// [`VerifyError`], the first in that order.
    pub fn verify(self, now: Timestamp) -> Result<VerifiedToken, VerifyError> {
        let claims = self.into_claims();
        let parse_ca = |(index, pem): (usize, &String)| {
            CaCertificate::parse(pem).map_err(|reason| VerifyError::Ca { index, reason })
        };
        let certificates = claims.ca.iter().enumerate().map(parse_ca).collect::<Result<Vec<_>, _>>()?;
        if claims.manual_server_addresses.is_empty() && claims.server_addresses.is_empty() {
            return Err(VerifyError::NoAddresses);
        }
        let manual_server_addresses = addresses(&claims.manual_server_addresses)?;
        let server_addresses = addresses(&claims.server_addresses)?;
        if !certificates.is_empty() && claims.server_name.is_empty() {
            return Err(VerifyError::NoServerName);
        }
        if claims.peer_id.is_empty() {
            return Err(VerifyError::NoPeerId);
        }

        within("CA", certificates.len(), CA_ENTRIES_MAX)?;
        within("ManualServerAddresses", manual_server_addresses.len(), ADDRESSES_MAX)?;
        within("ServerAddresses", server_addresses.len(), ADDRESSES_MAX)?;
        if let Some(at) = claims.expires_at.filter(|at| *at <= now) {
            return Err(VerifyError::Expired { at });
        }
        let mut warnings = Vec::new();
        let trust = anchors(certificates, now, &mut warnings)?;
        let token_id = claims.token_id.as_deref().map(TokenId::parse);
        if let Some(Err(_)) = token_id {
            warnings.push(TokenWarning::TokenId);
        }
        Ok(VerifiedToken {
            trust,
            manual_server_addresses,
            server_addresses,
            server_name: claims.server_name,
            remote_id: claims.peer_id,
            establishment_secret: claims.establishment_secret,
            remote: claims.remote,
            token_id: token_id.and_then(Result::ok),
            expires_at: claims.expires_at,
            warnings,
        })
    }
}

fn addresses(texts: &[String]) -> Result<Vec<ServerAddress>, VerifyError> {
    texts.iter().map(|text| Ok(ServerAddress::parse(text)?)).collect()
}

const fn within(list: &'static str, got: usize, max: usize) -> Result<(), VerifyError> {
    if got > max { Err(VerifyError::TooMany { list, max, got }) } else { Ok(()) }
}

/// Keeps the certificates that are usable now. A token with a CA never ends up without one: that would be plaintext.
fn anchors(
    certificates: Vec<CaCertificate>,
    now: Timestamp,
    warnings: &mut Vec<TokenWarning>,
) -> Result<Option<TrustAnchors>, VerifyError> {
    let entries = certificates.len();
    let mut first: Option<Unusable> = None;
    let mut roots = Vec::with_capacity(entries);
    for (index, certificate) in certificates.into_iter().enumerate() {
        if certificate.has_more() {
            warnings.push(TokenWarning::RootsAfterFirst { index });
        }
        match certificate.usable_at(now) {
            Ok(()) => roots.push(certificate),
            Err(reason) => {
                first.get_or_insert(reason);
                warnings.push(TokenWarning::RootDropped { index, subject: certificate.subject().to_owned(), reason });
            }
        }
    }
    match (TrustAnchors::of(roots), first) {
        (Some(anchors), _) => Ok(Some(anchors)),
        (None, Some(first)) => Err(VerifyError::NoUsableRoot { entries, first }),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::PeeringToken;
    use crate::token::samples;
    use crate::trust::fixtures::{self, at};

    const NOW: &str = "2030-06-01T00:00:00Z";

    fn claims(text: &str) -> PeeringToken {
        UnverifiedToken::decode(text).unwrap().into_claims()
    }

    fn verify(claims: &PeeringToken) -> Result<VerifiedToken, VerifyError> {
        UnverifiedToken::decode(&claims.encode()).unwrap().verify(at(NOW))
    }

    /// A token that passes, with the change that a test makes to it.
    fn changed(change: impl FnOnce(&mut PeeringToken)) -> Result<VerifiedToken, VerifyError> {
        let mut claims = claims(samples::ONE_ROOT.text);
        change(&mut claims);
        verify(&claims)
    }

    fn refusal(change: impl FnOnce(&mut PeeringToken)) -> String {
        changed(change).unwrap_err().to_string()
    }

    fn texts(count: usize, text: &str) -> Vec<String> {
        vec![text.to_owned(); count]
    }

    #[test]
    fn a_token_of_a_real_consul_is_verified() {
        let token = verify(&claims(samples::REAL.text)).unwrap();
        assert_eq!(token.trust.as_ref().unwrap().roots().len(), 1);
        assert_eq!(token.trust.unwrap().pems(), claims(samples::REAL.text).ca);
        assert_eq!(token.server_addresses[0].as_str(), "127.0.0.1:18503");
        assert!(token.warnings.is_empty());
        assert_eq!((token.token_id, token.expires_at), (None, None));
    }

    #[test]
    fn manual_addresses_alone_are_dialed_if_there_are_any() {
        let token = verify(&claims(samples::REAL_EXTERNAL.text)).unwrap();
        assert_eq!(token.dial_addresses(), token.manual_server_addresses);
        let token = verify(&claims(samples::REAL.text)).unwrap();
        assert_eq!(token.dial_addresses(), token.server_addresses);
    }

    #[test]
    fn a_token_without_a_ca_is_plaintext() {
        let token = verify(&claims(samples::PLAINTEXT.text)).unwrap();
        assert!(token.trust.is_none());
        assert_eq!((token.server_name.as_str(), token.manual_server_addresses[0].host()), ("", "lb.example.net"));
    }

    #[test]
    fn each_check_of_consul_has_its_text() {
        for (text, expected) in [
            (refusal(|it| it.ca[0] = "x".into()), "peering token invalid CA: no PEM-encoded data found"),
            (refusal(|it| it.ca.push(String::new())), "peering token invalid CA: no PEM-encoded data found"),
            (refusal(|it| it.server_addresses.clear()), "peering token server addresses value is empty"),
            (refusal(|it| it.server_addresses.push("h".into())), "h is not a valid peering server address"),
            (refusal(|it| it.manual_server_addresses.push(String::new())), " is not a valid peering server address"),
            (refusal(|it| it.server_name.clear()), "peering token server name value is empty"),
            (refusal(|it| it.peer_id.clear()), "peering token peer ID value is empty"),
        ] {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn the_checks_come_in_consuls_order_and_before_ours() {
        let mut claims = claims(samples::ONE_ROOT.text);
        claims.ca = texts(CA_ENTRIES_MAX + 1, "x");
        claims.server_addresses.clear();
        claims.server_name.clear();
        claims.peer_id.clear();
        claims.expires_at = Some(at("2000-01-01T00:00:00Z"));
        let mut seen = Vec::new();
        let mut step = |claims: &PeeringToken| seen.push(verify(claims).unwrap_err().to_string());
        step(&claims);
        claims.ca = texts(CA_ENTRIES_MAX + 1, fixtures::LEAF);
        step(&claims);
        claims.manual_server_addresses = vec!["manual".into()];
        claims.server_addresses = vec!["automatic".into()];
        step(&claims);
        claims.manual_server_addresses = vec!["h:1".into()];
        step(&claims);
        claims.server_addresses = texts(ADDRESSES_MAX + 1, "h:1");
        step(&claims);
        claims.server_name = "s".into();
        step(&claims);
        claims.peer_id = "p".into();
        step(&claims);
        claims.ca = texts(CA_ENTRIES_MAX, fixtures::LEAF);
        step(&claims);
        claims.server_addresses = texts(ADDRESSES_MAX, "h:1");
        step(&claims);
        claims.expires_at = None;
        step(&claims);
        assert_eq!(
            seen,
            [
                "peering token invalid CA: no PEM-encoded data found",
                "peering token server addresses value is empty",
                "manual is not a valid peering server address",
                "automatic is not a valid peering server address",
                "peering token server name value is empty",
                "peering token peer ID value is empty",
                "peering token has too many entries in CA: expected at most 16, got 17",
                "peering token has too many entries in ServerAddresses: expected at most 64, got 65",
                "peering token expired at 2000-01-01T00:00:00Z; generate a new token",
                "peering token has no usable root certificate among 16, the first one is not the certificate of a CA; generate a new token",
            ]
        );
    }

    #[test]
    fn a_token_expires_at_its_second() {
        let expiring = |text| changed(|it| it.expires_at = Some(at(text)));
        assert_eq!(expiring(NOW).unwrap_err(), VerifyError::Expired { at: at(NOW) });
        assert_eq!(expiring("2030-06-01T00:00:01Z").unwrap().expires_at, Some(at("2030-06-01T00:00:01Z")));
    }

    #[test]
    fn unusable_roots_are_dropped_with_a_warning_and_the_rest_is_kept() {
        let expired = fixtures::root("d", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z");
        let future = fixtures::root("d", "2040-01-01T00:00:00Z", "2041-01-01T00:00:00Z");
        let token = changed(|it| {
            it.ca =
                vec![expired.clone(), future, fixtures::LEAF.into(), fixtures::RSA_1024.into(), fixtures::P256.into()];
        })
        .unwrap();
        assert_eq!(token.trust.unwrap().pems(), [fixtures::P256]);
        let dropped: Vec<usize> = token
            .warnings
            .iter()
            .map(|warning| match warning {
                TokenWarning::RootDropped { index, .. } => *index,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(dropped, [0, 1, 2, 3]);
        assert_eq!(
            token.warnings[0].to_string(),
            r#"CA entry 0 with subject "CN=root of a test" is not trusted: it expired at 2021-01-01T00:00:00Z"#
        );
    }

    #[test]
    fn a_token_whose_roots_are_all_unusable_never_becomes_plaintext() {
        let expired = fixtures::root("d", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z");
        let refused = changed(|it| it.ca = vec![expired]).unwrap_err();
        let first = Unusable::Expired { not_after: at("2021-01-01T00:00:00Z") };
        assert_eq!(refused, VerifyError::NoUsableRoot { entries: 1, first });
    }

    #[test]
    fn a_second_certificate_in_one_entry_is_not_trusted() {
        let token = changed(|it| it.ca = vec![format!("{}{}", fixtures::P256, fixtures::P384)]).unwrap();
        assert_eq!(token.trust.unwrap().pems(), [fixtures::P256]);
        assert_eq!(token.warnings, [TokenWarning::RootsAfterFirst { index: 0 }]);
    }

    #[test]
    fn a_token_id_that_is_none_is_ignored_with_a_warning() {
        let id = "11111111-2222-3333-4444-555555555555";
        let token = changed(|it| it.token_id = Some(id.into())).unwrap();
        assert_eq!(token.token_id.unwrap().to_string(), id);
        let token = changed(|it| it.token_id = Some("x".into())).unwrap();
        assert_eq!((token.token_id, token.warnings.as_slice()), (None, &[TokenWarning::TokenId][..]));
    }

    #[test]
    fn an_empty_secret_comes_through_as_it_does_in_consul() {
        let token = changed(|it| it.establishment_secret = EstablishmentSecret::from_text("")).unwrap();
        assert!(token.establishment_secret.is_empty());
    }
}
