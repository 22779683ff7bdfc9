//! Waits until a peering is active.
//!
//! The state `ACTIVE` is computed and not stored, so that a blocking query would sleep through it: we ask repeatedly.

use std::time::Duration;

use peering_core::api::v1::Peering;
use peering_core::duration::GoDuration;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::error::ClientError;

/// Time between two questions: short to a person, long to a server.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Says why a peering is not active.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum WaitError {
    /// Not within the time allowed. It may become active later.
    #[error("still {state} after {limit}; the servers go on trying")]
    TimedOut {
        /// The state that was seen last.
        state: String,
        /// The time allowed.
        limit: GoDuration,
    },
    /// It was never seen within the time allowed.
    #[error("its state is unknown after {limit}")]
    Unseen {
        /// The time allowed.
        limit: GoDuration,
    },
    /// It will not become active: it is being deleted, or the peer has ended it.
    #[error("it is {0}")]
    Ended(String),
    /// It was deleted meanwhile.
    #[error("it was deleted meanwhile")]
    Gone,
    /// Its state cannot be read.
    #[error(transparent)]
    Read(ClientError),
}

/// Reads the peering again and again until it is active or the time is over. An answer that fails is no reason to give
/// up, unless it is a refusal.
///
/// # Errors
/// [`WaitError`] if it is not active.
pub(crate) async fn until_active(
    read: impl AsyncFn() -> Result<Option<Peering>, ClientError>,
    limit: GoDuration,
) -> Result<(), WaitError> {
    let deadline = Instant::now() + limit.to_std().unwrap_or_default();
    let mut last = None;
    let is_over = |last: Option<Result<String, ClientError>>| match last {
        Some(Ok(state)) => WaitError::TimedOut { state, limit },
        Some(Err(error)) => WaitError::Read(error),
        None => WaitError::Unseen { limit },
    };
    loop {
        match timeout_at(deadline, read()).await {
            Ok(Ok(Some(peering))) => match peering.state.as_str() {
                "ACTIVE" => return Ok(()),
                "DELETING" | "TERMINATED" => return Err(WaitError::Ended(peering.state)),
                _ => last = Some(Ok(peering.state)),
            },
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
