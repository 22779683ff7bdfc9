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
