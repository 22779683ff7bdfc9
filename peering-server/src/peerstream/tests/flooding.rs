//! A peer whose next frame is always there already: it may not stop our clock, nor keep the thread.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use peering_core::peerstream::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Offer, Open, Refusal, Session, StatusCode};
use peering_core::remote::RemoteInfo;
use peering_core::secret::StreamSecret;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic_prost::ProstDecoder;

use super::home::Home;
use crate::peerstream::driver::{self, Driver, Tools};
use crate::peerstream::ends::{Inbound, Outbound};
use crate::peerstream::pace::Pace;
use crate::peerstream::proto::peerstream::replication_message::{Heartbeat, Payload};
use crate::service::status::StreamBoard;

/// Frames in a flood: so many that a driver which waits for its end is noticed, and so few that the test then ends.
const FRAMES: usize = 500_000;
/// A gRPC message without a payload.
const EMPTY_FRAME: &[u8] = &[0; 5];

/// A body that never makes anybody wait.
struct Flood {
    frames_left: usize,
}

impl Body for Flood {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.frames_left == 0 {
            return Poll::Ready(None);
        }
        self.frames_left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(EMPTY_FRAME)))))
    }
}

#[tokio::test]
async fn a_flood_of_frames_stops_neither_our_heartbeats_nor_the_time_of_the_peer() {
    let home = Home::start("dc1").await;
    let service = Arc::clone(home.service());
    tokio::time::pause();
    let (outbound, mut frames) = Outbound::of_dialer();
    let driving = tokio::spawn(async move {
        let (board, stop) = (StreamBoard::new("s1"), CancellationToken::new());
        let pace = Pace::new(driver::now());
        let tools = Tools { service: &service, board: &board, pace: &pace, stop: &stop };
        let open = Open { peer_id: "x".into(), secret: StreamSecret::from_text("x"), remote: RemoteInfo::default() };
        let session = Session::dial(open, Offer::default(), driver::now());
        let decoder = ProstDecoder::default();
        let flood = Streaming::new_request(decoder, Flood { frames_left: FRAMES }, None, None);
        let driver = Driver::new(session, tools, outbound, Inbound::Reading(Box::new(flood)), None);
        driver.run(|_| Box::pin(std::future::pending())).await
    });
    let mut is_beat = async || loop {
        match frames.next().await {
            Some(message) if message.payload == Some(Payload::Heartbeat(Heartbeat {})) => return true,
            Some(_) => {}
            None => return false,
        }
    };
    assert!(is_beat().await, "at once");
    for _ in 1..HEARTBEAT_TIMEOUT.as_secs() / HEARTBEAT_INTERVAL.as_secs() {
        tokio::time::advance(HEARTBEAT_INTERVAL).await;
        assert!(is_beat().await);
    }
    tokio::time::advance(HEARTBEAT_INTERVAL).await;
    let outcome = driving.await.unwrap();
    assert_eq!(outcome.result, Err(Refusal::new(StatusCode::Unknown, "heartbeat timeout")));
}
