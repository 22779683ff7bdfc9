//! What is to be said about each address: whether it can be dialed, and from where.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::finding::Finding;
use crate::address::ServerAddress;
use crate::foreign::quoted;
use crate::token::verify::ADDRESSES_MAX;

/// The first 96 bits of addresses that a NAT64 gateway turns into IPv4 ones.
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Judges the addresses of one list, at most [`ADDRESSES_MAX`] of them.
pub(super) fn check(list: &str, addresses: &[String], findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for text in addresses.iter().take(ADDRESSES_MAX) {
        if !seen.insert(text) {
            let message = format!("{list} has {} more than once", quoted(text));
            findings.push(Finding::info("address-duplicate", message, "nothing; it is only dialed more often"));
            continue;
        }
        let finding = match ServerAddress::parse(text) {
            Ok(address) => reach(address.host()).map(|reach| reach.finding(list, text)),
            Err(_) => Some(malformed(list, text)),
        };
        findings.extend(finding);
    }
}

fn malformed(list: &str, text: &str) -> Finding {
    let (code, what, next_step) = if text.contains("://") {
        ("address-scheme", "a URL", "give host:port without a scheme")
    } else if !text.starts_with('[') && text.matches(':').count() > 1 {
        ("address-ipv6-brackets", "an IPv6 address without brackets", "write it as [address]:port")
    } else if !text.contains(':') || text.starts_with('[') && text.ends_with(']') {
        ("address-no-port", "an address without a port", "add the port, usually 8503")
    } else {
        ("address-malformed", "not host:port with a port from 1 to 65535", "correct it and generate a new token")
    };
    Finding::error(code, format!("{list} has {what}: {}", quoted(text)), next_step)
}

/// Who can reach an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nobody,
    SameMachine,
    SameLink,
    SameNetwork,
}

impl Reach {
    fn finding(self, list: &str, text: &str) -> Finding {
        let address = quoted(text);
        match self {
            Self::Nobody => Finding::warning(
                "address-unreachable",
                format!("{list} has {address}, which names no single machine and is never dialed"),
                "give the acceptor's own address with -server-external-addresses",
            ),
            Self::SameMachine => Finding::warning(
                "address-loopback",
                format!("{list} has {address}, which only the acceptor's own machine can reach"),
                "give an address that the dialer can reach with -server-external-addresses",
            ),
            Self::SameLink => Finding::warning(
                "address-link-local",
                format!("{list} has {address}, which is link-local and is never dialed"),
                "give an address that the dialer can reach with -server-external-addresses",
            ),
            Self::SameNetwork => Finding::warning(
                "address-private",
                format!("{list} has {address}, which only the same private network can reach"),
                "check that the dialer is in that network, or give another with -server-external-addresses",
            ),
        }
    }
}

/// Says who can reach a host, if not everybody; a name is not resolved.
fn reach(host: &str) -> Option<Reach> {
    if host.is_empty() {
        return Some(Reach::Nobody);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Some(Reach::SameMachine);
    }
    let literal = host.split_once('%').map_or(host, |(literal, _)| literal);
    match literal.parse().ok()? {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(address) => reach_v4(address),
            None => reach_v6(address),
        },
    }
}

fn reach_v4(address: Ipv4Addr) -> Option<Reach> {
    let [first, second, ..] = address.octets();
    let is_carrier_grade = first == 100 && (64..128).contains(&second);
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        Some(Reach::Nobody)
    } else if address.is_loopback() {
        Some(Reach::SameMachine)
    } else if address.is_link_local() {
        Some(Reach::SameLink)
    } else if address.is_private() || is_carrier_grade {
        Some(Reach::SameNetwork)
    } else {
        None
    }
}

fn reach_v6(address: Ipv6Addr) -> Option<Reach> {
    if address.is_unspecified() || address.is_multicast() {
        Some(Reach::Nobody)
    } else if address.is_loopback() {
        Some(Reach::SameMachine)
    } else if address.is_unicast_link_local() {
        Some(Reach::SameLink)
    } else if address.is_unique_local() {
        Some(Reach::SameNetwork)
    } else {
        None
    }
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let is_nat64 = segments[..6] == NAT64;
    let last = || Ipv4Addr::from_bits(u32::from(segments[6]) << 16 | u32::from(segments[7]));
    address.to_ipv4_mapped().or_else(|| is_nat64.then(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(addresses: &[&str]) -> Vec<&'static str> {
        let addresses: Vec<String> = addresses.iter().map(|&text| text.to_owned()).collect();
        let mut findings = Vec::new();
        check("ServerAddresses", &addresses, &mut findings);
        findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn each_address_gets_the_finding_that_fits() {
        for (address, code) in [
            ("203.0.113.10:8503", None),
            ("lb.example.net:8503", None),
            ("[2001:db8::1]:8503", None),
            ("[64:ff9b::203.0.113.10]:1", None),
            ("localhost:1", Some("address-loopback")),
            ("a.LOCALHOST.:1", Some("address-loopback")),
            ("127.1.2.3:1", Some("address-loopback")),
            ("[::1]:1", Some("address-loopback")),
            ("[::ffff:127.0.0.1]:1", Some("address-loopback")),
            ("0.0.0.0:1", Some("address-unreachable")),
            ("[::]:1", Some("address-unreachable")),
            (":1", Some("address-unreachable")),
            ("224.0.0.1:1", Some("address-unreachable")),
            ("255.255.255.255:1", Some("address-unreachable")),
            ("[ff02::1]:1", Some("address-unreachable")),
            ("169.254.169.254:1", Some("address-link-local")),
            ("[fe80::1%eth0]:1", Some("address-link-local")),
            ("[64:ff9b::169.254.169.254]:1", Some("address-link-local")),
            ("10.0.0.5:1", Some("address-private")),
            ("172.31.0.1:1", Some("address-private")),
            ("192.168.1.1:1", Some("address-private")),
            ("100.64.0.1:1", Some("address-private")),
            ("100.127.255.255:1", Some("address-private")),
            ("100.128.0.1:1", None),
            ("[fd00::1]:1", Some("address-private")),
            ("h", Some("address-no-port")),
            ("[::1]", Some("address-no-port")),
            ("::1:8503", Some("address-ipv6-brackets")),
            ("2001:db8::1", Some("address-ipv6-brackets")),
            ("https://h:1", Some("address-scheme")),
            ("h:https", Some("address-malformed")),
            ("h:0", Some("address-malformed")),
            ("[::1]8503", Some("address-malformed")),
            ("", Some("address-no-port")),
        ] {
            assert_eq!(codes(&[address]), Vec::from_iter(code), "{address}");
        }
    }

    #[test]
    fn an_address_that_comes_twice_is_named_once_more() {
        assert_eq!(codes(&["h", "h", "h:1", "h:1"]), ["address-no-port", "address-duplicate", "address-duplicate"]);
    }

    #[test]
    fn a_long_list_is_judged_up_to_the_bound() {
        assert_eq!(codes(&vec!["127.0.0.1:1"; 10_000]).len(), ADDRESSES_MAX);
    }
}
