//! What explains a peering's state and what the audit trail tells are the same failures: a wrong secret, a dialer whose
//! token was spent, a peering that was deleted. That a connection was cut is no deed, and in no trail.

use std::path::{Path, PathBuf};

use peering_core::audit::Entry;
use peering_core::peering::state::Reported;

use super::foreign_dialer::ForeignDialer;
use super::home::Home;
use super::relay::Relay;
use crate::audit::tests::lines;
use crate::server::Sources;

async fn audited(datacenter: &str, trail: PathBuf) -> Home {
    Home::start_with(datacenter, Sources::default(), |config| config.audit.file = Some(trail)).await
}

/// Returns what a trail tells under this name of the peer, or of nobody in particular: events and their causes.
fn told(trail: &Path, name: &str) -> Vec<(String, Option<String>)> {
    let told = |entry: Entry| (entry.event.into_owned(), entry.cause.map(|cause| cause.into_owned()));
    let entries = lines(trail).into_iter().map(|line| line.entry);
    entries.filter(|entry| entry.peer.as_deref().is_none_or(|peer| peer == name)).map(told).collect()
}

#[tokio::test]
async fn the_trail_and_the_explanation_tell_of_the_same_failures() {
    let directory = tempfile::tempdir().unwrap();
    let trails = ["left", "right"].map(|name| directory.path().join(name));
    let left = audited("dc1", trails[0].clone()).await;
    let right = audited("dc2", trails[1].clone()).await;
    let mut token = left.token("right").await;
    let mut relay = Relay::before(&mut token).await;
    right.establish("left", &token.encode()).await.unwrap();
    left.reads("right", Reported::Active).await;
    right.reads("left", Reported::Active).await;

    // Somebody comes with a wrong stream secret, and somebody with a token that was spent.
    let stranger = ForeignDialer::connect(&left.token("another").await).await;
    stranger.dial(&token.peer_id, "not the secret").await.refused().await;
    left.fails_by("right", "stream-secret-wrong").await;
    let spent = right.establish("again", &token.encode()).await.unwrap_err().to_string();
    assert!(spent.contains("a new peering token must be generated"), "{spent}");

    // The connection is cut, which the state explains; then the peering is deleted, which both tell.
    relay.close().await;
    right.reads("left", Reported::Failing).await;
    assert!(right.last_code("left").await.is_some());
    relay.reopen().await;
    left.delete("right").await;
    left.is_gone("right").await;
    left.server.shutdown().await;
    right.server.shutdown().await;

    let acceptor = told(&trails[0], "right");
    let refused = |cause: &str| ("refused".to_owned(), Some(cause.to_owned()));
    for expected in [refused("stream_secret_wrong"), refused("spent"), ("peering_deleted".to_owned(), None)] {
        assert!(acceptor.contains(&expected), "{expected:?} in {acceptor:?}");
    }
    let dialer = told(&trails[1], "again");
    assert!(dialer.iter().any(|(event, _)| event == "establish_failed"), "{dialer:?}");
    for told in acceptor.iter().chain(&dialer) {
        assert!(!told.0.contains("stream_ended") && !told.0.contains("cut"), "{told:?}");
    }
}
