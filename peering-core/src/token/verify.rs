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
    /// Keeps others from putting one together.
    _verified: (),
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
            _verified: (),
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
