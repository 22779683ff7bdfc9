//! Which IP addresses a server may dial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

/// Addresses of this host on this network (RFC 1122); Linux takes some of them for loopback.
const THIS_NETWORK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8);
/// Shared address space of carriers (RFC 6598): no more public than the private blocks.
const SHARED: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
/// Reserved addresses (RFC 1112), the broadcast address among them.
const RESERVED: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4);
/// Site-local addresses (RFC 3879 took them back), which some networks still route.
const SITE_LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10);

/// IPv6 forms that carry an IPv4 address in their last 32 bits.
const EMBEDDED_LAST: [Ipv6Net; 5] = [
    // IPv4-mapped, RFC 4291.
    Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    // IPv4-translated, RFC 2765.
    Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    // NAT64, RFC 6052.
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    // NAT64 within a site, RFC 8215, with its longest and commonest prefix.
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    // IPv4-compatible, RFC 4291; `::` and `::1` lie in it and are no IPv4 addresses.
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96),
];
/// 6to4 (RFC 3056), which carries an IPv4 address in bits 16 to 47.
const SIX_TO_FOUR: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

/// Teredo (RFC 4380), which carries the client's IPv4 address in its last 32 bits, inverted.
const TEREDO: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32);

/// Says why an address is not dialed, by its category: the address itself came from a stranger and is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DialRefusal {
    /// There is no host, which some systems take for this one.
    #[error("the address has no host: ask the peer to advertise one")]
    EmptyHost,
    /// `0.0.0.0/8` or `::`.
    #[error("the address is unspecified and leads to this machine: ask the peer to advertise a real one")]
    Unspecified,
    /// `169.254.0.0/16` or `fe80::/10`, where cloud machines find their credentials.
    #[error("the address is link-local")]
    LinkLocal,
    /// A group of machines.
    #[error("the address is a multicast address")]
    Multicast,
    /// `240.0.0.0/4` and the broadcast address.
    #[error("the address is a broadcast or reserved address")]
    Reserved,
    /// The operator forbids it.
    #[error("the address is denied by dial_deny in the settings of this server")]
    Denied,
    /// Loopback, but the token named no loopback address.
    #[error("the peer advertised a loopback address, and its peering token held none")]
    Loopback,
    /// Private, but the token named neither a private nor a loopback address.
    #[error("the peer advertised a private address, and its peering token held none")]
    Private,
}

/// How far an address reaches, nearest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Anywhere.
    Public,
    /// Within a site: RFC 1918, RFC 6598, unique local and site-local addresses.
    Private,
    /// Within this machine.
    Loopback,
}

impl Reach {
    /// Tells how far an address reaches, once it is unwrapped.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match unwrapped(address) {
            IpAddr::V4(address) if address.is_loopback() => Self::Loopback,
            IpAddr::V4(address) if address.is_private() || SHARED.contains(&address) => Self::Private,
            IpAddr::V6(address) if address.is_loopback() => Self::Loopback,
            IpAddr::V6(address) if address.is_unique_local() || SITE_LOCAL.contains(&address) => Self::Private,
            _ => Self::Public,
        }
    }
}

/// How an address became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressOrigin {
    /// From the peering token, which an operator of ours pasted: loopback and private addresses are fine.
    Token,
    /// From the peer, over the stream: no nearer than the nearest address of the token.
    Stream {
        /// How near that is.
        nearest_in_token: Reach,
    },
}

/// Decides which addresses are dialed.
///
/// # Examples
/// ```
/// use peering_server::dial::{AddressOrigin, DialPolicy, DialRefusal, Reach};
///
/// let policy = DialPolicy::new(vec!["10.9.0.0/16".parse()?]);
/// let check = |address: &str, origin| policy.check(address.parse().unwrap(), origin);
/// assert_eq!(check("10.8.0.1", AddressOrigin::Token), Ok(()));
/// assert_eq!(check("10.9.0.1", AddressOrigin::Token), Err(DialRefusal::Denied));
/// let learnt = AddressOrigin::Stream { nearest_in_token: Reach::Public };
/// assert_eq!(check("10.8.0.1", learnt), Err(DialRefusal::Private));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct DialPolicy {
    deny: Vec<IpNet>,
}

impl DialPolicy {
    /// Forbids these networks, besides those that are never dialed.
    #[must_use]
    pub const fn new(deny: Vec<IpNet>) -> Self {
        Self { deny }
    }

    /// Decides whether an address may be dialed.
    ///
    /// # Errors
    /// [`DialRefusal`] with its category.
    pub fn check(&self, address: IpAddr, origin: AddressOrigin) -> Result<(), DialRefusal> {
        let inner = unwrapped(address);
        match inner {
            // Multicast first: 224.0.0.0/4 and the reserved block lie side by side.
            IpAddr::V4(inner) if inner.is_multicast() => return Err(DialRefusal::Multicast),
            IpAddr::V4(inner) if THIS_NETWORK.contains(&inner) => return Err(DialRefusal::Unspecified),
            IpAddr::V4(inner) if inner.is_link_local() => return Err(DialRefusal::LinkLocal),
            IpAddr::V4(inner) if RESERVED.contains(&inner) => return Err(DialRefusal::Reserved),
            IpAddr::V6(inner) if inner.is_multicast() => return Err(DialRefusal::Multicast),
            IpAddr::V6(inner) if inner.is_unspecified() => return Err(DialRefusal::Unspecified),
            IpAddr::V6(inner) if inner.is_unicast_link_local() => return Err(DialRefusal::LinkLocal),
            _ => {}
        }
        if self.deny.iter().any(|net| net.contains(&address) || net.contains(&inner)) {
            return Err(DialRefusal::Denied);
        }
        match (origin, Reach::of(inner)) {
            (AddressOrigin::Token, _) | (_, Reach::Public) => Ok(()),
            (AddressOrigin::Stream { nearest_in_token }, reach) if reach <= nearest_in_token => Ok(()),
            (_, Reach::Loopback) => Err(DialRefusal::Loopback),
            (_, Reach::Private) => Err(DialRefusal::Private),
        }
    }
}

/// Takes the IPv4 address out of an IPv6 form that a router or the system would turn into it.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(outer) = address else { return address };
    if outer.is_unspecified() || outer.is_loopback() {
        return address;
    }
    let [_, a, b, .., c, d] = outer.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if SIX_TO_FOUR.contains(&outer) {
        IpAddr::V4(inner(a, b))
    } else if TEREDO.contains(&outer) {
        IpAddr::V4(inner(!c, !d))
    } else if EMBEDDED_LAST.iter().any(|form| form.contains(&outer)) {
        IpAddr::V4(inner(c, d))
    } else {
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINS: [AddressOrigin; 4] = [
        AddressOrigin::Token,
        AddressOrigin::Stream { nearest_in_token: Reach::Public },
        AddressOrigin::Stream { nearest_in_token: Reach::Private },
        AddressOrigin::Stream { nearest_in_token: Reach::Loopback },
    ];

    fn check(address: &str, origin: AddressOrigin) -> Result<(), DialRefusal> {
        DialPolicy::default().check(address.parse().unwrap(), origin)
    }

    #[test]
    fn some_addresses_are_never_dialed_whatever_form_they_have() {
        let never: [(DialRefusal, &[&str]); 4] = [
            (
                DialRefusal::Unspecified,
                &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::1", "2001::ffff:ffff"],
            ),
            (
                DialRefusal::LinkLocal,
                &[
                    "169.254.169.254",
                    "fe80::1",
                    "febf::1",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::1",
                    "2001:0:808:808::5601:5601",
                ],
            ),
            (
                DialRefusal::Multicast,
                &[
                    "224.0.0.1",
                    "239.255.255.255",
                    "ff02::1",
                    "::ffff:224.0.0.1",
                    "64:ff9b::e000:1",
                    "2002:e000:1::",
                    "2001::1fff:fffe",
                ],
            ),
            (
                DialRefusal::Reserved,
                &[
                    "255.255.255.255",
                    "240.0.0.1",
                    "::ffff:255.255.255.255",
                    "64:ff9b:1::ffff:ffff",
                    "2002:ffff:ffff::",
                    "::ffff:0:255.255.255.255",
                    "2001::",
                ],
            ),
        ];
        for (refusal, addresses) in never {
            for address in addresses {
                for origin in ORIGINS {
                    assert_eq!(check(address, origin), Err(refusal), "{address} {origin:?}");
                }
            }
        }
    }

    #[test]
    fn public_addresses_are_always_dialed() {
        for address in [
            "192.0.2.1",
            "8.8.8.8",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001::f7f7:f7f7",
        ] {
            for origin in ORIGINS {
                assert_eq!(check(address, origin), Ok(()), "{address} {origin:?}");
            }
        }
    }

    #[test]
    fn a_learnt_address_is_no_nearer_than_those_of_the_token() {
        let [token, public, private, loopback] = ORIGINS;
        for address in
            ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2001::80ff:fffe"]
        {
            assert_eq!(check(address, token), Ok(()), "{address}");
            assert_eq!(check(address, public), Err(DialRefusal::Loopback), "{address}");
            assert_eq!(check(address, private), Err(DialRefusal::Loopback), "{address}");
            assert_eq!(check(address, loopback), Ok(()), "{address}");
        }
        for address in [
            "10.0.0.1",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "fd00::1",
            "fec0::1",
            "64:ff9b::a00:1",
            "2001::f5ff:fffe",
        ] {
            assert_eq!(check(address, token), Ok(()), "{address}");
            assert_eq!(check(address, public), Err(DialRefusal::Private), "{address}");
            assert_eq!(check(address, private), Ok(()), "{address}");
            assert_eq!(check(address, loopback), Ok(()), "{address}");
        }
    }

    #[test]
    fn the_blocks_end_where_they_should() {
        for address in [
            "1.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "223.255.255.255",
            "fe7f::1",
            "172.32.0.1",
            "2003::1",
            "2001:1::",
        ] {
            assert_eq!(check(address, ORIGINS[1]), Ok(()), "{address}");
        }
    }

    #[test]
    fn the_deny_list_holds_for_the_address_and_for_what_it_wraps() {
        let policy = DialPolicy::new(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for address in
            ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::1", "2001::f5fe:fdfc", "2001:db8::1"]
        {
            let denied = policy.check(address.parse().unwrap(), AddressOrigin::Token);
            assert_eq!(denied, Err(DialRefusal::Denied), "{address}");
        }
        let mapped = DialPolicy::new(vec!["::ffff:0:0/96".parse().unwrap()]);
        assert_eq!(mapped.check("::ffff:8.8.8.8".parse().unwrap(), AddressOrigin::Token), Err(DialRefusal::Denied));
        assert_eq!(mapped.check("8.8.8.8".parse().unwrap(), AddressOrigin::Token), Ok(()));
    }
}
