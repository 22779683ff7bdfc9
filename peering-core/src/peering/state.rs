//! States of a peering: the four that are stored, and the seven that are reported.
//!
//! | from | may become |
//! |---|---|
//! | none | Pending |
//! | Pending | Establishing (dialer), Deleting, Terminated |
//! | Establishing | Deleting, Terminated |
//! | Terminated | Pending (acceptor), Establishing (dialer), Deleting |
//! | Deleting | none |

use std::fmt;

use serde::{Deserialize, Serialize};

/// A state as it is stored. `ACTIVE` and `FAILING` never are: they belong to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// A token is out, or an exchange is under way.
    Pending,
    /// The exchange is done; the dialer may dial.
    Establishing,
    /// We ended it; what hangs on it is being removed.
    Deleting,
    /// The peer ended it.
    Terminated,
}

impl Stored {
    /// Says whether a record in this state may be written with that one; staying is always allowed.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use Stored::{Deleting, Establishing, Pending, Terminated};
        self == next
            || matches!(
                (self, next),
                (Pending, Establishing | Deleting | Terminated)
                    | (Establishing, Deleting | Terminated)
                    | (Terminated, Pending | Establishing | Deleting)
            )
    }
}

/// What is known about the peer stream of a peering at the moment of asking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Liveness {
    /// There is no stream, and the last one (if any) ended without an error.
    #[default]
    Quiet,
    /// A stream runs and the peer was heard of lately.
    Live,
    /// The last stream was lost or refused.
    Lost,
}

/// A state as it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reported {
    /// See [`Stored::Pending`].
    Pending,
    /// See [`Stored::Establishing`].
    Establishing,
    /// A stream runs.
    Active,
    /// The stream was lost or refused; the dialer keeps trying.
    Failing,
    /// See [`Stored::Deleting`].
    Deleting,
    /// See [`Stored::Terminated`].
    Terminated,
}

impl Reported {
    /// Combines what is stored with what the stream is doing. A peering that ended never reads as running.
    #[must_use]
    pub const fn of(stored: Stored, liveness: Liveness) -> Self {
        match (stored, liveness) {
            (Stored::Terminated, _) => Self::Terminated,
            (Stored::Deleting, _) => Self::Deleting,
            (_, Liveness::Live) => Self::Active,
            (_, Liveness::Lost) => Self::Failing,
            (Stored::Pending, Liveness::Quiet) => Self::Pending,
            (Stored::Establishing, Liveness::Quiet) => Self::Establishing,
        }
    }

    /// Returns the field's word for it, such as `ACTIVE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Establishing => "ESTABLISHING",
            Self::Active => "ACTIVE",
            Self::Failing => "FAILING",
            Self::Deleting => "DELETING",
            Self::Terminated => "TERMINATED",
        }
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_decides_only_while_the_peering_lives() {
        for stored in [Stored::Pending, Stored::Establishing] {
            assert_eq!(Reported::of(stored, Liveness::Live), Reported::Active);
            assert_eq!(Reported::of(stored, Liveness::Lost), Reported::Failing);
        }
        assert_eq!(Reported::of(Stored::Pending, Liveness::Quiet).as_str(), "PENDING");
        assert_eq!(Reported::of(Stored::Establishing, Liveness::Quiet).as_str(), "ESTABLISHING");
        for liveness in [Liveness::Quiet, Liveness::Live, Liveness::Lost] {
            assert_eq!(Reported::of(Stored::Deleting, liveness), Reported::Deleting);
            assert_eq!(Reported::of(Stored::Terminated, liveness), Reported::Terminated);
        }
    }

    #[test]
    fn nothing_leaves_deleting() {
        for next in [Stored::Pending, Stored::Establishing, Stored::Terminated] {
            assert!(!Stored::Deleting.may_become(next));
        }
    }
}
