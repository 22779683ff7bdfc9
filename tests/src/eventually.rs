//! Waits for what comes about in its own time, up to a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Pause between two looks: short beside any deadline, long beside one look.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Looks again and again until `look` finds what it wants, and returns that. An `Err` says what was found instead.
///
/// # Panics
/// After `within`, with what the last look found.
pub async fn eventually<T>(within: Duration, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(found) if Instant::now() >= deadline => panic!("after {within:?}: {found}"),
            Err(_) => sleep(LOOK_INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_looks_until_it_finds() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(1), async || {
            looks += 1;
            if looks == 3 { Ok("it") } else { Err(format!("look {looks}")) }
        })
        .await;
        assert_eq!(found, "it");
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "after 1s: nothing")]
    async fn it_gives_up_at_the_deadline_and_says_what_it_saw() {
        eventually::<()>(Duration::from_secs(1), async || Err("nothing".to_owned())).await;
    }
}
