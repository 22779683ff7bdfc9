//! Drives one HTTP connection to its end: until it closes, its time is over, or the listener shuts down.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::{Service as HyperService, service_fn};
use hyper_util::server::graceful::GracefulConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::activity::{Activity, InProgress};
use crate::bounds::{DRAIN_MAX, IDLE_CLOSE_MAX};

/// The body of an answer, with the request that is in progress until it was sent.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    _in_progress: InProgress,
}

impl<B> Answer<B> {
    const fn new(body: B, in_progress: InProgress) -> Self {
        Self { body, _in_progress: in_progress }
    }
}

impl<B> Body for Answer<B>
where
    B: Body + Unpin,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Wraps a service for hyper: counts its requests, and gives each one this extension.
pub(super) fn tracked<S, B, X>(
    service: S,
    activity: Activity,
    extension: X,
) -> impl HyperService<Request<Incoming>, Response = Response<Answer<B>>, Error = Infallible, Future: Send>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send,
    S::Future: Send,
    B: Body + Unpin,
    X: Clone + Send + Sync + 'static,
{
    service_fn(move |mut request: Request<Incoming>| {
        let in_progress = activity.begin();
        request.extensions_mut().insert(extension.clone());
        let answer = service.clone().oneshot(request);
        async move { answer.await.map(|answer| answer.map(|body| Answer::new(body, in_progress))) }
    })
}

/// How long a connection may stay for nothing.
///
/// One on which nothing is asked holds a place among the bounded ones. That covers a client that finished its TLS
/// handshake and stays silent, a request head that never ends, and the time after the last answer. A stranger may ask
/// without end and gets nothing, so what it asks does not prolong its time.
#[derive(Debug)]
pub(super) struct Patience {
    /// The requests in progress.
    pub(super) requests: Activity,
    /// Longest time without one.
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
            () = self.requests.idle_for(self.idle) => {}
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
    use hyper::server::conn::http1;
    use hyper_util::rt::{TokioIo, TokioTimer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use tonic::transport::{Channel, Endpoint};

    use super::*;
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
        let service = tracked(router, patience.requests.clone(), ());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(far), service);
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
        let service = tracked(router, patience.requests.clone(), ());
        let connection = http2::bounded(100).serve_connection(TokioIo::new(far), service);
        (near, tokio::spawn(drive(connection, patience, shutdown)))
    }

    fn patience(known: Option<(Activity, Duration)>) -> Patience {
        Patience { requests: Activity::new(), idle: IDLE, known }
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

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_cut() {
        // More than the pipe between the two takes.
        let large = Router::new().fallback(|| async { "x".repeat(1 << 20) });
        let (mut near, task) = start_http1(large, CancellationToken::new());
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let begun = Instant::now();
        task.await.unwrap();
        assert!(begun.elapsed() <= IDLE + IDLE_CLOSE_MAX * 2, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_does_not_wait_for_ever_for_a_client_that_does_not_read() {
        let large = Router::new().fallback(|| async { "x".repeat(1 << 22) });
        let shutdown = CancellationToken::new();
        let (near, task) = start_http2_with(large, patience(None), shutdown.clone());
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
