//! Reads the body of a request: whole, within its bytes and its time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::error::HttpError;
use crate::bounds::{BODY_BYTES_MAX, REQUEST_BODY_MAX};

/// Reads a body within its bounds.
pub(crate) async fn read(body: Body) -> Result<Bytes, HttpError> {
    within(REQUEST_BODY_MAX, body).await
}

async fn within(time: Duration, body: Body) -> Result<Bytes, HttpError> {
    match timeout(time, collected(body)).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(HttpError::too_large(format!(
            "request body: expected at most {BODY_BYTES_MAX} bytes, sent whole; got more, or a broken transfer"
        ))),
        Err(_) => Err(HttpError::too_slow(format!("request body: expected all of it within {} s", time.as_secs()))),
    }
}

/// Returns the bytes, or none of a body that is too long or ends too early.
///
/// They are copied together as they come: kept in the pieces in which they were sent, a body in pieces of one byte
/// would take a hundred times its length.
async fn collected(mut body: Body) -> Option<Bytes> {
    // What is announced as too long is not waited for.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return None;
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that we ask for.
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&data);
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::response::IntoResponse;
    use http::StatusCode;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::time::{Instant, sleep};
    use tokio_stream::{Stream, StreamExt};

    use super::*;

    /// A body in equal pieces.
    fn pieces(count: usize, piece: &'static [u8]) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
        tokio_stream::iter(0..count).map(move |_| Ok(Frame::data(Bytes::from_static(piece))))
    }

    /// A body in pieces of one byte, with a pause before each.
    fn trickle(count: usize, pause: Duration) -> Body {
        let slow = pieces(count, b"x").then(move |piece| async move {
            sleep(pause).await;
            piece
        });
        Body::new(StreamBody::new(Box::pin(slow)))
    }

    fn status(read: Result<Bytes, HttpError>) -> StatusCode {
        read.unwrap_err().into_response().status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_take_its_time_and_no_more() {
        let second = Duration::from_secs(1);
        let pieces = usize::try_from(REQUEST_BODY_MAX.as_secs()).unwrap();
        assert_eq!(read(trickle(pieces - 1, second)).await.unwrap().len(), pieces - 1);
        let begun = Instant::now();
        assert_eq!(status(read(trickle(pieces + 1, second)).await), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(begun.elapsed(), REQUEST_BODY_MAX);
        let begun = Instant::now();
        assert_eq!(status(read(trickle(1, REQUEST_BODY_MAX * 2)).await), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(begun.elapsed(), REQUEST_BODY_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_in_small_pieces_has_the_same_bound() {
        const PIECE: &[u8] = &[b'x'; 16];
        let count = BODY_BYTES_MAX / PIECE.len();
        let body = |rest| Body::new(StreamBody::new(pieces(count, PIECE).chain(pieces(rest, b"x"))));
        assert_eq!(read(body(0)).await.unwrap().len(), BODY_BYTES_MAX);
        assert_eq!(status(read(body(1)).await), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
