//! A server is killed while it starts for the first time, with its directory half made.

use std::time::Duration;

use peering_tests::process::Signal;
use peering_tests::site::Site;
use peering_tests::token;
use tokio::time::Instant;

use super::super::dice::Dice;
use crate::under_test::program;

/// Times that each of a few servers is killed.
const KILLS: usize = 3;

#[tokio::test]
async fn a_server_killed_at_any_moment_of_its_first_start_starts_the_next_time() {
    let seed = Dice::print_seed();
    let begun = Instant::now();
    drop(Site::start_logging(&program(), "dc1", "info").await);
    // Those below start at the same time, so that each is slower than this one was.
    let start = begun.elapsed() * 2;
    let server = |number| kill_while_starting(Dice::new(seed, number), start);
    tokio::join!(server(0), server(1), server(2), server(3));
}

async fn kill_while_starting(dice: Dice, start: Duration) {
    let mut site = Site::prepare(&program(), "dc1", "info");
    for _ in 0..KILLS {
        site.start_and_kill(start.mul_f64(dice.below(1_000) as f64 / 1_000.0)).await;
    }
    site.restart().await;
    let token = site.generate_token("peer").await;
    // What the first answered request rests on is what the next start finds.
    site.stop(Signal::KILL).await;
    site.restart().await;
    assert_eq!(site.state("peer").await, "PENDING");
    assert_eq!(token::claim(&site.generate_token("peer").await, "PeerID"), token::claim(&token, "PeerID"));
}
