//! A store that is put back from a copy: tokens in it may have been used since, so none of them may work again.

use std::fs;
use std::path::Path;

use peering_core::api::issued::PeeringToken;
use peering_tests::process::Signal;
use peering_tests::site::{Site, private_directory};

use super::{ACCEPTOR, DIALER, ESTABLISHED, NEW_TOKEN_NEEDED, both_active, two_sites};
use crate::under_test::program;

/// Copies the files of a data directory whose server is down.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(to).unwrap().map(Result::unwrap) {
        fs::remove_file(entry.path()).unwrap();
    }
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn listed(site: &Site) -> Vec<PeeringToken> {
    serde_json::from_str(&site.ask(&["issued", "list", "-format", "json"]).await.success()).unwrap()
}

#[tokio::test]
async fn a_token_of_a_restored_store_is_void_though_the_store_has_not_seen_its_use() {
    let (mut acceptor, dialer) = two_sites().await;
    let third = Site::start(&program(), "dc3").await;

    // 1. A peering runs, two tokens are unused, and the store is copied.
    let running = acceptor.generate_token("cluster-03").await;
    third.establish(ACCEPTOR, &running).await.expect(0, ESTABLISHED, "");
    acceptor.reaches("cluster-03", "ACTIVE").await;
    let token = acceptor.generate_token(DIALER).await;
    let unused = acceptor.generate_token("cluster-04").await;
    acceptor.stop(Signal::TERM).await;
    let backup = private_directory();
    copy(acceptor.data_dir(), backup.path());

    // 2. After that, one token is used.
    acceptor.restart().await;
    dialer.establish(ACCEPTOR, &token).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;

    // 3. The store is lost, and the copy is put back: to it, both tokens are unused.
    acceptor.stop(Signal::KILL).await;
    copy(backup.path(), acceptor.data_dir());
    let ready = acceptor.restart_with(&["-after-restore"]).await;
    assert!(ready.ends_with(", 2 unredeemed tokens voided"), "{ready}");
    assert!(acceptor.log().contains("every token that was unredeemed in the store is void"));

    // 4. The list says so of both; the peering that ran before the copy goes on.
    let tokens = listed(&acceptor).await;
    let shown: Vec<(&str, &str, &str)> = tokens
        .iter()
        .map(|token| (token.peer_name.as_str(), token.state.as_str(), token.revoke_reason.as_str()))
        .collect();
    let expected =
        [("cluster-03", "redeemed", ""), (DIALER, "revoked", "restored"), ("cluster-04", "revoked", "restored")];
    assert_eq!(shown, expected);
    acceptor.reaches("cluster-03", "ACTIVE").await;

    // 5. Misuse: whoever has one of the tokens is refused, as with any that is spent. A new one works.
    for stolen in [&token, &unused] {
        dialer.establish(ACCEPTOR, stolen).await.expect(1, "", NEW_TOKEN_NEEDED);
    }
    let next = acceptor.generate_token(DIALER).await;
    dialer.establish(ACCEPTOR, &next).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;

    // 6. Nothing is voided by a start that is not told of a restore, nor twice.
    acceptor.stop(Signal::TERM).await;
    assert!(!acceptor.restart_with(&[]).await.contains("voided"));
    acceptor.generate_token("cluster-05").await;
    for voided in ["1 unredeemed token voided", "0 unredeemed tokens voided"] {
        acceptor.stop(Signal::TERM).await;
        let ready = acceptor.restart_with(&["-after-restore"]).await;
        assert!(ready.ends_with(&format!(", {voided}")), "{ready}");
    }
    both_active(&acceptor, &dialer).await;
}
