//! Stories in numbered steps, told with processes of the program under test; each ends with the misuse that must fail.

mod audit;
mod backup;
mod deletion;
mod issued;
mod outage;
mod restore;
mod supersession;

use peering_tests::site::Site;

use crate::under_test::program;

/// The acceptor's name for the dialer.
const DIALER: &str = "cluster-02";
/// The dialer's name for the acceptor.
const ACCEPTOR: &str = "cluster-01";

/// What Consul's command line shows for a token that is spent, superseded or void for any other reason.
const NEW_TOKEN_NEEDED: &str = "Error establishing peering for cluster-01: Unexpected response code: 403 \
    (a new peering token must be generated: invalid peering establishment secret)\n";
/// What it shows for one that worked.
const ESTABLISHED: &str = "Successfully established peering connection with cluster-01\n";

/// Starts two clusters: the future acceptor and the future dialer.
async fn two_sites() -> (Site, Site) {
    let program = program();
    tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"))
}

/// Makes two clusters peers with a new token, and returns the token once both read ACTIVE.
async fn peer(acceptor: &Site, dialer: &Site) -> String {
    let token = acceptor.generate_token(DIALER).await;
    dialer.establish(ACCEPTOR, &token).await.expect(0, ESTABLISHED, "");
    both_active(acceptor, dialer).await;
    token
}

/// Waits until both sides read ACTIVE.
async fn both_active(acceptor: &Site, dialer: &Site) {
    tokio::join!(acceptor.reaches(DIALER, "ACTIVE"), dialer.reaches(ACCEPTOR, "ACTIVE"));
}
