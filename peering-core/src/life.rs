//! The life of an issued token, whatever its dialect: unused until it is redeemed, superseded, revoked or too old.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::TokenId;

/// What happened to one issued token.
///
/// Expiry is never stored: it is decided at the time that the caller passes to [`TokenLife::state_at`].
///
/// # Examples
/// ```
/// use jiff::Timestamp;
/// use peering_core::{id::TokenId, life::{TokenLife, TokenState}};
///
/// let id = TokenId::parse("5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d")?;
/// let issued: Timestamp = "2026-01-01T00:00:00Z".parse()?;
/// let life = TokenLife::issue(id, issued, Some("2026-01-01T01:00:00Z".parse()?));
/// assert_eq!(life.state_at(issued), TokenState::Unused);
/// assert_eq!(life.state_at("2026-01-01T01:00:00Z".parse()?), TokenState::Expired);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLife {
    id: TokenId,
    created: Timestamp,
    expires: Option<Timestamp>,
    end: Option<TokenEnd>,
}

/// How a token ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenEnd {
    /// It was used.
    Redeemed {
        /// When.
        at: Timestamp,
        /// By which address, where one was known.
        from: Option<IpAddr>,
    },
    /// A newer token for the same purpose took its place.
    Superseded {
        /// When.
        at: Timestamp,
        /// The newer token.
        by: TokenId,
    },
    /// It was taken back.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why.
        reason: RevokeReason,
        /// Whether it had been redeemed before, with a stream secret that was never used.
        was_redeemed: bool,
        /// When and from where that was. The first releases did not keep it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redeemed: Option<Redeemed>,
    },
}

/// When and from where a token was redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// When.
    pub at: Timestamp,
    /// By which address, where one was known.
    pub from: Option<IpAddr>,
}

/// Why a token was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevokeReason {
    /// An operator asked for it.
    Operator,
    /// Its peering was deleted.
    PeeringDeleted,
    /// The store was restored from a backup, and nobody knows what became of the token since.
    Restored,
}

impl RevokeReason {
    /// Returns the reason in the words in which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::PeeringDeleted => "peering_deleted",
            Self::Restored => "restored",
        }
    }
}

/// State of a token at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenState {
    /// Good for one use.
    Unused,
    /// Used.
    Redeemed,
    /// Replaced by a newer one.
    Superseded,
    /// Past its time without having been used.
    Expired,
    /// Taken back.
    Revoked,
}

impl TokenState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Unused, Self::Redeemed, Self::Superseded, Self::Expired, Self::Revoked];

    /// Returns the state in one word, as it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Redeemed => "redeemed",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Finds the state of a word; none of another.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl TokenLife {
    /// Begins the life of a token. It is good up to, and not at, `expires`.
    #[must_use]
    pub const fn issue(id: TokenId, created: Timestamp, expires: Option<Timestamp>) -> Self {
        Self { id, created, expires, end: None }
    }

    /// Returns the public name of the token.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// Returns when the token was issued.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// Returns when the token ends by itself, if it does.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Returns how it ended, unless it is unused or expired.
    #[must_use]
    pub const fn end(&self) -> Option<&TokenEnd> {
        self.end.as_ref()
    }

    /// Returns when and from where it was redeemed, if it was and that is known.
    #[must_use]
    pub fn redeemed(&self) -> Option<Redeemed> {
        match &self.end {
            Some(TokenEnd::Redeemed { at, from }) => Some(Redeemed { at: *at, from: *from }),
            Some(TokenEnd::Revoked { redeemed, .. }) => *redeemed,
            Some(TokenEnd::Superseded { .. }) | None => None,
        }
    }

    /// Returns its state at `now`.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> TokenState {
        match &self.end {
            Some(TokenEnd::Redeemed { .. }) => TokenState::Redeemed,
            Some(TokenEnd::Superseded { .. }) => TokenState::Superseded,
            Some(TokenEnd::Revoked { .. }) => TokenState::Revoked,
            None if self.expires.is_some_and(|expires| expires <= now) => TokenState::Expired,
            None => TokenState::Unused,
        }
    }

    /// Returns since when the token has been of no use at `now`, if it is.
    #[must_use]
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.end {
            Some(TokenEnd::Redeemed { at, .. } | TokenEnd::Superseded { at, .. } | TokenEnd::Revoked { at, .. }) => {
                Some(*at)
            }
            None => self.expires.filter(|expires| *expires <= now),
        }
    }

    /// Ends the life of an unused token by its use.
    pub fn redeem(&mut self, at: Timestamp, from: Option<IpAddr>) {
        self.end = Some(TokenEnd::Redeemed { at, from });
    }

    /// Ends the life of an unused token in favour of another.
    pub fn supersede(&mut self, at: Timestamp, by: TokenId) {
        self.end = Some(TokenEnd::Superseded { at, by });
    }

    /// Takes the token back; one that was redeemed is remembered as such.
    pub fn revoke(&mut self, at: Timestamp, reason: RevokeReason) {
        let redeemed = self.redeemed();
        self.end = Some(TokenEnd::Revoked { at, reason, was_redeemed: redeemed.is_some(), redeemed });
    }
}
