//! Hostile peers of a server: whatever they say of themselves or of us, the log and every verb show it harmlessly.

use std::time::Duration;

use peering_tests::deceit::{self, MARK};
use peering_tests::eventually::eventually;
use peering_tests::hand::HandDialer;
use peering_tests::http::Http;
use peering_tests::process::{Process, Signal};
use peering_tests::program::Finished;
use peering_tests::site::private_directory;
use peering_tests::stranger::{Act, Frame, Stranger, TRUST_BUNDLE};
use peering_tests::token;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Status;

use crate::under_test::program;

/// Longest wait for something that is due now.
const SOON: Duration = Duration::from_secs(15);

/// A server with everything in its log.
struct Victim {
    process: Process,
    http: String,
    _directory: TempDir,
}

impl Victim {
    async fn start(format: &str) -> Self {
        let directory = private_directory();
        let data_dir = directory.path().display().to_string();
        #[rustfmt::skip]
        let words = [
            "server", "-acl", "off", "-allow-plaintext", "-data-dir", &data_dir, "-http-addr", "127.0.0.1:0",
            "-peer-addr", "127.0.0.1:0", "-log-level", "trace", "-log-format", format,
        ];
        let mut process = program().call(words).start();
        let line = process.line_with("peering server ready").await;
        let http = line.split(", ").find_map(|part| part.strip_prefix("http ")).unwrap();
        let http = http.split(' ').next().unwrap().to_owned();
        Self { process, http, _directory: directory }
    }

    fn api(&self) -> Http {
        Http::new(self.http.parse().unwrap())
    }

    /// Asks by a verb, and looks at what was printed.
    async fn ask(&self, words: &[&str], input: &str) -> Finished {
        let words = words.iter().copied().chain(["-http-addr", &self.http]);
        let finished = program().call(words).stdin(input).finish().await;
        deceit::look_for_it("standard output", &finished.stdout);
        deceit::look_for_it("standard error", &finished.stderr);
        finished
    }

    async fn establish(&self, name: &str, token: &str) -> Finished {
        self.ask(&["establish", "-name", name, "-peering-token-file", "-"], token).await
    }

    async fn read(&self, name: &str) -> Value {
        let read = self.ask(&["read", "-name", name, "-format", "json"], "").await.success();
        serde_json::from_str(&read).unwrap()
    }

    /// Waits until the log says this.
    async fn logs(&self, text: &str) {
        eventually(
            SOON,
            async || if self.process.stderr().contains(text) { Ok(()) } else { Err(format!("no {text:?}")) },
        )
        .await;
    }

    /// Ends the server and looks at all that it has printed.
    async fn end(self, is_json: bool) {
        let ended = self.process.end(Signal::TERM).await;
        assert_eq!(ended.status.code(), Some(0));
        deceit::look_for_it("standard output", &ended.stdout);
        deceit::look_for_it("the log", &ended.stderr);
        assert!(ended.stderr.contains(MARK), "nothing hostile was logged at all");
        for line in ended.stderr.lines().filter(|_| is_json) {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}

/// What strangers do, each to a peering of its own.
fn acts() -> Vec<Act> {
    let text = deceit::text();
    let status = || Some(Status::unknown(&text));
    let subscribe = || Frame::request("", "", TRUST_BUNDLE, None);
    vec![
        Act::RefuseExchange(Status::internal(&text)),
        Act::RefuseExchange(Status::permission_denied(&text)),
        Act::RefuseExchange(Status::unavailable(text.repeat(50))),
        Act::Give(text.repeat(3)),
        Act::RefuseStream(Status::internal(&text)),
        Act::RefuseStream(Status::invalid_argument(text.repeat(50))),
        Act::Say(vec![Frame::request(&text, "", TRUST_BUNDLE, None)], None),
        Act::Say(vec![Frame::request("", "", &text, None)], None),
        Act::Say(vec![subscribe(), Frame::request("", &text, TRUST_BUNDLE, Some(&text))], None),
        Act::Say(vec![Frame::nonsense(&text, &text, &text), Frame::nonsense("1", TRUST_BUNDLE, &text)], status()),
        Act::Say(vec![Frame::roots(&text, &text), Frame::roots("d.consul", &text)], status()),
        Act::Say(vec![Frame::addresses(&[&address()]), Frame::services(&[&text])], None),
        Act::Say(vec![Frame::addresses(&[&text])], status()),
    ]
}

/// An address that a server takes, since nobody checks a host before it is resolved.
fn address() -> String {
    format!("{}:8503", deceit::text().replace(['[', ']'], ""))
}

/// Acts of those after which the peering is established.
fn is_established(act: &Act) -> bool {
    matches!(act, Act::RefuseStream(_) | Act::Say(..))
}

async fn meets_strangers(format: &str) {
    let victim = Victim::start(format).await;
    let acts = acts();
    let stranger = Stranger::start(acts.clone()).await;
    let token = |number: usize| {
        stranger.token(number, |claims| {
            let text = deceit::text();
            claims["Remote"] =
                json!({ "Partition": text, "Datacenter": text, "Locality": { "Region": text, "Zone": text } });
            claims["PeerName"] = json!(text);
            claims["TokenID"] = json!(text);
        })
    };
    // Side by side, since an exchange that fails is tried again for three seconds.
    let (early, late) = (0..acts.len()).partition(|number| number % 2 == 0);
    let meet = async |numbers: Vec<usize>| {
        for number in numbers {
            let finished = victim.establish(&format!("p{number}"), &token(number)).await;
            assert_eq!(finished.code == Some(0), is_established(&acts[number]), "{number}: {finished:?}");
            if finished.code != Some(0) && !matches!(acts[number], Act::Give(_)) {
                assert!(finished.stderr.contains(MARK), "{number}: {finished:?}");
            }
        }
    };
    tokio::join!(meet(early), meet(late));

    // What they said has arrived, and the verbs show it.
    victim.logs("client peer was unable to apply resource").await;
    eventually(SOON, async || {
        let read = victim.read("p11").await;
        let is_there = read["PeerServerAddresses"][0] == address()
            && read["StreamStatus"]["ImportedServices"][0] == deceit::text();
        if is_there { Ok(()) } else { Err(read.to_string()) }
    })
    .await;
    let table = victim.ask(&["list"], "").await.success();
    assert_eq!(table.lines().count(), 1 + acts.len(), "{table}");
    for number in 0..acts.len() {
        let page = victim.ask(&["read", "-name", &format!("p{number}")], "").await.success();
        // What a peer has refused with is its own words, and is shown as such.
        let is_told = |line: &str| line.contains(MARK) && !line.starts_with("    Last Error:          ");
        assert_eq!(page.lines().any(is_told), number == 11, "{page}");
    }

    // Whoever dials is no better, nor who asks over HTTP.
    dials_with_hostile_words(&victim).await;
    asks_with_hostile_words(&victim).await;
    victim.end(format == "json").await;
}

async fn dials_with_hostile_words(victim: &Victim) {
    let text = deceit::text();
    let given = victim.ask(&["generate-token", "-name", "dialer"], "").await.success();
    let given = given.trim_end();
    let secret = HandDialer::with(given).await.exchange().await.unwrap();
    let stranger = HandDialer::with(&token::changed(given, |claims| {
        claims["PeerID"] = json!(text);
        claims["EstablishmentSecret"] = json!(text);
    }))
    .await;
    stranger.exchange().await.unwrap_err();
    stranger.open_from(&text, &text).await.unwrap_err();
    let stream = HandDialer::with(given).await.open_from(&secret, &text).await.unwrap();
    assert_eq!(victim.read("dialer").await["Remote"]["Datacenter"], text);
    victim.ask(&["read", "-name", "dialer"], "").await.success();
    drop(stream);
}

async fn asks_with_hostile_words(victim: &Victim) {
    let (api, text, printable) = (victim.api(), deceit::text(), deceit::printable());
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let host = victim.http.as_str();
    for path in [
        format!("/v1/peering/{encoded}"),
        format!("/{encoded}?{encoded}={encoded}"),
        format!("/v1/peerings?partition={encoded}"),
    ] {
        api.get(&path).await;
        api.delete(&path).await;
    }
    for body in [
        text.clone(),
        json!({ "PeerName": text, "Meta": { text.clone(): text } }).to_string(),
        json!({ "PeerName": "x", "Meta": { text.clone(): "" } }).to_string(),
        json!({ "PeerName": "y", "PeeringToken": text, text.clone(): text }).to_string(),
        json!({ "PeerName": "z", "ServerExternalAddresses": [text, format!("{text}:1")], "TTL": text }).to_string(),
    ] {
        for path in ["/v1/peering/token", "/v1/peering/establish"] {
            api.post(path, body.clone()).await;
        }
    }
    for head in [
        format!("GET /v1/peerings HTTP/1.1\r\nHost: {printable}\r\n"),
        format!(
            "GET /v1/peerings HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{printable}\r\nUser-Agent: {printable}\r\n"
        ),
        format!("{printable} /v1/{printable} HTTP/1.1\r\nHost: {host}\r\nX-Consul-Token: {printable}\r\n"),
        format!("GET /v1/peerings HTTP/1.1\r\nHost: {host}\r\n{text}: {text}\r\n"),
    ] {
        api.raw(&format!("{head}Connection: close\r\n\r\n")).await;
    }
    victim
        .ask(&["generate-token", "-name", "w", "-server-external-addresses", &format!("{text}:1")], "")
        .await
        .success();
}

#[tokio::test]
async fn nothing_that_strangers_say_deceives_the_reader_of_a_log_of_text() {
    meets_strangers("text").await;
}

#[tokio::test]
async fn nothing_that_strangers_say_deceives_the_reader_of_a_log_of_json() {
    meets_strangers("json").await;
}
