//! Counts what is in progress on a connection, and waits until for a while nothing was, or nothing moved.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A count of one kind of thing on one connection: requests, pieces of answers that wait to be sent, or streams whose
/// Open was accepted.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<watch::Sender<usize>>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Notes a beginning; it is in progress until the returned value is dropped.
    pub(super) fn begin(&self) -> InProgress {
        self.0.send_modify(|count| *count += 1);
        InProgress(Arc::clone(&self.0))
    }

    /// Waits until nothing was in progress for this long.
    pub(super) async fn idle_for(&self, idle: Duration) {
        self.unchanged_for(idle, |count| count == 0).await;
    }

    /// Waits until something was in progress for this long, and nothing of it began, moved or ended.
    pub(super) async fn stalled_for(&self, stalled: Duration) {
        self.unchanged_for(stalled, |count| count > 0).await;
    }

    async fn unchanged_for(&self, time: Duration, counts: impl Fn(usize) -> bool) {
        let mut count = self.0.subscribe();
        loop {
            let is_counted = counts(*count.borrow_and_update());
            // Any change begins the time anew: what began and ended before we looked was in progress too. The sender
            // lives in `self`, so there always may be one.
            let changed = count.changed();
            if !is_counted {
                let _ = changed.await;
            } else if timeout(time, changed).await.is_err() {
                return;
            }
        }
    }
}

/// Something in progress, until it ends or is given up.
#[derive(Debug)]
pub(super) struct InProgress(Arc<watch::Sender<usize>>);

impl InProgress {
    /// Notes that it moves.
    pub(super) fn moved(&self) {
        self.0.send_modify(|_| {});
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn what_is_over_before_anybody_looks_counts_too() {
        let (activity, begun) = (Activity::new(), Instant::now());
        tokio::join!(activity.idle_for(IDLE), async {
            for _ in 0..5 {
                sleep(IDLE - Duration::from_secs(1)).await;
                drop(activity.begin());
            }
        });
        assert_eq!(begun.elapsed(), IDLE * 6 - Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_of_many_begins_the_time() {
        let (activity, begun) = (Activity::new(), Instant::now());
        let (first, second) = (activity.begin(), activity.begin());
        tokio::join!(activity.idle_for(IDLE), async move {
            sleep(IDLE * 3).await;
            drop(first);
            sleep(IDLE * 3).await;
            drop(second);
        });
        assert_eq!(begun.elapsed(), IDLE * 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_not_stalled_and_what_is_not_there_neither() {
        let (activity, begun) = (Activity::new(), Instant::now());
        tokio::join!(activity.stalled_for(IDLE), async {
            sleep(IDLE * 5).await;
            let piece = activity.begin();
            for _ in 0..5 {
                sleep(IDLE - Duration::from_secs(1)).await;
                piece.moved();
            }
            drop(piece);
            sleep(IDLE * 5).await;
            let _held = activity.begin();
            sleep(IDLE * 2).await;
        });
        assert_eq!(begun.elapsed(), IDLE * 17 - Duration::from_secs(5));
        let (_held, begun) = (activity.begin(), Instant::now());
        activity.stalled_for(IDLE).await;
        assert_eq!(begun.elapsed(), IDLE);
    }
}
