//! What an operator should know of a token when it is issued: who can reach its addresses, and how long its authority
//! lasts. That a token never expires is no warning: it is what was asked for.

use jiff::{SignedDuration, Timestamp};
use peering_core::address::{Flaw, Reach, ServerAddress};
use peering_core::foreign;

use super::Service;
use super::peerings::CheckedTokenRequest;

/// An authority that ends sooner than this is warned of.
const AUTHORITY_ENDS_SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Service {
    /// Says what an operator should know about a token that is asked for; foreign text is escaped.
    #[must_use]
    pub fn token_warnings(&self, request: &CheckedTokenRequest) -> Vec<String> {
        let external = request.external_addresses();
        let mut warnings: Vec<String> = if external.is_empty() {
            let guessed = self.advertised.first().filter(|_| self.is_guessed).map(|address| {
                format!(
                    "nobody said where peers reach this server, so the token names this machine's own address, {}; set -advertise",
                    foreign::quoted(address.as_str())
                )
            });
            let ours = self.advertised.iter().filter_map(|address| address_warning(address.as_str()));
            guessed.into_iter().chain(ours).collect()
        } else {
            external.iter().filter_map(|address| address_warning(address)).collect()
        };
        let ends = self.cluster.authority().validity().not_after;
        warnings.extend(authority_warning(ends, self.clock.now(), request.expires()));
        warnings
    }
}

/// Says that an authority is over, or will soon be, or before a token that it vouches for.
fn authority_warning(ends: Timestamp, now: Timestamp, expires: Option<Timestamp>) -> Option<String> {
    if ends <= now {
        return Some(format!(
            "the certificate authority of this cluster expired at {ends}, so no peer can use the token; check this machine's clock"
        ));
    }
    if expires.is_some_and(|expires| expires > ends) {
        return Some(format!(
            "the certificate authority of this cluster expires at {ends}, before the token; peerings end then"
        ));
    }
    (now.duration_until(ends) < AUTHORITY_ENDS_SOON)
        .then(|| format!("the certificate authority of this cluster expires at {ends}; peerings end then"))
}

fn address_warning(text: &str) -> Option<String> {
    let what = match ServerAddress::parse(text) {
        Ok(address) => reach_warning(Reach::of(address.host()), address.host().is_empty())?,
        Err(_) => flaw_warning(Flaw::of(text)),
    };
    Some(format!("address {} {what}", foreign::quoted(text)))
}

const fn flaw_warning(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Scheme => "is a URL, the peer will refuse this token; write host:port, without a scheme",
        Flaw::NoBrackets => "is not host:port, the peer will refuse this token; write an IPv6 host in brackets",
        Flaw::NoPort => "has no port, the peer will refuse this token; write host:port",
        _ => "is not host:port with a port from 1 to 65535, the peer will refuse this token",
    }
}

const fn reach_warning(reach: Reach, has_no_host: bool) -> Option<&'static str> {
    Some(match reach {
        Reach::Unspecified if has_no_host => "has no host and cannot be dialed",
        Reach::Unspecified => "is a wildcard and cannot be dialed; set -advertise",
        Reach::SameMachine => "can be reached from this machine only; set -advertise or -server-external-addresses",
        Reach::Multicast => "is a multicast address and cannot be dialed",
        Reach::Reserved => "is a broadcast or reserved address: a peer of this program never dials it",
        Reach::SameLink => {
            "is link-local: a peer of this program never dials it; set -advertise or -server-external-addresses"
        }
        Reach::SameNetwork => "can be reached from this network only",
        Reach::Anybody => return None,
        _ => "has a host that is no name and cannot be dialed",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_not_everyone_can_reach_are_named() {
        for (text, part) in [
            ("127.0.0.1:8503", "this machine only"),
            ("[::1]:8503", "this machine only"),
            ("[::ffff:127.0.0.1]:8503", "this machine only"),
            ("localhost:8503", "this machine only"),
            ("0.0.0.0:8503", "wildcard"),
            ("[::]:8503", "wildcard"),
            (":8503", "no host"),
            ("10.1.2.3:8503", "this network only"),
            ("169.254.1.1:8503", "never dials it"),
            ("[fe80::1]:8503", "never dials it"),
            ("224.0.0.1:8503", "multicast"),
            ("[ff02::1]:8503", "multicast"),
            ("[fd00::1]:8503", "this network only"),
            ("100.64.0.1:8503", "this network only"),
            ("255.255.255.255:80", "broadcast"),
            (" a:1", "no name"),
            ("ex ample:1", "no name"),
            ("32.1.2.3", "no port"),
            ("", "no port"),
            ("host:99999", "from 1 to 65535"),
            ("host:0", "from 1 to 65535"),
            ("http://h:1", "without a scheme"),
            ("2001:db8::1:8503", "brackets"),
        ] {
            assert!(address_warning(text).is_some_and(|warning| warning.contains(part)), "{text}");
        }
        for text in ["203.0.113.7:8503", "lb.example.net:8503", "[2001:db8::1]:8503"] {
            assert_eq!(address_warning(text), None);
        }
    }

    #[test]
    fn an_authority_that_ends_before_its_peerings_do_is_named_with_its_end() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let days = |count: i64| now + SignedDuration::from_hours(24 * count);
        let warning = |ends, expires| authority_warning(ends, now, expires).unwrap_or_default();
        assert_eq!(warning(days(3_650), None), "");
        assert_eq!(warning(days(30), Some(days(30))), "");
        let soon = days(30) - SignedDuration::from_secs(1);
        assert_eq!(
            warning(soon, None),
            "the certificate authority of this cluster expires at 2026-03-31T11:59:59Z; peerings end then"
        );
        assert_eq!(
            warning(days(300), Some(days(301))),
            "the certificate authority of this cluster expires at 2026-12-26T12:00:00Z, before the token; peerings end then"
        );
        assert_eq!(
            warning(now, None),
            "the certificate authority of this cluster expired at 2026-03-01T12:00:00Z, so no peer can use the token; \
             check this machine's clock"
        );
    }
}
