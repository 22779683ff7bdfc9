//! Tokens of other programs: good, wrong, and cut.

use super::*;

fn contents(text: &str) -> serde_json::Value {
    serde_json::to_value(inspect(text, at(NOW)).contents.unwrap()).unwrap()
}

#[test]
fn each_kind_is_known_and_its_fields_are_shown() {
    const HASH: &str = "6f28872fffbebd1198b30841c9eaca795ba045a95aeacdc25cfa4f16548be4cb";
    for (text, kind, codes, fields) in [
        (
            samples::SWARM,
            Kind::SwarmJoin,
            &["role-unknown", "life-unknown", "other-kind"][..],
            serde_json::json!({
                "Version": 1, "IsFips": false, "HasSecret": true,
                "CADigest": "0c50e905c4fd536c247405549e696706f3f12729a9676613b47a7c50f15bebb0",
            }),
        ),
        (
            samples::KUBEADM,
            Kind::Bootstrap,
            &["pin-apart", "life-unknown", "other-kind"],
            serde_json::json!({ "TokenID": "abcdef", "HasSecret": true }),
        ),
        (
            samples::K3S,
            Kind::K3s,
            &["life-unknown", "other-kind"],
            serde_json::json!({ "CAHash": HASH, "Username": "server", "TokenID": null, "HasSecret": true }),
        ),
        (
            samples::K3S_BOOTSTRAP,
            Kind::K3s,
            &["life-unknown", "other-kind"],
            serde_json::json!({ "CAHash": HASH, "Username": null, "TokenID": "abcdef", "HasSecret": true }),
        ),
        (
            samples::K3S_SHORT,
            Kind::K3s,
            &["no-ca-hash", "life-unknown", "other-kind"],
            serde_json::json!({ "CAHash": null, "Username": null, "TokenID": null, "HasSecret": true }),
        ),
        (
            samples::ELASTICSEARCH,
            Kind::ElasticsearchEnrollment,
            &["life-unknown", "other-kind"],
            serde_json::json!({
                "Version": "8.14.0", "Addresses": ["203.0.113.128:9200"], "CAFingerprint": HASH,
                "KeyID": "eif2CJEBkrwRclU9eT1L", "HasSecret": true,
            }),
        ),
    ] {
        let report = inspect(text, at(NOW));
        assert_eq!((report.kind, report.is_usable), (kind, true), "{report:?}");
        assert_eq!(codes_of(text), codes, "{text}");
        assert_eq!(contents(text), fields);
    }
    assert_eq!(codes_of(samples::SWARM_FIPS)[0], "fips");
    assert_eq!(contents(samples::SWARM_FIPS)["Version"], 2);
    assert_eq!(contents("K10::node:pw")["Username"], "node");
    assert_eq!(codes_of("K10::node:pw")[0], "no-ca-hash");
}

#[test]
fn tokens_and_links_of_skupper_show_their_addresses_and_certificates() {
    for (text, kind, codes, certificates) in [
        (samples::SKUPPER_CLAIM, Kind::SkupperClaim, &["other-kind"][..], &["ca.crt"][..]),
        (samples::SKUPPER_CONNECTION, Kind::SkupperConnection, &["life-unknown", "other-kind"], &["ca.crt", "tls.crt"]),
        (samples::SKUPPER_ACCESS_TOKEN, Kind::SkupperAccessToken, &["life-unknown", "other-kind"], &["spec.ca"]),
        (samples::SKUPPER_LINK, Kind::SkupperLink, &["life-unknown", "other-kind"], &["ca.crt", "tls.crt"]),
    ] {
        assert_eq!(codes_of(text), codes, "{text}");
        let report = inspect(text, at(NOW));
        assert_eq!((report.kind, report.is_usable), (kind, true));
        let Some(Contents::Skupper(contents)) = report.contents else { panic!() };
        let places: Vec<&str> = contents.certificates.iter().map(|certificate| certificate.place.as_str()).collect();
        assert_eq!(places, certificates);
        assert!(contents.has_secret && !contents.name.is_empty());
        assert_eq!(contents.url.is_some(), contents.addresses.is_empty());
        assert_eq!(contents.certificates[0].is_usable_root, Some(true));
    }
    let claim = contents(samples::SKUPPER_CLAIM);
    assert_eq!((&claim["ExpiresAt"], &claim["SiteVersion"]), (&"2030-06-01T00:15:00Z".into(), &"1.9.3".into()));
    assert_eq!(
        contents(samples::SKUPPER_LINK)["Addresses"],
        serde_json::json!(["203.0.113.2:55671", "203.0.113.2:45671"])
    );
    assert_eq!(contents(samples::SKUPPER_LINK)["TlsCredentials"], "link-west");
}

#[test]
fn defects_of_skupper_tokens_are_found() {
    let changed = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        codes_of(text.replace(from, to))
    };
    let claim = samples::SKUPPER_CLAIM;
    assert_eq!(changed(claim, "2030-06-01T00:15:00Z", "2030-05-01T00:15:00Z"), ["expired", "other-kind"]);
    assert_eq!(changed(claim, "2030-06-01T00:15:00Z", "soon"), ["part-malformed", "other-kind"]);
    assert_eq!(changed(claim, "password: aH", "passwort: a2"), ["no-secret", "other-kind"]);
    assert_eq!(changed(claim, "  name: 3756", "  nom: 3756"), ["cut", "other-kind"]);
    assert_eq!(changed(claim, "ca.crt: LS0t", "ca.crt: LS0t!"), ["no-usable-root", "other-kind"]);
    assert_eq!(changed(claim, "ca.crt", "ca.cert"), ["system-roots", "other-kind"], "as Skupper 1 takes it");
    assert_eq!(
        changed(claim, "https://claims-east.example.net", "https://127.0.0.1"),
        ["address-loopback", "other-kind"]
    );
    assert_eq!(changed(claim, "https://", "http://"), ["url-plaintext", "other-kind"], "as Skupper 1 takes it");
    assert_eq!(changed(claim, "https://", "ftp://"), ["address-malformed", "other-kind"]);
    let token = samples::SKUPPER_ACCESS_TOKEN;
    assert_eq!(changed(token, "https://", "http://"), ["address-malformed", "life-unknown", "other-kind"]);
    assert_eq!(changed(token, "  ca: ", "  cat: "), ["no-usable-root", "life-unknown", "other-kind"]);
    assert_eq!(
        changed(claim, "  labels:\n    skupper.io/type: token-claim\n", ""),
        ["other-kind"],
        "as Skupper deduces"
    );
    let link = samples::SKUPPER_LINK;
    assert_eq!(changed(link, "kind: Secret", "kind: Other"), ["no-secret", "life-unknown", "other-kind"]);
    assert_eq!(changed(link, "203.0.113.2", "169.254.1.1")[..2], ["address-link-local", "address-link-local"]);
    assert_eq!(changed(link, "203.0.113.2", "224.0.0.1")[0], "no-dialable-address");
    assert_eq!(changed(link, "host:", "h:")[..2], ["no-dialable-address", "address-unspecified"]);
    assert_eq!(changed(link, "port:", "p:")[..2], ["address-no-port", "no-dialable-address"]);
    assert_eq!(changed(link, "  tlsCredentials: link-west\n", "")[0], "cut");
    let leaf = crate::gojson::base64::encode(fixtures::LEAF.as_bytes());
    let root = crate::gojson::base64::encode(fixtures::RSA_2048.as_bytes());
    assert_eq!(changed(link, &root, &leaf)[..2], ["no-usable-root", "certificate-not-ca"]);
    let two = crate::gojson::base64::encode(fixtures::RSA_2048.repeat(2).as_bytes());
    assert_eq!(changed(link, &root, &two)[0], "certificate-extra");
    let start = link.find("tls.crt: ").unwrap() + "tls.crt: ".len();
    let own = link[start..].lines().next().unwrap();
    let pem = String::from_utf8(crate::gojson::base64::decode(own).unwrap().to_vec()).unwrap();
    let chain = crate::gojson::base64::encode([&pem, fixtures::RSA_2048].concat().as_bytes());
    assert_eq!(changed(link, own, &chain), ["life-unknown", "other-kind"], "a chain of its own");
}

#[test]
fn a_link_is_read_with_the_secret_that_it_names() {
    let link = samples::SKUPPER_LINK;
    let stranger = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: stranger\ndata: {}\n";
    assert_eq!(codes_of(format!("{stranger}{link}")), ["life-unknown", "other-kind"]);
    assert_eq!(codes_of(format!("{link}\n{stranger}")), ["life-unknown", "other-kind"]);
    let other = link.replace("tlsCredentials: link-west", "tlsCredentials: link-east");
    let report = inspect(&other, at(NOW));
    assert_eq!(
        report.findings[0].cause,
        r#"the Secret "link-east" with the certificate and key of the link is missing"#
    );
}

#[test]
fn more_than_one_token_of_skupper_is_told() {
    let expected = ["several-tokens", "life-unknown", "other-kind"];
    assert_eq!(codes_of(samples::SKUPPER_LINK.repeat(2)), expected);
    assert_eq!(codes_of(format!("{}\n{}", samples::SKUPPER_ACCESS_TOKEN, samples::SKUPPER_LINK)), expected);
    assert_eq!(
        codes_of(format!("{}\n---\n{}", samples::SKUPPER_CLAIM, samples::SKUPPER_CONNECTION)),
        ["several-tokens", "other-kind"]
    );
}

#[test]
fn a_hostile_document_is_refused_within_bounds() {
    let head = "apiVersion: v1\nkind: Secret\n";
    for (tail, code) in [
        (format!("x: {}1{}\n#", "[".repeat(100_000), "]".repeat(100_000)), "unreadable"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n#".to_owned(), "unreadable"),
        ("---\n".repeat(10_000) + "#", "unreadable"),
        (format!("x: [{}]\n#", "1,".repeat(100_000)), "unreadable"),
        ("metadata:\n  name: \"west".to_owned(), "cut"),
    ] {
        assert_eq!(codes_of(format!("{head}{tail}")), [code], "{:.40}", tail);
    }
    let twice = format!("{head}data:\n  password: hunter2-hunter2\n  password: [hunter2-hunter2]\n#\n");
    assert!(!format!("{:?}", inspect(twice, at(NOW))).contains("hunter2"), "an error tells nothing of the text");
}

#[test]
fn a_wrong_part_is_named() {
    let swarm = samples::SWARM.trim();
    for (text, codes) in [
        (swarm.replace("-1-", "-3-"), &["part-malformed", "other-kind"][..]),
        (swarm.replace("-1-", "-2-"), &["part-malformed", "other-kind"]),
        (swarm.replace("hxo0", "HXO0"), &["part-malformed", "role-unknown", "life-unknown", "other-kind"]),
        (swarm.replace("000avh9", "zzzavh9"), &["part-malformed", "role-unknown", "life-unknown", "other-kind"]),
        (format!("{swarm}0"), &["part-malformed", "role-unknown", "life-unknown", "other-kind"]),
        (samples::K3S.replace("K106f", "K106g"), &["part-malformed", "life-unknown", "other-kind"]),
    ] {
        assert_eq!(codes_of(&text), codes, "{text}");
    }
    let enrollment = |json: &str| codes_of(crate::gojson::base64::encode(json.as_bytes()));
    let hash = "0".repeat(64);
    assert_eq!(
        enrollment(r#"{"ver":"8","adr":[],"fgr":"x","key":"x"}"#),
        ["no-addresses", "part-malformed", "no-secret", "life-unknown", "other-kind"]
    );
    let local = format!(r#"{{"ver":"8","adr":["[::1]:9200"],"fgr":"{hash}","key":"a:b"}}"#);
    assert_eq!(enrollment(&local), ["address-loopback", "life-unknown", "other-kind"]);
    let near = local.replace("[::1]", "[fe80::1]");
    assert_eq!(enrollment(&near), ["address-link-local", "life-unknown", "other-kind"], "our own rules are not theirs");
    let report = inspect(crate::gojson::base64::encode(near.as_bytes()), at(NOW));
    assert!(
        report.findings[0].cause.ends_with("which is link-local and is reached only from the same link"),
        "{report:?}"
    );
}

#[test]
fn a_certificate_of_its_own_that_has_ended_is_an_error() {
    for (text, ends) in [(samples::SKUPPER_CONNECTION, "tls.crt"), (samples::SKUPPER_LINK, "tls.crt")] {
        let report = inspect(text, at("2130-01-01T00:00:00Z"));
        let told = report.findings.iter().find(|finding| finding.code == Code::Expired);
        assert!(told.is_some_and(|told| told.cause.starts_with(ends)), "{report:?}");
    }
}

#[test]
fn a_hash_of_k3s_in_upper_case_is_wrong() {
    let text = samples::K3S.replace("K106f28872fffb", "K106F28872FFFB");
    assert_eq!(codes_of(&text), ["part-malformed", "life-unknown", "other-kind"], "{text}");
}

#[test]
fn a_token_cut_at_any_byte_says_that_it_looks_cut_and_where() {
    let is_told = |text: &str| {
        let report = inspect(text, at(NOW));
        let told = report.findings.iter().find(|finding| finding.code == Code::Cut);
        told.is_some_and(|told| told.cause.contains(&format!("character {}", text.len())))
    };
    for (token, from) in [
        (claims().encode().as_str(), 3),
        (samples::ELASTICSEARCH.trim(), 3),
        (samples::SWARM.trim(), "SWMTKN-".len()),
        (samples::SWARM_FIPS.trim(), "SWMTKN-".len()),
        (samples::KUBEADM.trim(), "abcdef.01234567".len()),
    ] {
        let whole = token.trim_end_matches('=');
        let untold: Vec<usize> = (from..whole.len()).filter(|end| !is_told(&token[..*end])).collect();
        assert_eq!(untold, [0; 0], "{token}");
    }
    // From the first letter of its password on, nobody knows how long that should be.
    let k3s = samples::K3S.trim();
    let password = k3s.rfind(':').unwrap() + 1;
    assert_eq!((3..=password).filter(|end| !is_told(&k3s[..*end])).collect::<Vec<_>>(), [0; 0]);
    // A document that ends early may still be one.
    for document in [samples::SKUPPER_CLAIM, samples::SKUPPER_LINK] {
        for end in 0..document.len() {
            let report = inspect(&document[..end], at(NOW));
            assert!(!report.is_usable || end + 60 > document.len(), "{end}: {report:?}");
        }
    }
}

#[test]
fn the_kind_of_a_piece_is_known_by_its_keys() {
    let token = claims().encode();
    for (piece, kind) in [
        (&token[..200], Kind::ConsulPeering),
        (&token[200..], Kind::ConsulPeering),
        (&token[token.len() - 80..], Kind::ConsulPeering),
        (&samples::ELASTICSEARCH[..40], Kind::ElasticsearchEnrollment),
    ] {
        let report = inspect(piece, at(NOW));
        assert_eq!((report.kind, report.findings[0].code), (kind, Code::Cut), "{piece}");
    }
    let mut damaged = token.into_bytes();
    damaged.splice(600..604, *b"!!!!");
    let report = inspect(&damaged, at(NOW));
    assert!(!report.is_usable, "{report:?}");
    let json = samples::ONE_ROOT.json.replace("\"ServerName\"", "ServerName\"");
    let report = inspect(crate::gojson::base64::encode(json.as_bytes()), at(NOW));
    assert_eq!((report.kind, report.findings[0].code), (Kind::ConsulPeering, Code::Unreadable));
    assert!(report.findings[0].cause.starts_with("the JSON inside is damaged at byte "), "{report:?}");
}
