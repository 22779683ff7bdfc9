//! Drives one HTTP connection to its end: until it closes, its time is over, or the listener shuts down.

use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::{Service as HyperService, service_fn};
use hyper_util::server::graceful::GracefulConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::activity::{Activity, InProgress};
use crate::bounds::{ANSWER_STALL_MAX, DRAIN_MAX, IDLE_CLOSE_MAX};

/// What goes on on one connection.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    /// Requests, each until the last byte of its answer was sent.
    pub(super) requests: Activity,
    /// Pieces of answers that were made and wait to be sent.
    unsent: Activity,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self { requests: Activity::new(), unsent: Activity::new() }
    }
}

/// The body of an answer, with the request that is in progress until it was sent.
///
/// The HTTP library drops a body as soon as it has all pieces, and keeps those until the socket and the windows of the
/// client take them. So each piece stands for the request too.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    request: Arc<InProgress>,
    unsent: Activity,
}

impl<B> Body for Answer<B>
where
    B: Body + Unpin,
{
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Poll::Ready(polled) = Pin::new(&mut self.body).poll_frame(cx) else { return Poll::Pending };
        let piece = |data| Piece { data, unsent: self.unsent.begin(), _request: Arc::clone(&self.request) };
        Poll::Ready(polled.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of an answer, until its last byte was written to the socket.
#[derive(Debug)]
pub(super) struct Piece<D> {
    data: D,
    unsent: InProgress,
    _request: Arc<InProgress>,
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        self.unsent.moved();
    }
}

/// Wraps a service for hyper: notes its traffic, and gives each request this extension.
pub(super) fn tracked<S, B, X>(
    service: S,
    traffic: Traffic,
    extension: X,
) -> impl HyperService<Request<Incoming>, Response = Response<Answer<B>>, Error = Infallible, Future: Send>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send,
    S::Future: Send,
    B: Body + Unpin,
    X: Clone + Send + Sync + 'static,
{
    service_fn(move |mut request: Request<Incoming>| {
        let (in_progress, unsent) = (Arc::new(traffic.requests.begin()), traffic.unsent.clone());
        request.extensions_mut().insert(extension.clone());
        let answer = service.clone().oneshot(request);
        async move { answer.await.map(|answer| answer.map(|body| Answer { body, request: in_progress, unsent })) }
    })
}

/// How long a connection may stay for nothing.
///
/// One on which nothing is asked holds a place among the bounded ones. That covers a client that finished its TLS
/// handshake and stays silent, a request head that never ends, and the time after the last answer. A stranger may ask
/// without end and gets nothing, so what it asks does not prolong its time. Nor does it help to ask and not to read the
/// answer: after [`ANSWER_STALL_MAX`] without progress its reader is taken for gone.
#[derive(Debug)]
pub(super) struct Patience {
    /// What goes on.
    pub(super) traffic: Traffic,
    /// Longest time without a request in progress.
    pub(super) idle: Duration,
    /// On the peer listener: the streams whose Open was accepted, and the longest time without one.
    pub(super) known: Option<(Activity, Duration)>,
}

impl Patience {
    async fn is_over(&self) {
        let stranger = async {
            match &self.known {
                Some((streams, age)) => streams.idle_for(*age).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.traffic.requests.idle_for(self.idle) => {}
            () = self.traffic.unsent.stalled_for(ANSWER_STALL_MAX) => {}
            () = stranger => {}
        }
    }
}

/// Serves the connection until it ends. On shutdown, requests in progress get [`DRAIN_MAX`]; a connection for which the
/// patience is over is closed. Errors of a connection concern its client alone and are dropped.
pub(super) async fn drive<C>(connection: C, patience: Patience, shutdown: CancellationToken)
where
    C: GracefulConnection,
{
    let mut connection = pin!(connection);
    let grace = tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.cancelled() => DRAIN_MAX,
        () = patience.is_over() => IDLE_CLOSE_MAX,
    };
    connection.as_mut().graceful_shutdown();
    let _ = timeout(grace, connection).await;
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::Router;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use tonic::transport::{Channel, Endpoint};

    use super::*;
    use crate::listen::http::bounded_http1;
    use crate::listen::http2;

    const IDLE: Duration = Duration::from_secs(10);

    /// Answers after this long.
    fn slow(delay: Duration) -> Router {
        Router::new().fallback(move || async move {
            tokio::time::sleep(delay).await;
            "late"
        })
    }

    fn start_http1(router: Router, shutdown: CancellationToken) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let patience = patience(None);
        let service = tracked(router, patience.traffic.clone(), ());
        let connection = bounded_http1().serve_connection(TokioIo::new(far), service);
        (near, tokio::spawn(drive(connection, patience, shutdown)))
    }

    fn start_http2(router: Router) -> (DuplexStream, JoinHandle<()>) {
        start_http2_with(router, patience(None), CancellationToken::new())
    }

    fn start_http2_with(
        router: Router,
        patience: Patience,
        shutdown: CancellationToken,
    ) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let service = tracked(router, patience.traffic.clone(), ());
        let connection = http2::bounded(100).serve_connection(TokioIo::new(far), service);
        (near, tokio::spawn(drive(connection, patience, shutdown)))
    }

    fn patience(known: Option<(Activity, Duration)>) -> Patience {
        Patience { traffic: Traffic::new(), idle: IDLE, known }
    }

    async fn channel(near: DuplexStream) -> Channel {
        let mut near = Some(TokioIo::new(near));
        let once = tower::service_fn(move |_: http::Uri| {
            std::future::ready(near.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
        });
        Endpoint::from_static("http://peer").connect_with_connector(once).await.unwrap()
    }

    async fn is_answered(channel: &Channel) -> bool {
        let request = Request::get("http://peer/").body(tonic::body::Body::empty()).unwrap();
        channel.clone().oneshot(request).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_when_it_was_idle_long_enough() {
        let begun = Instant::now();
        let (_near, http1) = start_http1(slow(Duration::ZERO), CancellationToken::new());
        http1.await.unwrap();
        assert!((IDLE..=IDLE + IDLE_CLOSE_MAX).contains(&begun.elapsed()), "{:?}", begun.elapsed());

        let begun = Instant::now();
        let (_near, http2) = start_http2(slow(Duration::ZERO));
        http2.await.unwrap();
        assert!((IDLE..=IDLE + IDLE_CLOSE_MAX * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_is_no_idleness_and_the_time_starts_anew_after_it() {
        let (near, task) = start_http2(slow(IDLE * 5));
        let channel = channel(near).await;
        assert!(is_answered(&channel).await);
        tokio::time::sleep(IDLE / 2).await;
        assert!(!task.is_finished());
        assert!(is_answered(&channel).await);
        let begun = Instant::now();
        task.await.unwrap();
        assert!((IDLE / 2..=IDLE + IDLE_CLOSE_MAX).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_gives_its_request_up_leaves_an_idle_connection() {
        let (near, task) = start_http2(slow(IDLE * 1_000));
        let channel = channel(near).await;
        assert!(timeout(IDLE * 3, is_answered(&channel)).await.is_err());
        let begun = Instant::now();
        task.await.unwrap();
        assert!(begun.elapsed() <= IDLE + IDLE_CLOSE_MAX * 2, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_cannot_stay_by_asking_again_and_again() {
        const AGE: Duration = Duration::from_secs(60);
        let streams = Activity::new();
        let known = Some((streams.clone(), AGE));
        let (near, task) = start_http2_with(slow(Duration::ZERO), patience(known), CancellationToken::new());
        let channel = channel(near).await;
        let begun = Instant::now();
        let mut stream = None;
        while is_answered(&channel).await {
            tokio::time::sleep(IDLE / 2).await;
            // A peer stream that is accepted in time, and its end, begin the time anew.
            if begun.elapsed() == AGE - IDLE / 2 {
                stream = Some(streams.begin());
            }
            if begun.elapsed() == AGE * 3 {
                stream = None;
            }
        }
        task.await.unwrap();
        assert!((AGE * 4..=AGE * 4 + IDLE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        drop(stream);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_in_progress_does_not_keep_a_stranger() {
        const AGE: Duration = Duration::from_secs(60);
        let known = Some((Activity::new(), AGE));
        let (near, task) = start_http2_with(slow(AGE * 1_000), patience(known), CancellationToken::new());
        let (channel, begun) = (channel(near).await, Instant::now());
        assert!(!is_answered(&channel).await);
        task.await.unwrap();
        assert!((AGE..=AGE + IDLE_CLOSE_MAX * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    /// An answer that neither the pipe between the two takes at once, nor the windows of our HTTP/2 client.
    const LARGE_BYTES: usize = 8 << 20;

    fn large() -> Router {
        Router::new().fallback(|| async { "x".repeat(LARGE_BYTES) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_may_pause_as_often_as_it_likes() {
        const PAUSE: Duration = ANSWER_STALL_MAX.saturating_sub(Duration::from_secs(1));
        let (mut near, task) = start_http1(large(), CancellationToken::new());
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (begun, mut came) = (Instant::now(), Vec::new());
        while came.len() < LARGE_BYTES {
            tokio::time::sleep(PAUSE).await;
            // More than the pipe holds, so that more must come.
            assert_ne!((&mut near).take(1 << 18).read_to_end(&mut came).await.unwrap(), 0, "{} bytes", came.len());
        }
        assert!(begun.elapsed() > ANSWER_STALL_MAX * 5, "{:?}", begun.elapsed());
        // The time without a request begins after the last byte.
        tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
        assert!(!task.is_finished());
        task.await.unwrap();

        let (near, task) = start_http2(large());
        let request = Request::get("http://peer/").body(tonic::body::Body::empty()).unwrap();
        let mut body = channel(near).await.oneshot(request).await.unwrap().into_body();
        let mut came = 0;
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            came += frame.unwrap().into_data().unwrap().len();
            if came.is_multiple_of(1 << 18) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        assert_eq!(came, LARGE_BYTES);
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_cut() {
        let cut = ANSWER_STALL_MAX..=ANSWER_STALL_MAX + IDLE_CLOSE_MAX;
        let (mut near, task) = start_http1(large(), CancellationToken::new());
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(IDLE * 3).await;
        near.read_exact(&mut [0; 1 << 17]).await.unwrap();
        let begun = Instant::now();
        task.await.unwrap();
        assert!(cut.contains(&begun.elapsed()), "{:?}", begun.elapsed());

        // The client takes each frame from the pipe, and soon opens no more windows.
        let (near, task) = start_http2(large());
        let channel = channel(near).await;
        assert!(is_held(&channel).await);
        let begun = Instant::now();
        task.await.unwrap();
        assert!(cut.contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_may_not_come_later_than_an_answer_was_sent() {
        let (mut near, task) = start_http1(slow(Duration::ZERO), CancellationToken::new());
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nho").await.unwrap();
        let begun = Instant::now();
        task.await.unwrap();
        assert!((IDLE..=IDLE + IDLE_CLOSE_MAX).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_does_not_wait_for_ever_for_a_client_that_does_not_read() {
        let shutdown = CancellationToken::new();
        let (near, task) = start_http2_with(large(), patience(None), shutdown.clone());
        let channel = channel(near).await;
        // The head of the answer is there; its body waits for the window that nobody opens.
        assert!(is_held(&channel).await);
        let begun = Instant::now();
        shutdown.cancel();
        task.await.unwrap();
        assert!(begun.elapsed() <= DRAIN_MAX, "{:?}", begun.elapsed());
    }

    /// Asks, and leaves the answer unread until the test ends.
    async fn is_held(channel: &Channel) -> bool {
        let request = Request::get("http://peer/").body(tonic::body::Body::empty()).unwrap();
        let answer = channel.clone().oneshot(request).await;
        answer.map(Box::new).map(Box::leak).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_waits_for_an_answer_but_not_for_ever() {
        for (delay, is_late) in [(DRAIN_MAX / 2, true), (DRAIN_MAX * 2, false)] {
            let shutdown = CancellationToken::new();
            let (mut near, task) = start_http1(slow(delay), shutdown.clone());
            near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            // Lets the server see the request before the shutdown.
            tokio::time::sleep(Duration::from_millis(1)).await;
            shutdown.cancel();
            let mut answer = String::new();
            near.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.ends_with("late"), is_late, "{answer}");
            task.await.unwrap();
        }
    }
}
