//! Drives one HTTP connection to its end: until it closes, falls idle, or the listener shuts down.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::{Service as HyperService, service_fn};
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::bounds::{DRAIN_MAX, IDLE_CLOSE_MAX};

/// Counts the requests in progress on one connection.
///
/// A connection on which nothing is asked holds a place among the bounded ones, so it may do so only for a while. That
/// covers a client that finished its TLS handshake and stays silent, a request head that never ends, and the time after
/// the last answer.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<watch::Sender<usize>>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Notes a request; it is in progress until the returned value is dropped.
    fn begin(&self) -> InProgress {
        self.0.send_modify(|count| *count += 1);
        InProgress(Arc::clone(&self.0))
    }

    /// Waits until nothing was in progress for this long.
    async fn idle_for(&self, idle: Duration) {
        let mut count = self.0.subscribe();
        // The sender lives in `self`, so these waits end only by what they wait for.
        while count.wait_for(|count| *count == 0).await.is_ok() {
            if timeout(idle, count.wait_for(|count| *count > 0)).await.is_err() {
                return;
            }
        }
    }
}

/// One request in progress, until its answer was sent or given up.
#[derive(Debug)]
struct InProgress(Arc<watch::Sender<usize>>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

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

/// Serves the connection until it ends. On shutdown, requests in progress get [`DRAIN_MAX`]; a connection that was
/// idle for `idle` is closed. Errors of a connection concern its client alone and are dropped.
pub(super) async fn drive<C>(connection: C, activity: Activity, idle: Duration, shutdown: CancellationToken)
where
    C: GracefulConnection,
{
    let mut connection = pin!(connection);
    let grace = tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.cancelled() => DRAIN_MAX,
        () = activity.idle_for(idle) => IDLE_CLOSE_MAX,
    };
    connection.as_mut().graceful_shutdown();
    let _ = timeout(grace, connection).await;
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::Router;
    use hyper::server::conn::{http1, http2};
    use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use tonic::transport::{Channel, Endpoint};

    use super::*;

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
        let activity = Activity::new();
        let service = tracked(router, activity.clone(), ());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(far), service);
        (near, tokio::spawn(drive(connection, activity, IDLE, shutdown)))
    }

    fn start_http2(router: Router) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let activity = Activity::new();
        let service = tracked(router, activity.clone(), ());
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(far), service);
        (near, tokio::spawn(drive(connection, activity, IDLE, CancellationToken::new())))
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
