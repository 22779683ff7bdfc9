//! `inspect`, on tokens of a real Consul, on tokens of other programs, and on texts that are none.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peering_core::token::inspect::Code;
use serde_json::{Value, json};

use super::{Ran, peering, peering_with};
use crate::Exit;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/tokens").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(sample(name)).unwrap()
}

fn given(bytes: impl AsRef<[u8]>) -> Ran {
    peering_with(&["inspect", "-"], &[], &mut bytes.as_ref())
}

fn secret_of(token: &str) -> String {
    let claims: Value = serde_json::from_str(&text(&token.replace(".token", ".json"))).unwrap();
    claims["EstablishmentSecret"].as_str().unwrap().to_owned()
}

/// The token of `one-root` with a change.
fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut claims: Value = serde_json::from_str(&text("consul/one-root.json")).unwrap();
    change(&mut claims);
    STANDARD.encode(claims.to_string())
}

#[test]
fn a_token_is_the_same_as_an_argument_a_file_and_standard_input() {
    let path = sample("consul/one-root.token");
    let from_file = peering(&["inspect", path.to_str().unwrap()], &[]);
    assert_eq!(peering(&["inspect", text("consul/one-root.token").trim()], &[]), from_file);
    assert_eq!(given(text("consul/one-root.token")), from_file);
    assert_eq!((from_file.exit, from_file.stderr.as_str()), (Exit::Success, ""));
}

#[test]
fn the_secret_is_never_shown() {
    for name in ["real.token", "one-root.token", "plaintext.token", "real-external-addresses.token"] {
        let name = &format!("consul/{name}");
        let secret = secret_of(name);
        assert!(secret.len() >= 32);
        for format in ["pretty", "json", "yaml"] {
            let ran = peering(&["inspect", sample(name).to_str().unwrap(), "-format", format], &[]);
            assert!(ran.stdout.contains("Consul peering token"), "{ran:?}");
            assert!(!format!("{ran:?}").contains(&secret), "{name}");
        }
    }
}

#[test]
fn each_kind_has_its_page() {
    for (name, exit, page) in [
        ("consul/one-root.token", Exit::Success, include_str!("inspect/one-root.txt")),
        ("consul/real.token", Exit::Warning, include_str!("inspect/real.txt")),
        ("others/swarm.token", Exit::Success, include_str!("inspect/swarm.txt")),
        ("others/kubeadm.token", Exit::Success, include_str!("inspect/kubeadm.txt")),
        ("others/k3s.token", Exit::Success, include_str!("inspect/k3s.txt")),
        ("others/k3s-short.token", Exit::Warning, include_str!("inspect/k3s-short.txt")),
        ("others/elasticsearch.token", Exit::Success, include_str!("inspect/elasticsearch.txt")),
        ("others/skupper-claim.yaml", Exit::Success, include_str!("inspect/skupper-claim.txt")),
        ("others/skupper-connection.yaml", Exit::Success, include_str!("inspect/skupper-connection.txt")),
        ("others/skupper-access-token.yaml", Exit::Success, include_str!("inspect/skupper-access-token.txt")),
        ("others/skupper-link.yaml", Exit::Success, include_str!("inspect/skupper-link.txt")),
    ] {
        let ran = peering(&["inspect", sample(name).to_str().unwrap()], &[]);
        assert_eq!(ran.stdout, page, "{name}");
        let stderr = if exit == Exit::Warning { "The token may fail where it is used\n" } else { "" };
        assert_eq!((ran.exit, ran.stderr.as_str()), (exit, stderr), "{name}");
    }
}

/// A root that is valid from one day to another: years, months and days.
fn root(from: (i32, u8, u8), to: (i32, u8, u8)) -> String {
    let [from, to] = [from, to].map(|(year, month, day)| rcgen::date_time_ymd(year, month, day));
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "root of a test");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    (params.not_before, params.not_after) = (from, to);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

/// The sample of Elasticsearch with another address.
fn elasticsearch_at(address: &str) -> String {
    let json = STANDARD.decode(text("others/elasticsearch.token").trim()).unwrap();
    let mut fields: Value = serde_json::from_slice(&json).unwrap();
    fields["adr"] = json!([address]);
    STANDARD.encode(fields.to_string())
}

#[test]
fn each_finding_has_its_text() {
    let pem = text("consul/one-root.json");
    let pem: Value = serde_json::from_str(&pem).unwrap();
    let pem = pem["CA"][0].as_str().unwrap().to_owned();
    let certificate = |name: &str| text(&format!("../certificates/{name}.pem"));
    let old = "2030-05-31T23:59:59Z";
    let full = with(|_| ());
    let mut pages = String::new();
    for (what, bytes) in [
        ("blanks", b" \n\x0b".to_vec()),
        ("bytes", b"abc\xff".to_vec()),
        ("a word", b"hello".to_vec()),
        ("too long", vec![b'A'; 524_292]),
        ("longer than what is read", vec![b'A'; 1_048_577]),
        ("cut", full.as_bytes()[..1000].to_vec()),
        ("cut at the beginning", full.as_bytes()[1000..].to_vec()),
        ("damaged", with(|it| it["CA"] = json!(5)).into_bytes()),
        ("a swarm token with another letter", text("others/swarm.token").replace("hxo0", "hxO0").into_bytes()),
        ("a swarm token that was cut", text("others/swarm.token").as_bytes()[..70].to_vec()),
        ("a swarm token for FIPS", text("others/swarm-fips.token").into_bytes()),
        (
            "names",
            with(|it| {
                it["EstablishmentSecret"] = json!("");
                it["PeerID"] = json!("p");
                it["TokenID"] = json!("x");
                it["ExpiresAt"] = json!(old);
            })
            .into_bytes(),
        ),
        ("no names", with(|it| (it["PeerID"], it["ServerName"]) = (json!(""), json!(""))).into_bytes()),
        ("no id", with(|it| it["PeerID"] = json!("")).into_bytes()),
        ("ends soon", with(|it| it["ExpiresAt"] = json!("2030-06-01T00:05:00Z")).into_bytes()),
        ("an end that is no time", with(|it| it["ExpiresAt"] = json!("soon")).into_bytes()),
        ("plaintext", with(|it| it["CA"] = json!(null)).into_bytes()),
        ("no addresses", with(|it| it["ServerAddresses"] = json!([])).into_bytes()),
        ("too many addresses", with(|it| it["ServerAddresses"] = json!(vec!["h:1"; 65][..].to_vec())).into_bytes()),
        (
            "addresses",
            with(|it| {
                it["ManualServerAddresses"] = json!(["h:1"]);
                it["ServerAddresses"] = json!([
                    "localhost:1",
                    "169.254.1.1:1",
                    "0.0.0.0:1",
                    "224.0.0.1:1",
                    "255.255.255.255:1",
                    "10.0.0.1:1",
                    "10.0.0.1:1",
                    "https://h",
                    "::1:1",
                    "h",
                    "h:0",
                ]);
            })
            .into_bytes(),
        ),
        ("none to dial", with(|it| it["ServerAddresses"] = json!(["[fe80::1]:1"])).into_bytes()),
        (
            "certificates",
            with(|it| {
                let names = ["leaf", "no-cert-sign", "rsa-1024"].map(certificate);
                it["CA"] = json!([names[0], names[1], names[2], "x", pem.repeat(2)]);
            })
            .into_bytes(),
        ),
        (
            "dates of certificates",
            with(|it| {
                let dates =
                    [((2020, 1, 1), (2030, 5, 31)), ((2030, 6, 2), (2040, 1, 1)), ((2020, 1, 1), (2030, 6, 30))];
                it["CA"] = json!(dates.map(|(from, to)| root(from, to)));
            })
            .into_bytes(),
        ),
        ("no usable root", with(|it| it["CA"] = json!([certificate("leaf")])).into_bytes()),
        (
            "another trust domain",
            with(|it| it["ServerName"] = json!("server.dc1.peering.11111111-2222-3333-4444-555555555555.consul"))
                .into_bytes(),
        ),
        (
            "a folded token between quotes in a terminal",
            format!("$ token='{}\n{}'\n$", &full[..76], &full[76..]).into_bytes(),
        ),
        ("two tokens", format!("{full}\n{}\n", text("consul/real.token")).into_bytes()),
        ("two kinds of tokens", format!("{}\n{full}", text("others/swarm.token")).into_bytes()),
        ("JSON", format!("{{\"PeeringToken\":\"{full}\"}}").into_bytes()),
        ("UTF-16", full.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("invisible characters", format!("\u{feff}{full}\u{200b}").into_bytes()),
        ("lost padding", text("consul/plaintext.token").trim().trim_end_matches('=').as_bytes().to_vec()),
        ("a broken document", b"apiVersion: v1\nkind: Secret\nx: [\n}\n#".to_vec()),
        ("a claim of Skupper over http", text("others/skupper-claim.yaml").replace("https://", "http://").into_bytes()),
        (
            "a claim of Skupper without a CA",
            text("others/skupper-claim.yaml").replace("ca.crt", "ca.cert").into_bytes(),
        ),
        ("two links of Skupper", text("others/skupper-link.yaml").repeat(2).into_bytes()),
        ("an address of Elasticsearch that only a link reaches", elasticsearch_at("169.254.1.1:9200").into_bytes()),
        ("another document", b"apiVersion: v1\nkind: ConfigMap\n".to_vec()),
    ] {
        let ran = given(bytes);
        let findings = ran.stdout.split_once("\nFindings:\n").map_or("", |(_, findings)| findings);
        pages.push_str(&format!("# {what}: exit {}\n{findings}{}\n", ran.exit.code(), ran.stderr));
    }
    let findings = include_str!("inspect/findings.txt");
    assert_eq!(pages, findings);
    let shown = [
        findings,
        include_str!("inspect/k3s-short.txt"),
        include_str!("inspect/kubeadm.txt"),
        include_str!("inspect/swarm.txt"),
    ]
    .concat();
    let missing: Vec<&str> =
        Code::ALL.iter().map(|code| code.as_str()).filter(|code| !shown.contains(&format!(" ({code})\n"))).collect();
    assert_eq!(missing, [""; 0], "findings that no page shows");
}

#[test]
fn what_is_empty_or_too_long_has_a_report_in_every_format() {
    for (bytes, code) in [(&b""[..], "empty"), (b" \n", "empty"), (&[b'A'; 1_048_577], "too-long")] {
        for format in ["pretty", "json", "yaml"] {
            let ran = peering_with(&["inspect", "-", "-format", format], &[], &mut &bytes[..]);
            assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::NoToken, "This is no token\n"), "{format}");
            assert!(ran.stdout.contains(code), "{format}: {}", ran.stdout);
            let report: Option<Value> = match format {
                "json" => Some(serde_json::from_str(&ran.stdout).unwrap()),
                "yaml" => Some(serde_saphyr::from_str(&ran.stdout).unwrap()),
                _ => None,
            };
            assert!(report.is_none_or(|report| report["Findings"][0]["Code"] == code), "{format}: {}", ran.stdout);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let ran = peering(&["inspect", directory.path().to_str().unwrap(), "-format=json"], &[]);
    let message = format!("Error reading the peering token from {}: is a directory", directory.path().display());
    assert_eq!(ran, super::failed(&message));
}

#[test]
fn an_end_that_cannot_be_read_is_not_called_never() {
    let ran = given(with(|it| it["ExpiresAt"] = json!("soon")));
    assert_eq!(ran.exit, Exit::Warning);
    assert!(ran.stdout.contains("\nExpires At:   cannot be read\n"), "{}", ran.stdout);
}

#[test]
fn json_has_the_report_on_one_line() {
    let ran = peering(&["inspect", sample("consul/real.token").to_str().unwrap(), "-format=json"], &[]);
    assert_eq!((ran.exit, ran.stdout.lines().count()), (Exit::Warning, 1));
    assert_eq!(ran.stdout, include_str!("inspect/real.json"));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["IsUsable"], &report["Contents"]["Datacenter"]), (&true.into(), &"dc1".into()));
    assert_eq!(report["Findings"][0]["Code"], "address-loopback");
}

#[test]
fn yaml_has_the_same_report() {
    for name in ["consul/real.token", "others/elasticsearch.token", "others/skupper-link.yaml"] {
        let [json, yaml] = ["json", "yaml"]
            .map(|format| peering(&["inspect", sample(name).to_str().unwrap(), "-format", format], &[]).stdout);
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(&json).unwrap(), "{yaml}");
    }
    let ran = peering(&["inspect", sample("consul/real.token").to_str().unwrap(), "-format=yaml"], &[]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Warning, include_str!("inspect/real.yaml")));
    let ran = peering(&["inspect", "x", "-format=toml"], &[]);
    assert_eq!(ran, super::failed("Invalid format, valid formats are {json|pretty|yaml}"));
}

#[test]
fn a_token_that_cannot_be_used_says_why_and_fails() {
    let ran = peering(&["inspect", sample("consul/plaintext.token").to_str().unwrap()], &[]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Failure, "The token cannot be used\n"));
    assert!(ran.stdout.contains("\nFindings:\n    error: there is no CA"), "{}", ran.stdout);

    let ran = peering(&["inspect", "+++/+++"], &[]);
    assert!(ran.stdout.starts_with("Kind:         unknown\nUsable:       no\n\nFindings:\n"), "{}", ran.stdout);
    assert_eq!(
        (ran.exit, ran.stderr.as_str()),
        (Exit::NoToken, "This is no token; there is no file of that name either\n")
    );
    assert_eq!((given("garbage").exit, given("garbage").stderr.as_str()), (Exit::NoToken, "This is no token\n"));
    assert_eq!((Exit::Warning.code(), Exit::NoToken.code()), (2, 3));
}

#[test]
fn something_must_be_given_and_only_one_thing() {
    let ran = peering(&["inspect"], &[]);
    assert_eq!(ran.stderr, "Missing the token to inspect: give the token, its file, or - for standard input\n");
    let ran = peering(&["inspect", "half", "secretpart"], &[]);
    assert_eq!(
        ran.stderr.lines().next(),
        Some("too many arguments: -h shows what this command takes; put one that has blanks into quotes")
    );
    assert!(ran.exit == Exit::Failure && !ran.stderr.contains("secretpart"));
}

#[test]
fn hostile_texts_in_a_token_stay_on_their_line() {
    let hostile =
        r#"{"CA":["x"],"ServerAddresses":["a\u001b[2J\nUsable:       yes"],"ServerName":"\u202e","PeerID":"p"}"#;
    for format in ["pretty", "yaml", "json"] {
        let ran = peering_with(&["inspect", "-", "-format", format], &[], &mut STANDARD.encode(hostile).as_bytes());
        assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']), "{}", ran.stdout);
        assert!(ran.stdout.lines().filter(|line| line.starts_with("Usable:")).count() <= 1, "{}", ran.stdout);
        assert_eq!(ran.exit, Exit::Failure);
    }
}
