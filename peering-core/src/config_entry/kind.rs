//! Kinds of config entries: the two that we keep, and those that only Consul has.

use thiserror::Error;

use crate::foreign::echo;

/// Kinds that Consul 1.21 knows and we do not keep: they say how a mesh routes, which is none of ours.
const ELSEWHERE: [&str; 16] = [
    "api-gateway",
    "bound-api-gateway",
    "file-system-certificate",
    "http-route",
    "ingress-gateway",
    "inline-certificate",
    "jwt-provider",
    "proxy-defaults",
    "sameness-group",
    "service-defaults",
    "service-intentions",
    "service-resolver",
    "service-router",
    "service-splitter",
    "tcp-route",
    "terminating-gateway",
];

/// A kind of config entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `exported-services`.
    ExportedServices,
    /// `mesh`.
    Mesh,
    /// One that Consul knows and we do not keep: there is never an entry of it.
    Elsewhere(&'static str),
}

/// Says that there is no such kind. The text is Consul's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invalid config entry kind: {}", echo(.given))]
pub struct KindError {
    /// What was given.
    pub given: String,
}

impl Kind {
    /// The kinds that we keep.
    pub const KEPT: [Self; 2] = [Self::ExportedServices, Self::Mesh];

    /// Finds a kind by its name.
    ///
    /// # Errors
    /// [`KindError`] if Consul does not know it either.
    pub fn parse(given: &str) -> Result<Self, KindError> {
        let kept = Self::KEPT.into_iter().find(|kind| kind.as_str() == given);
        let elsewhere = || ELSEWHERE.into_iter().find(|name| *name == given).map(Self::Elsewhere);
        kept.or_else(elsewhere).ok_or_else(|| KindError { given: given.to_owned() })
    }

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExportedServices => "exported-services",
            Self::Mesh => "mesh",
            Self::Elsewhere(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_exact_name() {
        for kind in Kind::KEPT {
            assert_eq!(Kind::parse(kind.as_str()), Ok(kind));
        }
        assert_eq!(Kind::parse("service-defaults"), Ok(Kind::Elsewhere("service-defaults")));
        for name in ["", "Mesh", "nope", "mesh "] {
            assert_eq!(Kind::parse(name).unwrap_err().to_string(), format!("invalid config entry kind: {name}"));
        }
    }
}
