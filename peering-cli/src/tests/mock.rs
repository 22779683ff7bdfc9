//! A server with canned answers, which remembers what it was asked.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    /// Returns a header's text, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A running server; it stops when it is dropped.
pub(crate) struct Mock {
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Makes an answer.
pub(crate) fn answer(status: u16, body: &str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_owned())).unwrap()
}

/// Makes a redirect.
pub(crate) fn redirect(status: u16, location: &str) -> Response<Body> {
    Response::builder().status(status).header("Location", location).body(Body::from("moved")).unwrap()
}

impl Mock {
    /// Starts a server on a free port of loopback.
    pub(crate) fn start(answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self::serve(address, answer, async move |router, stop| {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).with_graceful_shutdown(stop).await.unwrap();
        })
    }

    /// Starts a server that always gives this answer.
    pub(crate) fn always(status: u16, body: &'static str) -> Self {
        Self::start(move |_| answer(status, body))
    }

    /// Starts a server on a unix socket.
    pub(crate) fn start_unix(path: &Path, answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::serve(format!("unix://{}", path.display()), answer, async move |router, stop| {
            let listener = UnixListener::from_std(listener).unwrap();
            axum::serve(listener, router).with_graceful_shutdown(stop).await.unwrap();
        })
    }

    fn serve<F>(address: String, answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static, serve: F) -> Self
    where
        F: AsyncFnOnce(Router, Stop) + Send + 'static,
    {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let log = Arc::clone(&seen);
        let answer = Arc::new(answer);
        let router = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let seen = Seen { method, uri, headers, body: String::from_utf8(body.to_vec()).unwrap() };
            let response = answer(&seen);
            log.lock().unwrap().push(seen);
            async move { response }
        });
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(router, Box::pin(async move { drop(stopped.await) })));
        });
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Returns everything that was asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the only request.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

type Stop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Drop for Mock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
