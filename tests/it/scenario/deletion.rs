//! Either side may end a peering; the other is told, keeps its record as TERMINATED, and can begin anew.

use peering_tests::process::Signal;

use super::{ACCEPTOR, DIALER, ESTABLISHED, NEW_TOKEN_NEEDED, both_active, peer, two_sites};

#[tokio::test]
async fn after_the_acceptor_deletes_the_dialer_is_terminated_and_can_establish_anew() {
    let (acceptor, dialer) = two_sites().await;
    peer(&acceptor, &dialer).await;
    let left_over = acceptor.generate_token(DIALER).await;
    let before = dialer.read(ACCEPTOR).await.unwrap();

    // 1. The acceptor deletes: its record goes, the dialer's stays and says so.
    acceptor.ask(&["delete", "-name", DIALER]).await.expect(
        0,
        "Successfully submitted peering connection, cluster-02, for deletion\n",
        "",
    );
    acceptor.reaches(DIALER, "absent").await;
    dialer.reaches(ACCEPTOR, "TERMINATED").await;
    acceptor.ask(&["list"]).await.expect(0, "There are no peering connections.\n", "");

    // 2. Deleting once more is no mistake.
    acceptor.ask(&["delete", "-name", DIALER]).await.success();

    // 3. With a new token the dialer begins anew, without deleting its record first.
    let token = acceptor.generate_token(DIALER).await;
    dialer.establish(ACCEPTOR, &token).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;
    let after = dialer.read(ACCEPTOR).await.unwrap();
    assert_eq!(after.id, before.id, "the dialer's record is the one from before");
    assert_ne!(after.peer_id, before.peer_id, "the acceptor's is another");

    // 4. Misuse: a token from before the deletion opens nothing.
    dialer.establish(ACCEPTOR, &left_over).await.expect(1, "", NEW_TOKEN_NEEDED);
}

#[tokio::test]
async fn after_the_dialer_deletes_the_acceptor_is_terminated_and_can_generate_anew() {
    let (acceptor, dialer) = two_sites().await;
    let spent = peer(&acceptor, &dialer).await;
    let left_over = acceptor.generate_token(DIALER).await;
    let before = acceptor.read(DIALER).await.unwrap();

    // 1. The dialer deletes.
    dialer.ask(&["delete", "-name", ACCEPTOR]).await.success();
    dialer.reaches(ACCEPTOR, "absent").await;
    acceptor.reaches(DIALER, "TERMINATED").await;

    // 2. The acceptor generates for the same name: the record waits for its peer again.
    let token = acceptor.generate_token(DIALER).await;
    let after = acceptor.read(DIALER).await.unwrap();
    assert_eq!((after.id, after.state.as_str()), (before.id, "PENDING"));

    // 3. Misuse first: no token from before the end is accepted after it.
    for old in [&spent, &left_over] {
        dialer.establish(ACCEPTOR, old).await.expect(1, "", NEW_TOKEN_NEEDED);
    }

    // 4. The new one is.
    dialer.establish(ACCEPTOR, &token).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;
}

#[tokio::test]
async fn a_deletion_is_told_to_a_dialer_that_was_away_and_outlives_a_restart_of_the_acceptor() {
    let (mut acceptor, mut dialer) = two_sites().await;
    let spent = peer(&acceptor, &dialer).await;

    // 1. The dialer is away while the acceptor deletes and starts again.
    dialer.stop(Signal::TERM).await;
    acceptor.ask(&["delete", "-name", DIALER]).await.success();
    acceptor.reaches(DIALER, "absent").await;
    acceptor.stop(Signal::KILL).await;
    acceptor.restart().await;
    assert_eq!(acceptor.state(DIALER).await, "absent");

    // 2. It comes back and is told.
    dialer.restart().await;
    dialer.reaches(ACCEPTOR, "TERMINATED").await;

    // 3. Its own record goes when it is deleted here too, and stays away.
    dialer.ask(&["delete", "-name", ACCEPTOR]).await.success();
    dialer.reaches(ACCEPTOR, "absent").await;
    dialer.stop(Signal::TERM).await;
    dialer.restart().await;
    assert_eq!(dialer.state(ACCEPTOR).await, "absent");

    // 4. Misuse: the token of a deleted peering opens nothing.
    let refused = dialer.establish(ACCEPTOR, &spent).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(acceptor.state(DIALER).await, "absent");
}

#[tokio::test]
async fn both_sides_may_delete_at_the_same_time() {
    let (acceptor, dialer) = two_sites().await;
    peer(&acceptor, &dialer).await;

    // 1. Both delete at once, and both records go.
    let (on_acceptor, on_dialer) =
        tokio::join!(acceptor.ask(&["delete", "-name", DIALER]), dialer.ask(&["delete", "-name", ACCEPTOR]));
    on_acceptor.success();
    on_dialer.success();
    acceptor.reaches(DIALER, "absent").await;
    dialer.reaches(ACCEPTOR, "absent").await;

    // 2. Misuse: there is nothing left to read.
    let absent = "No peering with name cluster-02 found.\n";
    acceptor.ask(&["read", "-name", DIALER]).await.expect(1, "", absent);
}
