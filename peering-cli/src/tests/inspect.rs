//! `inspect`, on tokens of a real Consul and on texts that are none.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{peering, peering_with};
use crate::Exit;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/tokens/consul").join(name)
}

fn secret_of(token: &str) -> String {
    let claims = std::fs::read_to_string(sample(&token.replace(".token", ".json"))).unwrap();
    let claims: Value = serde_json::from_str(&claims).unwrap();
    claims["EstablishmentSecret"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_is_the_same_as_an_argument_a_file_and_standard_input() {
    let path = sample("real.token");
    let token = std::fs::read_to_string(&path).unwrap();
    let from_file = peering(&["inspect", path.to_str().unwrap()], &[]);
    assert_eq!(peering(&["inspect", token.trim()], &[]), from_file);
    assert_eq!(peering_with(&["inspect", "-"], &[], &mut token.as_bytes()), from_file);
    assert!(from_file.stdout.starts_with("Kind:         Consul peering token\nUsable:       yes\n\n"), "{from_file:?}");
    for line in
        ["Expires At:   never", "Secret:       present, not shown", "Server Addresses:", "CA entry 0:", "Findings:"]
    {
        assert!(from_file.stdout.lines().any(|found| found == line), "{line}: {}", from_file.stdout);
    }
    assert_eq!((from_file.exit, from_file.stderr.as_str()), (Exit::Success, ""));
}

#[test]
fn the_secret_is_never_shown() {
    for name in ["real.token", "one-root.token", "plaintext.token", "real-external-addresses.token"] {
        let secret = secret_of(name);
        assert!(secret.len() >= 32);
        for format in ["pretty", "json"] {
            let ran = peering(&["inspect", sample(name).to_str().unwrap(), "-format", format], &[]);
            assert!(ran.stdout.contains("Consul peering token"), "{ran:?}");
            assert!(!format!("{ran:?}").contains(&secret), "{name}");
        }
    }
}

#[test]
fn json_has_the_report_on_one_line() {
    let ran = peering(&["inspect", sample("real.token").to_str().unwrap(), "-format=json"], &[]);
    assert_eq!((ran.exit, ran.stdout.lines().count()), (Exit::Success, 1));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["IsUsable"], &report["Contents"]["Datacenter"]), (&true.into(), &"dc1".into()));
}

#[test]
fn a_token_that_cannot_be_used_says_why_and_fails() {
    let ran = peering(&["inspect", sample("plaintext.token").to_str().unwrap()], &[]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Failure, "The token cannot be used\n"));
    assert!(ran.stdout.contains("\nFindings:\n    error: there is no CA"), "{}", ran.stdout);
    assert!(ran.stdout.contains("(plaintext)\n        What to do: "), "{}", ran.stdout);

    let ran = peering(&["inspect", "+++/+++"], &[]);
    let refusal =
        "Kind:         unknown\nUsable:       no: failed to decode token: illegal base64 data at input byte 4\n";
    assert!(ran.stdout.starts_with(refusal), "{}", ran.stdout);
    assert_eq!(ran.stderr, "The token cannot be used; there is no file of that name either\n");
    assert_eq!(ran.exit, Exit::Failure);
}

#[test]
fn something_must_be_given_and_only_one_thing() {
    let ran = peering(&["inspect"], &[]);
    assert_eq!(ran.stderr, "Missing the token to inspect: give the token, its file, or - for standard input\n");
    let ran = peering(&["inspect", "half", "secretpart"], &[]);
    assert_eq!(ran.stderr.lines().next(), Some("too many arguments: put a token that has blanks into quotes"));
    assert!(ran.exit == Exit::Failure && !ran.stderr.contains("secretpart"));
}

#[test]
fn hostile_texts_in_a_token_stay_on_their_line() {
    let hostile =
        r#"{"CA":["x"],"ServerAddresses":["a\u001b[2J\nUsable:       yes"],"ServerName":"\u202e","PeerID":"p"}"#;
    let ran = peering_with(&["inspect", "-"], &[], &mut STANDARD.encode(hostile).as_bytes());
    assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("Usable:")).count(), 1, "{}", ran.stdout);
    assert_eq!(ran.exit, Exit::Failure);
}
