//! A hostile HTTP server, asked by every verb: nothing that it says moves a cursor, forges a line or hides.

use peering_tests::canned::Canned;
use peering_tests::deceit::{self, MARK};
use peering_tests::program::Finished;
use serde_json::{Value, json};

use crate::under_test::program;

/// A token with which nothing is wrong that would be told beside a refusal.
const TOKEN: &str = include_str!("../../data/tokens/consul/plaintext.token");

/// Every verb that asks a server, as far as its name and required flags.
const VERBS: [&[&str]; 6] = [
    &["list"],
    &["read", "-name", "x"],
    &["generate-token", "-name", "x"],
    &["delete", "-name", "x"],
    &["establish", "-name", "x", "-peering-token", TOKEN],
    &["establish", "-name", "x", "-peering-token", TOKEN, "-wait", "1s"],
];

/// Asks a server by a verb, and looks at what was printed.
async fn ask(server: &Canned, words: &[&str], more: &[&str]) -> Finished {
    let address = server.address();
    let words = [words, more, &["-http-addr", address.as_str()]].concat();
    let finished = program().call(words).finish().await;
    deceit::look_for_it("standard output", &finished.stdout);
    deceit::look_for_it("standard error", &finished.stderr);
    finished
}

/// A peering whose every text is hostile.
fn peering() -> Value {
    let text = deceit::text();
    json!({
        "ID": text, "Name": text, "Partition": text, "Meta": { text.clone(): text }, "State": text,
        "DeletedAt": "2030-01-01T00:00:00Z", "PeerID": text, "PeerCAPems": [text], "PeerServerName": text,
        "PeerServerAddresses": [text, text],
        "StreamStatus": { "ImportedServices": [text], "ExportedServices": [text] },
        "CreateIndex": 1, "ModifyIndex": 2,
        "Remote": { "Partition": text, "Datacenter": text, "Locality": { "Region": text, "Zone": text } },
        "TrustDomainChangedFrom": text,
        "Detail": {
            "LastReceiveAge": text, "LastSendAge": text,
            "LastError": { "Time": "2030-01-01T00:00:00Z", "Code": text, "Text": text, "Remedy": text },
            "NextRedial": { "Time": "2030-01-01T00:00:00Z", "After": text, "Failures": 1 },
            "Transitions": [{ "Time": "2030-01-01T00:00:00Z", "From": text, "To": text, "Cause": text }],
        },
    })
}

/// Checks that every text of a peering came through as it was sent.
fn is_whole(found: &Value) {
    let sent = peering();
    for key in ["ID", "Name", "Meta", "State", "PeerID", "PeerServerName", "PeerServerAddresses", "Remote", "Detail"] {
        assert_eq!(found[key], sent[key], "{key}");
    }
    assert_eq!(found["StreamStatus"]["ImportedServices"], sent["StreamStatus"]["ImportedServices"]);
}

#[tokio::test]
async fn a_list_of_hostile_peerings_is_a_table_and_its_json_means_what_was_sent() {
    let server = Canned::saying("200 OK", &[], &json!([peering(), peering()]).to_string()).await;
    let table = ask(&server, &["list"], &[]).await.success();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().skip(1).all(|line| line.matches(MARK).count() == 4), "{table}");
    let printed = ask(&server, &["list"], &["-format", "json"]).await.success();
    assert_eq!(printed.lines().count(), 1);
    let peerings: Vec<Value> = serde_json::from_str(&printed).unwrap();
    peerings.iter().for_each(is_whole);
}

#[tokio::test]
async fn a_hostile_peering_is_a_page_and_its_json_means_what_was_sent() {
    let server = Canned::saying("200 OK", &[], &peering().to_string()).await;
    let read = ["read", "-name", "x"];
    let page = ask(&server, &read, &[]).await.success();
    assert!(page.matches(MARK).count() >= 10, "{page}");
    assert!(page.contains("Warning: the peer's trust domain changed from mark"), "{page}");
    let printed = ask(&server, &read, &["-format", "json"]).await.success();
    is_whole(&serde_json::from_str(&printed).unwrap());
}

#[tokio::test]
async fn a_hostile_token_and_hostile_warnings_are_shown_harmlessly() {
    let headers = [format!("X-Peering-Warning: {}", deceit::printable()), "X-Peering-Warning: \u{ff}\t.".to_owned()];
    let body = json!({ "PeeringToken": deceit::text() }).to_string();
    let server = Canned::saying("200 OK", &headers, &body).await;
    let generate = ["generate-token", "-name", "x"];
    let finished = ask(&server, &generate, &[]).await;
    assert!(finished.stderr.contains(MARK), "{finished:?}");
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
    let printed = ask(&server, &generate, &["-format", "json"]).await.success();
    let token: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(token["PeeringToken"], deceit::text());
}

#[tokio::test]
async fn a_hostile_refusal_is_shown_to_every_verb_harmlessly() {
    for status in ["500 Internal Server Error", "403 Forbidden", "400 Bad Request", "201 Created"] {
        let server = Canned::saying(status, &[], &deceit::text()).await;
        for verb in VERBS {
            let finished = ask(&server, verb, &[]).await;
            assert_eq!(finished.code, Some(1), "{verb:?}: {finished:?}");
            assert!(finished.stderr.contains(MARK), "{verb:?}: {finished:?}");
            assert_eq!(finished.stderr.lines().count(), 1, "{verb:?}: {finished:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_megabytes_is_cut() {
    let server = Canned::saying("500 Internal Server Error", &[], &"x".repeat(10 << 20)).await;
    let finished = ask(&server, &["list"], &[]).await;
    assert!(finished.stderr.ends_with("x … 262144 of 10485760 bytes)\n"), "{}", finished.stderr.len());
    assert!(finished.stderr.len() < 263_000);
}

#[tokio::test]
async fn what_is_no_answer_of_an_api_is_shown_to_every_verb_harmlessly() {
    let (text, printable) = (deceit::text(), deceit::printable());
    let servers = [
        Canned::saying("200 OK", &[], &text).await,
        Canned::saying("200 OK", &[], &json!(text).to_string()).await,
        Canned::saying("200 OK", &[], &json!({ text.clone(): text }).to_string()).await,
        Canned::saying("200 OK", &[], &json!([{ "ID": 1, "Name": text, "State": [text] }]).to_string()).await,
        Canned::saying(&format!("500 {printable}"), &[], &printable).await,
        Canned::saying("307 Moved", &[format!("Location: {printable}")], "").await,
        Canned::saying("307 Moved", &[format!("Location: http://{printable}.example/")], "").await,
        Canned::saying("307 Moved", &[format!("Location: {printable}://x/")], "").await,
        Canned::answering(text.clone()).await,
        Canned::answering(format!("HTTP/1.1 200 {text}\r\n\r\n{text}")).await,
        Canned::answering(format!("HTTP/1.1 200 OK\r\n{text}: {text}\r\n\r\n")).await,
        Canned::answering([0xff, 0x1b, b'[', b'2', b'J'].repeat(100)).await,
    ];
    for server in servers {
        for verb in VERBS {
            // An answer that a verb does not read may do for it; what counts is what is printed.
            ask(&server, verb, &[]).await;
        }
    }
}

#[tokio::test]
async fn words_of_our_own_command_line_are_shown_harmlessly_too() {
    let text = deceit::text();
    let server = Canned::saying("404 Not Found", &[], "").await;
    for words in [
        vec!["read", "-name", &text],
        vec!["delete", "-name", &text],
        vec!["list", "-format", &text],
        vec!["list", &text],
        vec!["inspect", &text],
        vec!["establish", "-name", &text, "-peering-token-file", &text],
        vec!["generate-token", "-name", &text, "-meta", &text],
        vec!["list", &format!("-{text}")],
        vec!["list", "-ca-file", &text],
    ] {
        ask(&server, &words, &[]).await;
    }
    for words in [
        vec![text.as_str()],
        vec![&format!("-={text}")],
        vec!["list", "-http-addr", &text],
        vec!["server", "-dev", "-datacenter", &text],
    ] {
        let finished = program().call(&words).finish().await;
        deceit::look_for_it("standard error", &finished.stderr);
        deceit::look_for_it("standard output", &finished.stdout);
    }
}
