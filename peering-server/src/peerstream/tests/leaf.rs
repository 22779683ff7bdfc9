//! The certificate of the peer listener is renewed at half its life, under streams that go on.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use peering_core::peering::state::Reported;
use peering_core::token::PeeringToken;
use rustls::pki_types::{CertificateDer, ServerName};

use super::clock::{skip, until};
use super::foreign_dialer::shake_hands;
use super::home::Home;
use crate::bounds::LEAF_CHECK_INTERVAL;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::server::Sources;

/// Returns the leaf that is shown; none if it is not valid now by the machine's clock.
async fn shown(token: &PeeringToken) -> Option<CertificateDer<'static>> {
    let name = ServerName::try_from(token.server_name.clone()).unwrap();
    let socket = shake_hands(token, name).await.ok()?;
    Some(socket.get_ref().1.peer_certificates()?.first()?.clone().into_owned())
}

#[tokio::test]
async fn a_clock_past_72_hours_and_back_an_hour_renews_it_and_touches_no_stream() {
    // The foreign handshake below believes the machine's clock, so that is where this one comes to.
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now - SignedDuration::from_hours(74)));
    let sources = || Sources { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Sources::default() };
    let left = Home::start_with("dc1", sources(), |_| {}).await;
    let right = Home::start_with("dc2", sources(), |_| {}).await;
    let token = left.token("third").await;
    right.establish("left", &left.token_text("right").await).await.unwrap();
    left.reads("right", Reported::Active).await;
    let opened = right.view("left").await.unwrap().stream.unwrap();
    assert_eq!(shown(&token).await, None, "the first leaf is past its 72 hours");
    let mut seen = None;
    for at in [now, now - SignedDuration::from_hours(1)] {
        clock.set(at);
        skip(LEAF_CHECK_INTERVAL + Duration::from_secs(1)).await;
        until("another leaf is shown", async || shown(&token).await.is_some_and(|leaf| seen.as_ref() != Some(&leaf)))
            .await;
        seen = shown(&token).await;
        // A new connection of ours verifies at the same time, by the same clock.
        let third = Home::start_with("dc3", sources(), |_| {}).await;
        third.establish("left", &left.token_text("third").await).await.unwrap();
        third.reads("left", Reported::Active).await;
        left.delete("third").await;
        left.is_gone("third").await;
        assert_eq!(left.state("right").await, Some(Reported::Active));
        let report = right.view("left").await.unwrap().stream.unwrap();
        assert_eq!((right.last_error("left").await, report.owner), (None, opened.owner.clone()));
    }
}
