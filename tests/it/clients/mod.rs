//! Programs that people use today, as far as a server sees them.

mod go;
mod kubernetes;
mod terraform;

use peering_tests::cluster::STATE_WITHIN;
use peering_tests::eventually::eventually;
use peering_tests::http::Answer;

/// Asks until what was deleted under the same name is gone, as people and controllers do that are told to wait for that.
async fn once_deleted(mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    const BEING_DELETED: &str = "failed to write peering: cannot write to peering that is marked for deletion";
    eventually(STATE_WITHIN, async || {
        let answer = ask().await;
        if (answer.status, answer.body.as_str()) == (500, BEING_DELETED) { Err(answer.body) } else { Ok(answer) }
    })
    .await
}
