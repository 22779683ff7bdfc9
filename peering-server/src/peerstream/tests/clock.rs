//! Waiting: for a condition, with a deadline, and over the time of timers without spending any.

use std::time::{Duration, Instant};

/// Longest wait for something that is due now.
const SOON: Duration = Duration::from_secs(20);

/// Waits for something that is due now.
pub(super) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(SOON, future).await {
        Ok(output) => output,
        Err(_) => panic!("still waiting for {what}"),
    }
}

/// Waits until a condition holds.
pub(super) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < SOON, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Moves the time of every timer forward; sockets keep theirs. Needs a runtime with one thread.
pub(super) async fn skip(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}
