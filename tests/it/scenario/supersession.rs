//! At any moment one token of a peering works at most, and each works once.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peering_tests::leaks::{Wanted, found_below, found_in};
use peering_tests::process::Signal;
use peering_tests::site::Site;
use serde_json::Value;

use super::{ACCEPTOR, DIALER, ESTABLISHED, NEW_TOKEN_NEEDED, both_active, two_sites};
use crate::under_test::program;

/// What an acceptor logs for each stream that it accepts.
const ACCEPTED: &str = "accepted initial replication request from peer";

#[tokio::test]
async fn each_token_voids_the_one_before_works_once_and_is_nowhere_kept_in_clear() {
    let (mut acceptor, mut dialer) = two_sites().await;
    let mut third = Site::start(&program(), "dc3").await;

    // 1. Two tokens are made for one name. They are for the same peering and have different secrets.
    let first = acceptor.generate_token(DIALER).await;
    let second = acceptor.generate_token(DIALER).await;
    assert_eq!(field(&first, "PeerID"), field(&second, "PeerID"));
    assert_ne!(field(&first, "EstablishmentSecret"), field(&second, "EstablishmentSecret"));

    // 2. The first is refused with Consul's text, the second works.
    dialer.establish(ACCEPTOR, &first).await.expect(1, "", NEW_TOKEN_NEEDED);
    dialer.establish(ACCEPTOR, &second).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;

    // 3. The second is spent now.
    dialer.establish(ACCEPTOR, &second).await.expect(1, "", NEW_TOKEN_NEEDED);

    // 4. A third token is made and lies about. The peering does not notice: both are ACTIVE, on the stream they had.
    let streams_before = acceptor.log().matches(ACCEPTED).count();
    let unused = acceptor.generate_token(DIALER).await;
    both_active(&acceptor, &dialer).await;
    assert_eq!(streams_before, 1);

    // 5. Misuse: another cluster that got hold of the spent token, or of the superseded one, is refused.
    for stolen in [&second, &first] {
        third.establish(ACCEPTOR, stolen).await.expect(1, "", NEW_TOKEN_NEEDED);
    }
    assert_eq!(third.state(ACCEPTOR).await, "PENDING");
    both_active(&acceptor, &dialer).await;
    assert_eq!(acceptor.log().matches(ACCEPTED).count(), 1, "the stream from before was never interrupted");

    // 6. No server keeps, logs or is given an establishment secret in clear, while it runs or afterwards.
    let mut secrets = Vec::new();
    for (name, token) in [("first", &first), ("second", &second), ("third", &unused)] {
        secrets.push(Wanted::uuid(&format!("the {name} establishment secret"), &field(token, "EstablishmentSecret")));
        secrets.push(Wanted::text(&format!("the {name} token"), token));
    }
    let sites = [&mut acceptor, &mut dialer, &mut third];
    for site in &sites {
        nothing_in_clear(site, &secrets);
        let arguments = fs::read(format!("/proc/{}/cmdline", site.process_id())).unwrap();
        assert_eq!(found_in("arguments", &arguments, &secrets), [""; 0]);
        let program = [Wanted::text("its own verb", "server\0-acl\0off")];
        assert_eq!(found_in("arguments", &arguments, &program).len(), 1, "the look at the arguments sees something");
    }
    for site in sites {
        site.stop(Signal::TERM).await;
        nothing_in_clear(site, &secrets);
    }

    // 7. The same look does find what is no secret, so it would have found one.
    let id = [Wanted::uuid("the id", &field(&first, "PeerID"))];
    assert!(!found_below(acceptor.data_dir(), &id).is_empty());
    assert!(!found_in("log", acceptor.log().as_bytes(), &id).is_empty());
    assert!(acceptor.log().contains(" TRACE "), "everything was logged");
}

/// Checks every file of a data directory, and the log.
fn nothing_in_clear(site: &Site, secrets: &[Wanted]) {
    assert_eq!(found_below(site.data_dir(), secrets), [""; 0]);
    assert_eq!(found_in("log", site.log().as_bytes(), secrets), [""; 0]);
}

/// Returns a text field of a token.
fn field(token: &str, name: &str) -> String {
    let json: Value = serde_json::from_slice(&STANDARD.decode(token).unwrap()).unwrap();
    json[name].as_str().unwrap().to_owned()
}
