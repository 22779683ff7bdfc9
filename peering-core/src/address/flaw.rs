//! What is wrong with the form of an address that is none.

/// What is wrong with a text that is not `host:port`, as far as it can be told.
///
/// # Examples
/// ```
/// use peering_core::address::Flaw;
///
/// assert_eq!(Flaw::of("https://h:1"), Flaw::Scheme);
/// assert_eq!(Flaw::of("2001:db8::1:8503"), Flaw::NoBrackets);
/// assert_eq!(Flaw::of("h"), Flaw::NoPort);
/// assert_eq!(Flaw::of("h:99999"), Flaw::Form);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It is a URL.
    Scheme,
    /// It is an IPv6 address without brackets.
    NoBrackets,
    /// It has no port.
    NoPort,
    /// Something else: the port is no number from 1 to 65535, or brackets stand in the wrong place.
    Form,
}

impl Flaw {
    /// Says what is wrong with a text that [`ServerAddress::parse`](super::ServerAddress::parse) refuses.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.contains("://") {
            Self::Scheme
        } else if !text.starts_with('[') && text.matches(':').count() > 1 {
            Self::NoBrackets
        } else if !text.contains(':') || text.starts_with('[') && text.ends_with(']') {
            Self::NoPort
        } else {
            Self::Form
        }
    }
}
