//! What is said of tokens, good and bad.

mod dialects;
mod hidden;

use proptest::prelude::*;

use super::*;
use crate::secret::EstablishmentSecret;
use crate::token::PeeringToken;
use crate::token::samples;
use crate::trust::fixtures::{self, at};

const NOW: &str = "2030-06-01T00:00:00Z";

fn claims() -> PeeringToken {
    let mut claims = UnverifiedToken::decode(samples::ONE_ROOT.text).unwrap().claims().clone();
    claims.server_addresses = vec!["203.0.113.10:8503".into()];
    claims
}

/// Returns the codes of the findings in a text, the worst first.
fn codes_of(bytes: impl AsRef<[u8]>) -> Vec<&'static str> {
    let report = inspect(bytes, at(NOW));
    let has_errors = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(report.is_usable, !has_errors, "{report:?}");
    assert!(report.findings.is_sorted_by_key(|finding| finding.severity));
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// Returns the codes of the findings in a good token with a change.
fn codes(change: impl FnOnce(&mut PeeringToken)) -> Vec<&'static str> {
    let mut claims = claims();
    change(&mut claims);
    codes_of(claims.encode())
}

fn peering(report: &Report) -> &PeeringContents {
    let Some(Contents::Peering(contents)) = &report.contents else { panic!("{report:?}") };
    contents
}

#[test]
fn a_good_token_has_no_finding_and_shows_everything_but_the_secret() {
    let mut claims = claims();
    claims.peer_name = Some("cluster-02".into());
    claims.token_id = Some("11111111-2222-3333-4444-555555555555".into());
    claims.expires_at = Some(at("2030-06-02T00:00:00Z"));
    let report = inspect(claims.encode(), at(NOW));
    assert_eq!((report.kind, report.is_usable, &report.refusal), (Kind::Peering, true, &None));
    assert_eq!((report.findings.len(), report.worst()), (0, None));
    let json = serde_json::to_value(&report).unwrap();
    let contents = &json["Contents"];
    assert_eq!((&contents["PeerName"], &contents["Datacenter"]), (&"cluster-02".into(), &"dc1".into()));
    assert_eq!(contents["TokenID"], "11111111-2222-3333-4444-555555555555");
    assert_eq!(contents["ExpiresAt"], "2030-06-02T00:00:00Z");
    assert_eq!(contents["PeerID"], "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d");
    assert_eq!(contents["HasEstablishmentSecret"], true);
    assert!(!format!("{json} {report:?}").contains(claims.establishment_secret.expose()));
    assert_eq!(inspect(samples::ONE_ROOT.text, at(NOW)).kind, Kind::ConsulPeering);
}

#[test]
fn every_certificate_tells_what_people_compare() {
    let mut claims = claims();
    claims.ca = vec![fixtures::KUBEADM.to_owned(), fixtures::SWARM.to_owned(), fixtures::LEAF.to_owned()];
    let report = inspect(claims.encode(), at(NOW));
    let [kubeadm, swarm, leaf] = &peering(&report).certificates[..] else { panic!("{report:?}") };
    assert_eq!((kubeadm.place.as_str(), kubeadm.subject.as_deref()), ("CA entry 0", Some("CN=kubernetes")));
    assert_eq!(kubeadm.issuer, kubeadm.subject);
    assert_eq!((kubeadm.key.as_deref(), kubeadm.signature.as_deref()), (Some("EC P-256"), Some("ecdsa-with-SHA256")));
    let pin = "sha256:b97cff896ddf2493b1d49a9b4c92410f0cc72fc0168d99232b0650d8b0c43a41";
    assert_eq!(kubeadm.pin.unwrap().to_string(), pin);
    let fingerprint = "6f28872fffbebd1198b30841c9eaca795ba045a95aeacdc25cfa4f16548be4cb";
    assert_eq!(kubeadm.fingerprint.as_deref(), Some(fingerprint));
    let digest = "0c50e905c4fd536c247405549e696706f3f12729a9676613b47a7c50f15bebb0";
    assert_eq!(swarm.digest.unwrap().to_string(), digest);
    assert_eq!(
        (swarm.not_before, swarm.not_after),
        (Some(at("2026-01-01T00:00:00Z")), Some(at("2045-12-27T00:00:00Z")))
    );
    assert_eq!((swarm.is_ca, swarm.is_usable_root, &swarm.problem), (Some(true), Some(true), &None));
    assert_eq!((leaf.is_ca, leaf.is_usable_root), (Some(false), Some(false)));
    assert_eq!(leaf.problem.as_deref(), Some("is not the certificate of a CA"));
    assert_eq!(serde_json::to_value(swarm).unwrap()["Digest"], digest);
}

#[test]
fn each_defect_of_a_token_has_its_finding() {
    let expired = fixtures::root("d", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z");
    let early = fixtures::root("d", "2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z");
    let soon = fixtures::root("d", "2020-01-01T00:00:00Z", "2030-06-30T23:59:59Z");
    let late_enough =
        fixtures::root("0f5c1f5e-7a3b-4c1d-9e2f-64b0a1c2d3e4.consul", "2020-01-01T00:00:00Z", "2030-07-01T00:00:00Z");
    let foreign = fixtures::root("other.consul", "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
    assert_eq!(codes(|it| it.establishment_secret = EstablishmentSecret::from_text("")), ["no-secret"]);
    assert_eq!(codes(|it| it.peer_id = "p".into()), ["peer-id"]);
    assert_eq!(codes(|it| it.peer_id.clear()), ["no-peer-id"]);
    assert_eq!(codes(|it| it.token_id = Some("x".into())), ["token-id"]);
    assert_eq!(codes(|it| it.manual_server_addresses = vec!["h:1".into()]), ["manual-only"]);
    assert_eq!(codes(|it| it.server_addresses.clear()), ["no-addresses"]);
    assert_eq!(codes(|it| it.server_addresses = vec!["h".into()]), ["address-no-port", "no-dialable-address"]);
    assert_eq!(codes(|it| it.server_addresses.push("h".into())), ["address-no-port"]);
    assert_eq!(codes(|it| it.server_addresses.push("127.0.0.1:1".into())), ["address-loopback"]);
    assert_eq!(
        codes(|it| it.server_addresses = vec!["0.0.0.0:1".into()]),
        ["no-dialable-address", "address-unspecified"]
    );
    assert_eq!(codes(|it| it.server_name.clear()), ["no-server-name"]);
    assert_eq!(codes(|it| it.ca.clear()), ["plaintext"]);
    assert_eq!(codes(|it| it.ca[0].clear()), ["certificate-unreadable"]);
    assert_eq!(codes(|it| it.ca.insert(0, expired.clone())), ["certificate-expired"]);
    assert_eq!(codes(|it| it.ca.insert(0, early)), ["certificate-not-yet-valid"]);
    assert_eq!(codes(|it| it.ca.push(soon)), ["certificate-ends-soon"]);
    assert_eq!(codes(|it| it.ca = vec![late_enough]), [""; 0]);
    assert_eq!(codes(|it| it.ca.push(fixtures::LEAF.into())), ["certificate-not-ca"]);
    assert_eq!(codes(|it| it.ca.push(fixtures::NO_CERT_SIGN.into())), ["certificate-may-not-sign"]);
    assert_eq!(codes(|it| it.ca.push(fixtures::RSA_1024.into())), ["certificate-weak-key"]);
    assert_eq!(codes(|it| it.ca = vec![expired]), ["no-usable-root", "certificate-expired"]);
    assert_eq!(codes(|it| it.ca = vec![foreign]), ["trust-domain"]);
    assert_eq!(codes(|it| it.ca = vec![fixtures::P256.repeat(2)]), ["certificate-extra"]);
    assert_eq!(codes(|it| it.ca = vec![fixtures::P256.into(); 17]), ["too-many"]);
    assert_eq!(codes(|it| it.expires_at = Some(at(NOW))), ["expired"]);
    assert_eq!(codes(|it| it.expires_at = Some(at("2030-06-01T00:09:59Z"))), ["expires-soon"]);
    assert_eq!(codes(|it| it.expires_at = Some(at("2030-06-01T00:10:00Z"))), [""; 0]);
}

#[test]
fn the_refusal_is_what_establish_answers_to_a_peering_token() {
    let refusal = |change: fn(&mut PeeringToken)| {
        let mut claims = claims();
        change(&mut claims);
        inspect(claims.encode(), at(NOW)).refusal
    };
    let empty = "peering token server addresses value is empty";
    assert_eq!(refusal(|it| it.server_addresses.clear()).as_deref(), Some(empty));
    assert_eq!(refusal(|_| ()), None);
}

#[test]
fn no_byte_of_another_kind_is_quoted_as_a_refusal() {
    for text in samples::OTHERS.iter().copied().chain(["K10::node:pw", "e30=", "+++/+++", "hello"]) {
        assert_eq!(inspect(text, at(NOW)).refusal, None, "{text}");
    }
}

#[test]
fn what_is_no_token_says_so() {
    for (text, code) in [
        (&b""[..], "empty"),
        (b" \n", "empty"),
        (b"hello", "unknown"),
        (b"secret.yaml", "unknown"),
        (b"e30=", "unknown"),
        (b"eyJhbGciOiJIUzI1NiJ9", "unknown"),
        (b"abc\xff", "not-text"),
        (b"apiVersion: v1\nkind: ConfigMap\n", "unknown"),
        (b"apiVersion: v1\nkind: Secret\n", "unknown"),
        (b"apiVersion: v1\nkind: Secret\nmetadata: {labels: {skupper.io/type: token-claim-record}}\n", "unknown"),
    ] {
        assert_eq!(codes_of(text), [code], "{:?}", String::from_utf8_lossy(text));
        assert_eq!(inspect(text, at(NOW)).kind, Kind::Unknown);
    }
    assert_eq!(codes_of(vec![b'A'; INSPECT_BYTES_MAX + 1]), ["too-long"]);
    assert_eq!(codes_of("A".repeat(TOKEN_BYTES_MAX + 4)), ["too-long"]);
}

#[test]
fn what_surrounds_a_token_is_told_and_does_no_harm() {
    let token = claims().encode();
    for (text, codes) in [
        (format!("token=\"{token}\""), &["pasted-before", "pasted-quotes"][..]),
        (format!("{token}\nroot@east:~# "), &["pasted-after"]),
        (format!("{}\n{}", &token[..76], &token[76..]), &["pasted-blanks"]),
        (format!("{{\"PeeringToken\":\"{token}\"}}"), &["pasted-json"]),
        (format!("\u{feff}{token}\u{200b}"), &["pasted-invisible"]),
    ] {
        assert_eq!(codes_of(&text), codes, "{text}");
        assert_eq!(inspect(&text, at(NOW)).contents, inspect(&token, at(NOW)).contents);
    }
    let utf16: Vec<u8> = token.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(codes_of(utf16), ["pasted-utf16"]);
}

#[test]
fn different_tokens_in_a_text_are_told() {
    let token = claims().encode();
    let other = PeeringToken { peer_id: "5b1c9a0e-2f6d-4b7a-8c3e-000000000000".into(), ..claims() }.encode();
    assert_eq!(codes_of(format!("{token}\n{token}\n")), ["pasted-after"]);
    assert_eq!(codes_of(format!("{token}\n{other}\n")), ["several-tokens", "pasted-after"]);
    assert_eq!(codes_of(format!("{}\n{token}\n", samples::KUBEADM)), ["several-tokens", "pasted-before"]);
}

#[test]
fn an_end_that_is_no_time_is_told() {
    let encoded = |end: &str| {
        let json = samples::ONE_ROOT.json.replacen('{', &format!("{{\"ExpiresAt\":{end},"), 1);
        crate::gojson::base64::encode(
            json.replace("10.0.0.5", "203.0.113.5").replace("10.0.0.6", "203.0.113.6").as_bytes(),
        )
    };
    let plain = codes_of(encoded("null"));
    for end in ["\"soon\"", "\"\"", "5", "{\"a\":1}", "\"2030-06-02\""] {
        let codes = codes_of(encoded(end));
        assert_eq!(codes.iter().filter(|code| **code == "expires-at").count(), 1, "{end}");
        assert_eq!(
            codes.iter().filter(|code| **code != "expires-at").collect::<Vec<_>>(),
            plain.iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn foreign_text_in_findings_is_quoted() {
    let mut claims = claims();
    claims.server_addresses = vec!["evil\u{1b}[2J\u{202e}".into()];
    let report = inspect(claims.encode(), at(NOW));
    assert_eq!(report.findings[0].cause, r#"ServerAddresses has an address without a port: "evil\u{1b}[2J\u{202e}""#);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a_normal_token_takes_less_than_a_millisecond_when_optimised_and_not_much_more_else() {
    let text = samples::REAL.text;
    let took = |_| {
        let begun = std::time::Instant::now();
        std::hint::black_box(inspect(std::hint::black_box(text), at(NOW)));
        begun.elapsed()
    };
    let best = (0..50).map(took).min().unwrap();
    let bound = if cfg!(debug_assertions) { 20 } else { 1 };
    assert!(best < std::time::Duration::from_millis(bound), "{best:?}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, text: String) {
        prop_assert!(!inspect(&bytes, at(NOW)).is_usable || bytes.is_ascii());
        let _ = inspect(&text, at(NOW));
    }
}
