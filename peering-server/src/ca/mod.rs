//! Certificate authorities: one per purpose, the leaves they issue, and their renewal.
//!
//! Pure over values: the time is an argument, keys come and go as PEM, and storing or sealing them is the caller's
//! work. Only [`renew::keep`] waits for anything.

pub mod authority;
pub mod issue;
pub mod renew;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use time::OffsetDateTime;

pub use authority::{Authority, Purpose};
pub use issue::Leaf;
pub use renew::LeafKeeper;

/// How far in the past a certificate begins, for peers whose clocks are behind; Consul's number.
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(1);

/// Says why an authority could not be made, loaded or used. No variant carries key material.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaError {
    /// The clock is outside what a certificate can say.
    #[error("the clock reads {now}, expected a time after 1970 and well before 9999: set the clock")]
    Clock {
        /// What it read.
        now: Timestamp,
    },
    /// The root is not exactly one readable certificate.
    #[error("expected exactly one PEM certificate as the root, got {got} readable ones")]
    RootPem {
        /// How many there were.
        got: usize,
    },
    /// The root may not sign certificates.
    #[error("the root certificate is not a CA that may sign certificates")]
    RootNotCa,
    /// The root names no trust domain in its one URI.
    #[error("the root certificate has no URI such as spiffe://<cluster uuid>.consul")]
    RootTrustDomain,
    /// The root belongs to another purpose.
    #[error("the root certificate is not a {expected} root: its subject is not {expected:?} with its trust domain")]
    RootPurpose {
        /// What was asked for.
        expected: Purpose,
    },
    /// The root's time is over.
    #[error("the root certificate ended at {not_after}: rotate the authority")]
    RootExpired {
        /// When.
        not_after: Timestamp,
    },
    /// The key is not a P-256 key.
    #[error("expected the root's key as a PKCS #8 PEM with a P-256 key")]
    Key(#[source] rcgen::Error),
    /// The key is a good one, of another certificate.
    #[error("the key does not belong to the root certificate")]
    KeyMismatch,
    /// Making a key or a certificate failed.
    #[error("could not {operation}")]
    Generate {
        /// What was tried.
        operation: &'static str,
        /// What the library said.
        #[source]
        source: rcgen::Error,
    },
    /// The TLS library refused a leaf of ours.
    #[error("could not prepare a leaf for serving")]
    Serve(#[from] rustls::Error),
}

/// First and last second of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until, inclusive.
    pub not_after: Timestamp,
}

impl Validity {
    /// Spans a life from shortly before `now`, in whole seconds as certificates have them.
    fn beginning(now: Timestamp, life: SignedDuration) -> Result<Self, CaError> {
        let refused = |_| CaError::Clock { now };
        let not_before = Timestamp::from_second(now.as_second()).and_then(|now| now.checked_sub(BACKDATE));
        let not_before = not_before.map_err(refused)?;
        let not_after = not_before.checked_add(life).map_err(refused)?;
        // Certificates can hardly say earlier years, and a clock there is wrong anyway.
        if not_before < Timestamp::UNIX_EPOCH {
            return Err(CaError::Clock { now });
        }
        Ok(Self { not_before, not_after })
    }

    /// Returns the second at which half of the life is over.
    #[must_use]
    pub fn half(&self) -> Timestamp {
        let half = self.not_before.duration_until(self.not_after) / 2;
        self.not_before.checked_add(half).unwrap_or(self.not_after)
    }

    /// Tells whether `now` lies in the life.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    fn write(&self, params: &mut rcgen::CertificateParams) -> Result<(), CaError> {
        let offset =
            |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| CaError::Clock { now: at });
        params.not_before = offset(self.not_before)?;
        params.not_after = offset(self.not_after)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_begins_a_minute_ago_in_whole_seconds() {
        let now: Timestamp = "2026-03-01T12:00:00.75Z".parse().unwrap();
        let validity = Validity::beginning(now, SignedDuration::from_hours(72)).unwrap();
        assert_eq!(validity.not_before, "2026-03-01T11:59:00Z".parse().unwrap());
        assert_eq!(validity.not_after, "2026-03-04T11:59:00Z".parse().unwrap());
        assert_eq!(validity.half(), "2026-03-02T23:59:00Z".parse().unwrap());
    }

    #[test]
    fn a_clock_at_either_end_of_time_is_refused() {
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let refused = Validity::beginning(now, SignedDuration::from_hours(72)).unwrap_err();
            assert!(matches!(refused, CaError::Clock { .. }), "{now}");
        }
    }
}
