//! Tokens at their bounds and one past them, through the API, the command line and `inspect`.

use peering_core::token::inspect;
use peering_core::token::inspect::Code;
use peering_server::dial::{AddressOrigin, DialPolicy};
use peering_tests::cluster::Cluster;
use peering_tests::hand::HandDialer;
use peering_tests::program::{Finished, Program};
use peering_tests::site::private_directory;
use peering_tests::{deceit, token};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::under_test::program;

/// The longest token: 512 KiB, which is a multiple of four as base64 is.
const TOKEN_BYTES_MAX: usize = 524_288;
const TEN_MIB: usize = 10 << 20;
/// Address space of a run, in KiB: what the program takes without a token, and a fraction of what it is given.
const ADDRESS_SPACE_KIB: usize = 160 << 10;

macro_rules! certificate {
    ($name:literal) => {
        include_str!(concat!("../../data/certificates/", $name, ".pem"))
    };
}

/// Makes a root with this subject, valid from one number of days from now to another.
fn root(subject: &str, from_days: i64, to_days: i64) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let now = OffsetDateTime::now_utc();
    params.not_before = now + time::Duration::days(from_days);
    params.not_after = now + time::Duration::days(to_days);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// A good token of a cluster that nobody can reach, with a change.
fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "CA": [certificate!("p256")], "ManualServerAddresses": null, "ServerAddresses": ["203.0.113.7:8503"],
        "ServerName": "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul",
        "PeerID": "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d",
        "EstablishmentSecret": "11111111-2222-3333-4444-555555555555", "Remote": { "Partition": "", "Datacenter": "dc1" },
    });
    change(&mut claims);
    token::of(&claims)
}

/// A token of this many bytes, which has no address.
fn of_length(bytes: usize) -> String {
    let padded = |padding: usize| {
        with(|claims| {
            claims["ServerAddresses"] = json!([]);
            claims["X"] = json!("x".repeat(padding));
        })
    };
    let text = padded(bytes / 4 * 3 - 10_000);
    let missing = (bytes - text.len()) / 4 * 3;
    let text = padded(bytes / 4 * 3 - 10_000 + missing);
    assert_eq!(text.len(), bytes);
    text
}

/// Runs the program in little memory, with an endless standard input.
async fn in_little_memory(words: &[&str]) -> Finished {
    let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; yes AAAA | \"$0\" \"$@\"");
    let program = program();
    let path = program.path().display().to_string();
    let words = ["-c", &script, &path].into_iter().chain(words.iter().copied());
    let finished = Program::at("/bin/sh").call(words).variable("PATH", "/usr/bin:/bin").finish().await;
    deceit::look_for_it("standard error", &finished.stderr);
    finished
}

#[tokio::test]
async fn a_token_at_the_bound_is_read_and_a_longer_one_is_not() {
    let cluster = Cluster::start("dc2").await;
    let no_addresses = "peering token server addresses value is empty";
    cluster.establish("dc1", &of_length(TOKEN_BYTES_MAX)).await.refuses(500, no_addresses);
    let too_long = "peering token is too long: expected at most 524288 bytes, got 524292; check what was pasted";
    cluster.establish("dc1", &of_length(TOKEN_BYTES_MAX + 4)).await.refuses(500, too_long);
    let too_large = "request body: expected at most 1048576 bytes, sent whole; got more, or a broken transfer";
    cluster.establish("dc1", &"A".repeat(TEN_MIB)).await.refuses(413, too_large);
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn lists_in_a_token_are_short() {
    let cluster = Cluster::start("dc2").await;
    for (key, entry, count, expected) in [
        ("ServerAddresses", "a:1", 10_000, "ServerAddresses: expected at most 64, got 10000"),
        ("ManualServerAddresses", "a:1", 65, "ManualServerAddresses: expected at most 64, got 65"),
        ("CA", certificate!("p256"), 17, "CA: expected at most 16, got 17"),
        ("CA", certificate!("p256"), 500, "CA: expected at most 16, got 500"),
    ] {
        let token = with(|claims| claims[key] = json!(vec![entry; count]));
        let text = format!("peering token has too many entries in {expected}");
        cluster.establish("dc1", &token).await.refuses(500, &text);
        let report = program().call(["inspect", "-"]).stdin(token).finish().await;
        assert_eq!(report.code, Some(1), "{report:?}");
        assert!(report.stdout.contains(&text), "{report:?}");
        assert!(report.stdout.lines().count() < 400, "a page that can be read: {}", report.stdout.lines().count());
    }
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
    // The bounds themselves, the same entry again and again, are fine.
    let full = with(|claims| {
        claims["ServerAddresses"] = json!(vec!["a:1"; 64]);
        claims["ManualServerAddresses"] = json!(vec!["a:1"; 64]);
        claims["CA"] = json!(vec![certificate!("p256"); 16]);
    });
    let report = program().call(["inspect", "-"]).stdin(full).finish().await;
    assert!(report.clone().success().contains("Usable:       yes"), "{report:?}");
}

#[tokio::test]
async fn a_token_without_a_root_that_is_good_now_is_refused_with_the_reason() {
    let cluster = Cluster::start("dc2").await;
    let (expired, early) = (root("old", -800, -400), root("new", 400, 800));
    for (pem, expected) in [
        (certificate!("rsa-1024"), "has a RSA 1024 bit key"),
        (certificate!("rsa-2047"), "has a RSA 2047 bit key"),
        (certificate!("p224"), "has a EC P-224 key"),
        (certificate!("ed448"), "has a unknown kind of key"),
        (certificate!("leaf"), "is not the certificate of a CA"),
        (certificate!("no-constraints"), "is not the certificate of a CA"),
        (certificate!("no-cert-sign"), "may not sign"),
        (&expired, "expired at"),
        (&early, "is not valid before"),
    ] {
        let token = with(|claims| claims["CA"] = json!([pem]));
        let answer = cluster.establish("dc1", &token).await;
        assert_eq!(answer.status, 500, "{expected}: {}", answer.body);
        assert!(answer.body.starts_with("peering token has no usable root certificate among 1"), "{}", answer.body);
        assert!(answer.body.contains(expected), "{expected}: {}", answer.body);
        let report = program().call(["inspect", "-"]).stdin(token).finish().await;
        assert_eq!(report.code, Some(1), "{expected}: {report:?}");
        assert!(report.stdout.contains(expected), "{expected}: {report:?}");
        // One good root among them is enough.
        let token = with(|claims| claims["CA"] = json!([pem, certificate!("p256")]));
        let report = program().call(["inspect", "-"]).stdin(token).finish().await;
        assert_eq!((report.code, report.stderr.as_str()), (Some(2), "The token may fail where it is used\n"));
    }
    let answer = cluster.establish("dc1", &with(|claims| claims["CA"] = json!([certificate!("secp256k1")]))).await;
    assert!(answer.body.starts_with("peering token invalid CA: "), "{}", answer.body);
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn the_command_line_reads_no_more_of_a_token_than_it_needs() {
    let directory = private_directory();
    let file = directory.path().join("token");
    std::fs::write(&file, "A".repeat(TEN_MIB)).unwrap();
    let file = file.to_str().unwrap();
    for (place, name) in [(file, file), ("/dev/zero", "/dev/zero"), ("-", "standard input")] {
        let text = format!("Error reading the peering token from {name}: expected at most 1048576 bytes\n");
        let finished = in_little_memory(&["establish", "-name", "x", "-peering-token-file", place]).await;
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(1), text.as_str()));
        let finished = in_little_memory(&["inspect", place, "-format", "json"]).await;
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(3), "This is no token\n"));
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(report["Findings"][0]["Code"], "too-long");
    }
}

#[tokio::test]
async fn inspect_says_what_is_too_long_and_shows_hostile_subjects_harmlessly() {
    let longest = program().call(["inspect", "-"]).stdin(of_length(TOKEN_BYTES_MAX)).finish().await;
    assert!(longest.stdout.contains("peering token server addresses value is empty"), "{longest:?}");
    let longer = program().call(["inspect", "-"]).stdin(of_length(TOKEN_BYTES_MAX + 4)).finish().await;
    assert!(longer.stdout.contains("peering token is too long: expected at most 524288 bytes"), "{longer:?}");

    let text = deceit::text();
    let hostile = with(|claims| {
        claims["CA"] = json!([root(&text, -1, 1), root(&text, -800, -400), text]);
        for key in ["ServerName", "PeerID", "EstablishmentSecret", "PeerName", "TokenID"] {
            claims[key] = json!(text);
        }
        claims["Remote"] =
            json!({ "Partition": text, "Datacenter": text, "Locality": { "Region": text, "Zone": text } });
        claims["Meta"] = json!({ text.clone(): text });
        claims["ServerAddresses"] = json!([format!("{text}:8503"), text]);
    });
    let page = program().call(["inspect", "-"]).stdin(hostile.as_str()).finish().await;
    deceit::look_for_it("the page", &page.stdout);
    assert!(page.stdout.matches(deceit::MARK).count() > 10, "{page:?}");
    let report = program().call(["inspect", "-", "-format", "json"]).stdin(hostile.as_str()).finish().await;
    deceit::look_for_it("the report", &report.stdout);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let contents = report.as_object().unwrap().values().find(|value| value.is_object()).unwrap();
    assert!(contents.as_object().unwrap().values().any(|value| *value == text), "{report:#}");
}

#[tokio::test]
async fn what_our_own_decoder_would_refuse_is_refused_before_anything_is_written() {
    let cluster = Cluster::start("dc1").await;
    let addresses = |count: usize, bytes: usize| vec![format!("{}:1", "a".repeat(bytes - 2)); count];
    let meta = |key: usize, value: usize| json!({ "k".repeat(key): "v".repeat(value) });
    let pairs = |count: usize| (0..count).map(|at| (format!("k{at}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    let bad = [
        json!({ "PeerName": "c2", "ServerExternalAddresses": addresses(65, 9) }),
        json!({ "PeerName": "c2", "ServerExternalAddresses": addresses(10_000, 9) }),
        json!({ "PeerName": "c2", "ServerExternalAddresses": addresses(64, 7_000) }),
        json!({ "PeerName": "c2", "Meta": pairs(65) }),
        json!({ "PeerName": "c2", "Meta": meta(129, 1) }),
        json!({ "PeerName": "c2", "Meta": meta(1, 513) }),
    ];
    for request in &bad {
        let answer = cluster.ask_token(request.clone()).await;
        assert!(answer.status >= 400, "{}", answer.body);
        assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
    }
    for request in [
        json!({ "PeerName": "a1", "ServerExternalAddresses": addresses(64, 5_000) }),
        json!({ "PeerName": "a2", "Meta": pairs(64) }),
        json!({ "PeerName": "a3", "Meta": meta(128, 512) }),
    ] {
        let token = cluster.generate_with(request).await;
        let report = program().call(["inspect", "-"]).stdin(token).finish().await;
        assert!(report.stdout.contains("Usable:       yes"), "{report:?}");
    }
    // A token that was given before still works: nothing of a refused request reached the store.
    let good = cluster.generate("c2").await;
    let before = cluster.read("c2").await;
    for request in bad {
        cluster.ask_token(request).await;
    }
    assert_eq!(cluster.read("c2").await, before);
    HandDialer::with(&good).await.exchange().await.unwrap();
}

#[test]
fn inspection_knows_which_addresses_are_never_dialed() {
    let policy = DialPolicy::default();
    for address in [
        "203.0.113.7",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "2001:db8::1",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1",
        "fec0::1",
        "fd00::1",
        "ff02::1",
        "::ffff:169.254.1.1",
        "::ffff:0:169.254.1.1",
        "64:ff9b::169.254.1.1",
        "64:ff9b:1::169.254.1.1",
        "2002:a9fe:101::",
        "2001:0:1:2:3:4:5601:fefe",
    ] {
        let address: std::net::IpAddr = address.parse().unwrap();
        let text = std::net::SocketAddr::from((address, 8503)).to_string();
        let token = with(|claims| claims["ServerAddresses"] = json!([text]));
        let report = inspect(token, jiff::Timestamp::now());
        let is_refused = report.findings.iter().any(|finding| finding.code == Code::NoDialable);
        assert_eq!(is_refused, policy.check(address, AddressOrigin::Token).is_err(), "{text}: {report:?}");
    }
}
