//! Who can reach a host, by what it says of itself: a name is not resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can reach an address.
///
/// # Source
/// IANA's registries of special-purpose addresses, for IPv4 and IPv6.
///
/// # Examples
/// ```
/// use peering_core::address::Reach;
///
/// assert_eq!(Reach::of("10.1.2.3"), Reach::SameNetwork);
/// assert_eq!(Reach::of("::ffff:127.0.0.1"), Reach::SameMachine);
/// assert_eq!(Reach::of("lb.example.net"), Reach::Anybody);
/// assert!(!Reach::of("169.254.169.254").is_dialed());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// The host is neither an address nor a name.
    Nowhere,
    /// A wildcard, or none at all.
    Unspecified,
    /// A group of machines.
    Multicast,
    /// Broadcast, or kept for later.
    Reserved,
    /// The machine itself alone.
    SameMachine,
    /// Machines on the same link.
    SameLink,
    /// Machines in the same private network, or behind the same carrier.
    SameNetwork,
    /// As far as the address tells, everybody.
    Anybody,
}

impl Reach {
    /// Says who can reach a host: an address, perhaps with a zone, or a name.
    #[must_use]
    pub fn of(host: &str) -> Self {
        if host.is_empty() {
            return Self::Unspecified;
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Self::Nowhere;
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            return Self::SameMachine;
        }
        let literal = host.split_once('%').map_or(host, |(literal, _)| literal);
        match literal.parse() {
            Ok(IpAddr::V4(address)) => reach_v4(address),
            Ok(IpAddr::V6(address)) => embedded_v4(address).map_or_else(|| reach_v6(address), reach_v4),
            Err(_) => Self::Anybody,
        }
    }

    /// Says whether our dialer dials such an address.
    #[must_use]
    pub const fn is_dialed(self) -> bool {
        matches!(self, Self::SameMachine | Self::SameNetwork | Self::Anybody)
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [0, ..] => Reach::Unspecified,
        [224..=239, ..] => Reach::Multicast,
        [240..=255, ..] => Reach::Reserved,
        [127, ..] => Reach::SameMachine,
        [169, 254, ..] => Reach::SameLink,
        // The shared space of carriers is no more public than the private blocks.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::SameNetwork,
        _ => Reach::Anybody,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let is_site_local = address.segments()[0] & 0xffc0 == 0xfec0;
    if address.is_unspecified() {
        Reach::Unspecified
    } else if address.is_multicast() {
        Reach::Multicast
    } else if address.is_loopback() {
        Reach::SameMachine
    } else if address.is_unicast_link_local() {
        Reach::SameLink
    } else if address.is_unique_local() || is_site_local {
        Reach::SameNetwork
    } else {
        Reach::Anybody
    }
}

/// Returns the IPv4 address that an IPv6 one carries, in the forms that `peering_server::dial` unwraps.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // The unspecified and the loopback address are no IPv4 ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible, IPv4-mapped, IPv4-translated, NAT64 and NAT64 within a site.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        // 6to4.
        | [0x2002, high, low, ..] => joined(high, low),
        // Teredo.
        [0x2001, 0, .., high, low] => joined(!high, !low),
        _ => None,
    }
}
