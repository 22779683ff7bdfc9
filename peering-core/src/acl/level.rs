//! How much a rule gives, and how much is asked for.

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing, whatever other rules say.
    Deny,
    /// Looking.
    Read,
    /// Looking at all keys under a prefix; for keys alone.
    List,
    /// Changing, and looking.
    Write,
}

impl Level {
    /// Reads a level; case does not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let levels = [("deny", Self::Deny), ("read", Self::Read), ("list", Self::List), ("write", Self::Write)];
        levels.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, level)| level)
    }

    /// Returns the one of two that counts: `deny`, then `write`, then `list`, then `read`.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Read => 0,
            Self::List => 1,
            Self::Write => 2,
            Self::Deny => 3,
        }
    }

    /// Says whether this is enough for an access.
    #[must_use]
    pub const fn allows(self, access: Access) -> bool {
        match access {
            Access::Read => !matches!(self, Self::Deny),
            Access::List => matches!(self, Self::List | Self::Write),
            Access::Write => matches!(self, Self::Write),
        }
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look.
    Read,
    /// Look at all keys under a prefix.
    List,
    /// Change.
    Write,
}

impl Access {
    /// Reads an access, in lower case as Consul does.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::List, Self::Write].into_iter().find(|access| access.as_str() == text)
    }

    /// Returns its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
        }
    }
}
