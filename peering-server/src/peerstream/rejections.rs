//! What a peer says against our resources, for the log: foreign text, cut, and no more lines than somebody reads.

use peering_core::foreign;
use peering_core::peerstream::{PEER_MESSAGE_CHARS_MAX, Refusal, ResourceUrl};
use tokio::time::Instant;
use tracing::warn;

use crate::bounds::{REFUSAL_LOG_PAUSE, SHOWN_CHARACTERS_MAX};
use crate::logs::STREAM;

/// Most lines in one [`REFUSAL_LOG_PAUSE`]: two for each type of resource, so that the first trouble is seen whole.
const LINES_MAX: u32 = 8;

/// Refusals of one stream.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    since: Option<Instant>,
    lines: u32,
    untold: u64,
}

impl Rejections {
    /// Logs a refusal, or counts it for a later line.
    pub(super) fn note(&mut self, url: &ResourceUrl, nonce: &str, refusal: &Refusal) {
        let Some(untold) = self.count() else { return };
        let nonce = foreign::escaped(nonce, SHOWN_CHARACTERS_MAX);
        let message = foreign::escaped(&refusal.message, PEER_MESSAGE_CHARS_MAX);
        warn!(target: STREAM, %url, nonce, code = refusal.code.number(), message, untold, "client peer was unable to apply resource");
    }

    /// Returns how many refusals were not told before this one, if it is to be told.
    fn count(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.since.is_none_or(|since| now.duration_since(since) >= REFUSAL_LOG_PAUSE) {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines >= LINES_MAX {
            self.untold += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_has_eight_lines_a_minute_and_the_rest_is_counted() {
        let mut rejections = Rejections::default();
        let told = (0..10_000).filter_map(|_| rejections.count()).collect::<Vec<_>>();
        assert_eq!(told, [0; 8]);
        tokio::time::advance(REFUSAL_LOG_PAUSE).await;
        assert_eq!(rejections.count(), Some(9_992));
        assert_eq!(rejections.count(), Some(0));
    }
}
