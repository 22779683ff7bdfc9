//! HTTP/2 within bounds, alike for every listener that speaks it.

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::bounds::{
    HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_FAULTS_MAX, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_RESETS_WAITING_MAX,
    HTTP2_STREAM_WINDOW_BYTES, HTTP2_UNSENT_BYTES_MAX,
};

/// Prepares a connection on which so many streams may run at a time.
///
/// What has no number here needs none: the library answers one PING and one SETTINGS before it reads the next, ends a
/// connection after some hundred empty DATA frames, and bounds CONTINUATION frames by the header list.
pub(super) fn bounded(streams: u32) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        // The library refuses what is as long as its bound.
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES_MAX + 1)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(HTTP2_UNSENT_BYTES_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_WAITING_MAX)
        .max_local_error_reset_streams(HTTP2_FAULTS_MAX);
    builder
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http::{Request, Response};
    use hyper::body::{Body, Frame, Incoming};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::listen::wire::{DATA, GO_AWAY, RST_STREAM, WINDOW_UPDATE, Wire};

    /// Most bytes in a frame, unless the other side asks for more.
    const FRAME_BYTES: u32 = 16 << 10;
    /// Code of RST_STREAM and GOAWAY: more was sent than the window takes.
    const FLOW_CONTROL_ERROR: u32 = 3;
    /// Setting: the window of each stream that the other side sends on.
    const INITIAL_WINDOW_SIZE: u16 = 4;
    /// The largest window there is.
    const WINDOW_BYTES_MAX: u32 = (1 << 31) - 1;
    /// What HTTP/2 connections begin with, whatever the settings say.
    const FIRST_CONNECTION_WINDOW_BYTES: u32 = (1 << 16) - 1;

    /// Serves a connection on which nobody reads a request, and none is answered before the test ends.
    fn unread() -> DuplexStream {
        let (near, far) = tokio::io::duplex(1 << 22);
        let service = service_fn(|request: Request<Incoming>| async move {
            let _unread = request;
            std::future::pending::<Result<Response<String>, Infallible>>().await
        });
        tokio::spawn(bounded(100).serve_connection(TokioIo::new(far), service));
        near
    }

    /// Begins a stream and fills its window.
    async fn fill(wire: &mut Wire, stream: u32) {
        wire.ask(stream).await;
        for _ in 0..HTTP2_STREAM_WINDOW_BYTES / FRAME_BYTES {
            wire.write(DATA, 0, stream, &[0; FRAME_BYTES as usize]).await;
        }
    }

    #[tokio::test]
    async fn a_stream_may_have_its_window_unread_and_not_a_byte_more() {
        let mut wire = Wire::client(unread(), &[]).await;
        fill(&mut wire, 1).await;
        assert_eq!(wire.complaint().await, None);
        wire.write(DATA, 0, 1, &[0]).await;
        let complaint = wire.complaint().await.unwrap();
        assert_eq!((complaint.kind, complaint.stream, complaint.code()), (RST_STREAM, 1, FLOW_CONTROL_ERROR));
    }

    #[tokio::test]
    async fn a_connection_may_have_its_window_unread_and_not_a_byte_more() {
        let mut wire = Wire::client(unread(), &[]).await;
        let streams = HTTP2_CONNECTION_WINDOW_BYTES / HTTP2_STREAM_WINDOW_BYTES;
        for number in 0..streams {
            fill(&mut wire, 2 * number + 1).await;
        }
        let next = 2 * streams + 1;
        wire.ask(next).await;
        assert_eq!(wire.complaint().await, None);
        wire.write(DATA, 0, next, &[0]).await;
        let complaint = wire.complaint().await.unwrap();
        assert_eq!((complaint.kind, complaint.code()), (GO_AWAY, FLOW_CONTROL_ERROR));
    }

    /// An answer without end, in pieces, that counts its bytes.
    struct Endless(Arc<AtomicUsize>);

    const PIECE: &[u8] = &[0; 1 << 10];

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.fetch_add(PIECE.len(), Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_an_answer_that_nobody_reads_64_kib_are_made_and_the_rest_waits() {
        const PIPE_BYTES: usize = 1 << 10;
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let service = service_fn(move |_: Request<Incoming>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(Endless(Arc::clone(&counted)))))
        });
        tokio::spawn(bounded(100).serve_connection(TokioIo::new(far), service));
        let mut wire = Wire::client(near, &[(INITIAL_WINDOW_SIZE, WINDOW_BYTES_MAX)]).await;
        let more = WINDOW_BYTES_MAX - FIRST_CONNECTION_WINDOW_BYTES;
        wire.write(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()).await;
        wire.ask(1).await;
        // What was written and is not read, and what the library has at hand for the next write.
        let on_the_way = PIPE_BYTES + FRAME_BYTES as usize;
        let mut read = 0;
        for _ in 0..10 {
            // Lets the server do all that it can.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let waits = made.load(Ordering::Relaxed) - read;
            let bound = HTTP2_UNSENT_BYTES_MAX..=HTTP2_UNSENT_BYTES_MAX + on_the_way;
            assert!(bound.contains(&waits), "{waits} bytes wait after {read}");
            for _ in 0..20 {
                read += wire.read(DATA).await.unwrap().payload.len();
            }
        }
    }
}
