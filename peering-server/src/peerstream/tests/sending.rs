//! When a frame counts as sent: once the connection has taken it, and not while it waits for a peer that does not read.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use peering_core::id::PeeringId;
use peering_core::name::PeerName;
use peering_core::peerstream::{Offer, Open, Session};
use peering_core::remote::RemoteInfo;
use peering_core::secret::StreamSecret;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::home::Home;
use crate::peerstream::driver::{self, Accepted, Driver, Tools};
use crate::peerstream::ends::{Inbound, Outbound};
use crate::peerstream::exports::Telling;
use crate::peerstream::pace::Pace;
use crate::peerstream::proto::peerstream::ReplicationMessage;
use crate::peerstream::registry::Registry;
use crate::service::status::StreamBoard;

#[tokio::test]
async fn a_frame_that_waits_for_the_peer_to_read_is_not_told_as_sent() {
    let home = Home::start("dc1").await;
    let service = Arc::clone(home.service());
    tokio::time::pause();
    let (board, registry, stop) = (StreamBoard::new("s1"), Registry::default(), CancellationToken::new());
    let pace = Pace::new(driver::now());
    let tools = Tools { service: &service, board: &board, pace: &pace, stop: &stop };
    let id = PeeringId::from_uuid(Uuid::from_u128(1));
    let (_known, exports) = watch::channel(None);
    let telling = Telling { name: PeerName::parse("peer").unwrap(), plaintext: false, exports };
    let place = registry.enter(&board, id, false, service.now());
    let stream = Accepted { place, id, remote_id: None, admitted_by: None, telling, admission: None };
    // No room is left in what waits for the connection.
    let (outbound, mut frames) = Outbound::of_dialer();
    let before = ReplicationMessage::default();
    while timeout(Duration::from_millis(1), outbound.send(Some(&before))).await.is_ok() {}

    let open = Open { peer_id: "x".into(), secret: StreamSecret::from_text("x"), remote: RemoteInfo::default() };
    let session = Session::dial(open, Offer::default(), driver::now());
    let driver = Driver::new(session, tools, outbound, Inbound::Calling(Box::pin(pending())), Some(stream));
    let mut driving = pin!(driver.run(|_| Box::pin(pending())));
    let send_age = || board.explanation(id, true).and_then(|told| told.send_age);
    timeout(Duration::from_secs(60), &mut driving).await.unwrap_err();
    assert_eq!(send_age(), None, "nothing was sent");
    frames.next().await.unwrap();
    timeout(Duration::from_secs(5), &mut driving).await.unwrap_err();
    // A timer rounds up to its next millisecond.
    let expected = Duration::from_secs(5)..Duration::from_millis(5_010);
    assert!(send_age().is_some_and(|age| expected.contains(&age)), "the first frame was: {:?}", send_age());
}
