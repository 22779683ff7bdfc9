//! What is to be said about each address: whether it can be dialed, and from where.

use std::collections::HashSet;

use super::code::Code;
use super::finding::Findings;
use crate::address::{Flaw, Reach, ServerAddress};
use crate::foreign::quoted;
use crate::token::verify::ADDRESSES_MAX;

/// Whose rules say which addresses are dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialer {
    /// Our own.
    Ours,
    /// Those of another program, of which only what is so for everybody can be said.
    Another,
}

/// Judges the addresses of one list, at most [`ADDRESSES_MAX`] of them, and returns whether one may be dialed.
pub(super) fn check(list: &str, addresses: &[String], dialer: Dialer, findings: &mut Findings) -> bool {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    let mut is_dialable = false;
    for text in addresses.iter().take(ADDRESSES_MAX) {
        let shown = quoted(text);
        if !seen.insert(text) {
            if repeated.insert(text) {
                findings.add(Code::AddressDuplicate, format!("{list} has {shown} more than once"));
            }
            continue;
        }
        let reach = match ServerAddress::parse(text) {
            Ok(address) => Reach::of(address.host()),
            Err(_) => {
                let (code, what) = malformed(Flaw::of(text));
                findings.add(code, format!("{list} has {what}: {shown}"));
                continue;
            }
        };
        is_dialable |= is_dialed(reach, dialer);
        if let Some((code, what)) = finding(reach) {
            let more = match dialer {
                Dialer::Ours if !matches!(reach, Reach::Nowhere) && !is_dialed(reach, dialer) => " and is never dialed",
                Dialer::Another if reach == Reach::SameLink => " and is reached only from the same link",
                _ => "",
            };
            findings.add(code, format!("{list} has {shown}, {what}{more}"));
        }
    }
    is_dialable
}

/// Says what is wrong with the form of an address.
const fn malformed(flaw: Flaw) -> (Code, &'static str) {
    match flaw {
        Flaw::Scheme => (Code::AddressScheme, "a URL"),
        Flaw::NoBrackets => (Code::AddressBrackets, "an IPv6 address without brackets"),
        Flaw::NoPort => (Code::AddressNoPort, "an address without a port"),
        Flaw::Form => (Code::AddressMalformed, "what is not host:port with a port from 1 to 65535"),
    }
}

const fn finding(reach: Reach) -> Option<(Code, &'static str)> {
    Some(match reach {
        Reach::Nowhere => (Code::AddressMalformed, "whose host is no name that anybody could resolve"),
        Reach::Unspecified => (Code::AddressUnspecified, "which names no single machine"),
        Reach::Multicast => (Code::AddressMulticast, "which is a multicast address"),
        Reach::Reserved => (Code::AddressMulticast, "which is a broadcast or reserved address"),
        Reach::SameMachine => (Code::AddressLoopback, "which only the machine that made the token can reach"),
        Reach::SameLink => (Code::AddressLinkLocal, "which is link-local"),
        Reach::SameNetwork => (Code::AddressPrivate, "which only the same private network can reach"),
        Reach::Anybody => return None,
    })
}

const fn is_dialed(reach: Reach, dialer: Dialer) -> bool {
    match dialer {
        Dialer::Ours => reach.is_dialed(),
        // Some networks use the reserved ones among themselves.
        Dialer::Another => reach.is_dialed() || matches!(reach, Reach::Reserved | Reach::SameLink),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(addresses: &[&str]) -> Vec<&'static str> {
        let addresses: Vec<String> = addresses.iter().map(|&text| text.to_owned()).collect();
        let mut findings = Findings::default();
        check("ServerAddresses", &addresses, Dialer::Ours, &mut findings);
        findings.sorted().iter().map(|finding| finding.code.as_str()).collect()
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
            ("0.0.0.0:1", Some("address-unspecified")),
            ("[::]:1", Some("address-unspecified")),
            (":1", Some("address-unspecified")),
            ("224.0.0.1:1", Some("address-multicast")),
            ("255.255.255.255:1", Some("address-multicast")),
            ("[ff02::1]:1", Some("address-multicast")),
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
            ("[fec0::1]:1", Some("address-private")),
            ("0.1.2.3:1", Some("address-unspecified")),
            ("240.0.0.1:1", Some("address-multicast")),
            ("[2002:7f00:1::]:1", Some("address-loopback")),
            ("[2001:0:1:2:3:4:80ff:fffe]:1", Some("address-loopback")),
            ("[2002:cb00:710a::]:1", None),
            ("h", Some("address-no-port")),
            ("[::1]", Some("address-no-port")),
            ("::1:8503", Some("address-ipv6-brackets")),
            ("2001:db8::1", Some("address-ipv6-brackets")),
            ("https://h:1", Some("address-scheme")),
            ("h:https", Some("address-malformed")),
            ("h:0", Some("address-malformed")),
            (" h:1", Some("address-malformed")),
            ("[::1]8503", Some("address-malformed")),
            ("", Some("address-no-port")),
        ] {
            assert_eq!(codes(&[address]), Vec::from_iter(code), "{address}");
        }
    }

    #[test]
    fn an_address_that_comes_twice_is_named_once_more() {
        assert_eq!(
            codes(&["h", "h", "h", "h:1", "h:1"]),
            ["address-no-port", "address-duplicate", "address-duplicate"]
        );
    }

    #[test]
    fn only_what_is_dialed_counts() {
        for (address, by_us, by_another) in [
            ("127.0.0.1:1", true, true),
            ("h:1", true, true),
            ("169.254.0.1:1", false, true),
            ("240.0.0.1:1", false, true),
            ("224.0.0.1:1", false, false),
            ("0.0.0.0:1", false, false),
            ("h", false, false),
        ] {
            for (dialer, is_dialed) in [(Dialer::Ours, by_us), (Dialer::Another, by_another)] {
                let mut findings = Findings::default();
                assert_eq!(check("A", &[address.to_owned()], dialer, &mut findings), is_dialed, "{address}");
                let is_told = findings.sorted().iter().any(|finding| finding.cause.ends_with(" and is never dialed"));
                assert!(!is_told || dialer == Dialer::Ours && !is_dialed, "{address}");
            }
        }
    }

    #[test]
    fn a_long_list_is_judged_up_to_the_bound() {
        let many: Vec<String> = (0..10_000).map(|port| format!("127.0.0.1:{}", port + 1)).collect();
        let mut findings = Findings::default();
        check("ServerAddresses", &many, Dialer::Ours, &mut findings);
        assert_eq!(findings.sorted().len(), ADDRESSES_MAX);
    }
}
