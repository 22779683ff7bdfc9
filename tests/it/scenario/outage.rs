//! Two servers with data directories find each other again after either was down, without a new token.

use std::time::Duration;

use peering_core::api::v1::Peering;
use peering_tests::process::Signal;
use peering_tests::site::{HEALED_WITHIN, Site};
use tokio::time::{Instant, sleep_until, timeout};

use super::{ACCEPTOR, DIALER, both_active, peer, two_sites};

/// Longest outage after which peers are ACTIVE again within [`HEALED_WITHIN`]: a dialer tries after 2, 6 and 14 s.
const OUTAGE: Duration = Duration::from_secs(10);
/// Time of health after which a dialer forgets earlier failures, and some more.
const ACTIVE_BETWEEN: Duration = Duration::from_secs(15);

#[derive(Clone, Copy)]
enum Side {
    Acceptor,
    Dialer,
}

#[tokio::test]
async fn two_servers_peer_and_agree_and_find_each_other_again_after_a_restart_of_either() {
    // 1. Two servers with data directories become peers.
    let (mut acceptor, mut dialer) = two_sites().await;
    peer(&acceptor, &dialer).await;

    // 2. List and read agree on both sides.
    let seen_from = (acceptor.read(DIALER).await.unwrap(), dialer.read(ACCEPTOR).await.unwrap());
    agree(&acceptor, &dialer, &seen_from.0, &seen_from.1);
    let table = |name: &str| {
        format!(
            "Name        State   Imported Svcs  Exported Svcs  Meta\n{name}  ACTIVE  0              0              \n"
        )
    };
    acceptor.ask(&["list"]).await.expect(0, &table(DIALER), "");
    dialer.ask(&["list"]).await.expect(0, &table(ACCEPTOR), "");

    // 3. Either side goes down and comes back, in order and by force. An acceptor is not down twice running: its dialer
    //    would wait longer before it calls again, having seen no 10 s of health between.
    for (side, signal) in [
        (Side::Acceptor, Signal::TERM),
        (Side::Dialer, Signal::KILL),
        (Side::Acceptor, Signal::KILL),
        (Side::Dialer, Signal::TERM),
    ] {
        fall(&mut acceptor, &mut dialer, side, signal).await;
        rise(&mut acceptor, &mut dialer, side).await;
    }

    // 4. It is the same peering as before.
    let (accepted, dialed) = (acceptor.read(DIALER).await.unwrap(), dialer.read(ACCEPTOR).await.unwrap());
    agree(&acceptor, &dialer, &accepted, &dialed);
    assert_eq!((accepted.id, dialed.id), (seen_from.0.id, seen_from.1.id));

    // 5. Misuse: what heals must not heal a peering that was deleted while one side was down.
    dialer.stop(Signal::KILL).await;
    acceptor.ask(&["delete", "-name", DIALER]).await.success();
    acceptor.reaches(DIALER, "absent").await;
    dialer.restart().await;
    dialer.reaches(ACCEPTOR, "TERMINATED").await;
}

#[tokio::test]
#[ignore = "needs a minute: outages of 10 s, and 15 s of health between"]
async fn an_outage_of_ten_seconds_of_the_acceptor_heals_within_fifteen() {
    full_outages(Side::Acceptor).await;
}

#[tokio::test]
#[ignore = "needs a minute: outages of 10 s, and 15 s of health between"]
async fn an_outage_of_ten_seconds_of_the_dialer_heals_within_fifteen() {
    full_outages(Side::Dialer).await;
}

/// Has one side down for ten seconds, by SIGTERM and by force.
async fn full_outages(side: Side) {
    let (mut acceptor, mut dialer) = two_sites().await;
    peer(&acceptor, &dialer).await;
    for signal in [Signal::TERM, Signal::KILL] {
        // Time itself is the matter here: the peers have to be well, and down, for as long as promised.
        sleep_until(Instant::now() + ACTIVE_BETWEEN).await;
        both_active(&acceptor, &dialer).await;
        let down_since = Instant::now();
        fall(&mut acceptor, &mut dialer, side, signal).await;
        sleep_until(down_since + OUTAGE).await;
        rise(&mut acceptor, &mut dialer, side).await;
    }
}

/// Ends one side and waits until the other has noticed, so that ACTIVE afterwards means a new stream.
async fn fall(acceptor: &mut Site, dialer: &mut Site, side: Side, signal: Signal) {
    match side {
        Side::Acceptor => {
            acceptor.stop(signal).await;
            dialer.reaches(ACCEPTOR, "FAILING").await;
        }
        Side::Dialer => {
            dialer.stop(signal).await;
            acceptor.reaches(DIALER, "FAILING").await;
        }
    }
}

/// Starts one side again and waits until both are ACTIVE, within the time promised from the start of the server.
async fn rise(acceptor: &mut Site, dialer: &mut Site, side: Side) {
    let healing = async {
        match side {
            Side::Acceptor => acceptor.restart().await,
            Side::Dialer => dialer.restart().await,
        }
        both_active(acceptor, dialer).await;
    };
    timeout(HEALED_WITHIN, healing).await.expect("not ACTIVE again in time");
}

/// Checks that both sides tell the same story.
fn agree(acceptor: &Site, dialer: &Site, accepted: &Peering, dialed: &Peering) {
    assert_eq!((accepted.state.as_str(), dialed.state.as_str()), ("ACTIVE", "ACTIVE"));
    assert_eq!(dialed.peer_id, accepted.id, "the dialer knows the acceptor's id");
    assert_eq!(accepted.peer_id, "", "the acceptor dials nobody");
    assert_eq!(dialed.peer_server_addresses.as_deref(), Some([acceptor.peer_address().to_string()].as_slice()));
    assert_eq!((accepted.remote.datacenter.as_str(), dialed.remote.datacenter.as_str()), ("dc2", "dc1"));
    assert!(dialed.peer_server_name.starts_with("server.dc1.peering."), "{}", dialed.peer_server_name);
    assert_ne!(acceptor.data_dir(), dialer.data_dir());
    for peering in [accepted, dialed] {
        assert_eq!(peering.peer_ca_pems.as_ref().map(Vec::len), Some(1), "each has the other's trust bundle");
        assert!(peering.stream_status.last_receive.is_some() && peering.stream_status.last_send.is_some());
    }
}
