//! `peering inspect` on tokens of a real server: fresh, as people paste them, ended, cut, and on what is no token.

use peering_tests::program::Finished;
use peering_tests::site::Site;
use peering_tests::token;
use serde_json::{Value, json};

use crate::under_test::program;

const DOUBTFUL: &str = "The token may fail where it is used\n";
const UNUSABLE: &str = "The token cannot be used\n";

/// Inspects what is on standard input, in every format, and returns the page.
async fn inspect(input: &str, code: i32, stderr: &str) -> Finished {
    let [page, json, yaml] = ["pretty", "json", "yaml"].map(|format| async move {
        let words = ["inspect", "-", "-format", format];
        let ran = program().call(words).stdin(input).finish().await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), stderr), "{ran:?}");
        ran
    });
    let (page, json, yaml) = tokio::join!(page, json, yaml);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(yaml.stdout.starts_with(&format!("Kind: {}\n", report["Kind"].as_str().unwrap())), "{yaml:?}");
    page
}

#[tokio::test]
async fn a_token_is_understood_before_and_after_it_is_used() {
    let program = program();
    let (first, second) = tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"));
    let token = first.generate_token("cluster-02").await;
    let token = token.trim();
    let claims = token::claims(token);
    let secret = claims["EstablishmentSecret"].as_str().unwrap();

    // 1. A fresh token shows what is in it, that only this machine reaches its address, and never its secret.
    let page = inspect(token, 2, DOUBTFUL).await;
    for line in [
        "Kind:         peering token",
        "Usable:       yes",
        "Peer Name:    cluster-02",
        "Datacenter:   dc1",
        "Secret:       present, not shown",
        "    CA:           yes, usable as a root now",
    ] {
        assert!(page.stdout.lines().any(|found| found == line), "{line}: {page:?}");
    }
    for (label, text) in [("Token ID:     ", &claims["TokenID"]), ("Peer ID:      ", &claims["PeerID"])] {
        assert!(page.stdout.contains(&format!("{label}{}\n", text.as_str().unwrap())), "{page:?}");
    }
    assert!(page.stdout.contains("(address-loopback)\n"), "{page:?}");
    assert!(!page.stdout.contains(secret), "{page:?}");

    // 2. As it was pasted from a terminal it is the same token, and can be used so.
    let pasted = format!("$ peering generate-token -name west\n'{}\n{}'\n$ ", &token[..100], &token[100..]);
    let page = inspect(&pasted, 2, DOUBTFUL).await;
    assert!(page.stdout.contains("(pasted-before)") && page.stdout.contains("(pasted-blanks)"), "{page:?}");
    let establish = ["establish", "-name", "cluster-01", "-peering-token-file", "-", "-wait", "30s"];
    let established = second.ask_with_input(&establish, &pasted).await;
    assert!(established.stderr.starts_with("Note: characters before the token were left out: "), "{established:?}");
    assert!(!established.stderr.contains(&token[..40]), "{established:?}");
    established.success();

    // 3. That it was used is not in it.
    inspect(token, 2, DOUBTFUL).await;

    // 4. Misuse: a token that has ended, one that was cut, one without its secret, and something else.
    let ended = token::changed(token, |claims| claims["ExpiresAt"] = json!("2026-01-02T03:04:05Z"));
    let ended = inspect(&ended, 1, UNUSABLE).await;
    assert!(ended.stdout.contains("it expired at 2026-01-02T03:04:05Z"), "{ended:?}");
    let cut = inspect(&token[..token.len() / 2], 1, UNUSABLE).await;
    let place = format!("it looks cut off after character {}", token.len() / 2);
    assert!(cut.stdout.contains(&place), "{cut:?}");
    let empty = token::changed(token, |claims| claims["EstablishmentSecret"] = json!(""));
    let empty = inspect(&empty, 1, UNUSABLE).await;
    assert!(empty.stdout.contains("(no-secret)"), "{empty:?}");
    inspect("see you at nine", 3, "This is no token\n").await;
    inspect("", 3, "This is no token\n").await;

    // 5. Misuse: two tokens at once, of which none is chosen, not even with one that is good.
    let both = format!("{token}\n{}", first.generate_token("cluster-03").await);
    let page = inspect(&both, 2, DOUBTFUL).await;
    assert!(page.stdout.contains("(several-tokens)"), "{page:?}");
    let refused = second.ask_with_input(&["establish", "-name", "cluster-04", "-peering-token-file", "-"], &both).await;
    let text =
        "Error reading the peering token from standard input: there are several, give only the one that is meant\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), text));
}
