//! Waits until a peering is active.
//!
//! The state `ACTIVE` is computed and not stored, so that a blocking query would sleep through it: we ask repeatedly.

use std::time::Duration;

use peering_core::api::detail::LastError;
use peering_core::api::v1::Peering;
use peering_core::duration::GoDuration;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::error::ClientError;
use crate::commands::detail;
use crate::gotime;
use crate::output::escape::line;

/// Time between two questions: short to a person, long to a server.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Says why a peering is not active.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum WaitError {
    /// Not within the time allowed. It may become active later.
    #[error("still {} after {limit}; the servers go on trying{}", line(state), explained(error.as_deref()))]
    TimedOut {
        /// The state that was seen last.
        state: String,
        /// The time allowed.
        limit: GoDuration,
        /// What went wrong last, if the server says so.
        error: Option<Box<LastError>>,
    },
    /// It was never seen within the time allowed.
    #[error("its state is unknown after {limit}")]
    Unseen {
        /// The time allowed.
        limit: GoDuration,
    },
    /// It will not become active: it is being deleted, or the peer has ended it.
    #[error("it is {}", line(.0))]
    Ended(String),
    /// It was deleted meanwhile.
    #[error("it was deleted meanwhile")]
    Gone,
    /// Its state cannot be read.
    #[error(transparent)]
    Read(ClientError),
}

/// Says what went wrong last, and what to do about it.
fn explained(error: Option<&LastError>) -> String {
    error.map_or_else(String::new, |error| {
        let (time, told) = (gotime::rfc3339_seconds(error.time), detail::error_line(error));
        format!("\nLast error, at {time}: {told}\nWhat to do: {}", line(&error.remedy))
    })
}

/// Reads the peering again and again until it is active or the time is over, and shows what it sees. An answer that fails is no reason to give
/// up, unless it is a refusal.
///
/// # Errors
/// [`WaitError`] if it is not active.
pub(crate) async fn until_active(
    read: impl AsyncFn() -> Result<Option<Peering>, ClientError>,
    limit: GoDuration,
    mut see: impl FnMut(&Peering, Duration),
) -> Result<(), WaitError> {
    let begun = Instant::now();
    let deadline = begun + limit.to_std().unwrap_or_default();
    let mut last = None;
    let is_over = |last: Option<Result<Peering, ClientError>>| match last {
        Some(Ok(Peering { state, detail, .. })) => {
            let error = detail.and_then(|detail| detail.last_error).map(Box::new);
            WaitError::TimedOut { state, limit, error }
        }
        Some(Err(error)) => WaitError::Read(error),
        None => WaitError::Unseen { limit },
    };
    loop {
        match timeout_at(deadline, read()).await {
            Ok(Ok(Some(peering))) => {
                see(&peering, begun.elapsed());
                match peering.state.as_str() {
                    "ACTIVE" => return Ok(()),
                    "DELETING" | "TERMINATED" => return Err(WaitError::Ended(peering.state)),
                    _ => last = Some(Ok(peering)),
                }
            }
            Ok(Ok(None)) => return Err(WaitError::Gone),
            Ok(Err(error @ ClientError::Status { code: 400..500, .. })) => return Err(WaitError::Read(error)),
            Ok(Err(error)) => last = Some(Err(error)),
            Err(_) => return Err(is_over(last)),
        }
        if timeout_at(deadline, sleep(POLL_INTERVAL)).await.is_err() {
            return Err(is_over(last));
        }
    }
}
