//! `DELETE /v1/peering/:name`: what goes, what the other side is told, and what may come after it.

use peering_tests::cluster::{Cluster, STATE_WITHIN, peer, peer_with};
use peering_tests::eventually::eventually;
use peering_tests::hand::HandDialer;
use peering_tests::http::Answer;
use serde_json::json;

/// Checks for Consul's answer to a deletion.
#[track_caller]
fn is_empty_json(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-length"), Some("0"));
    assert_eq!(
        answer.header_names(),
        ["content-length", "content-type", "date", "vary", "x-consul-default-acl-policy"]
    );
}

/// Waits until a peering is not there any more.
async fn is_gone(cluster: &Cluster, name: &str) {
    eventually(STATE_WITHIN, async || {
        let answer = cluster.http().get(&format!("/v1/peering/{name}")).await;
        match answer.status {
            404 => {
                assert_eq!(answer.body, format!("Peering not found for \"{name}\""));
                Ok(())
            }
            _ => Err(answer.body),
        }
    })
    .await;
}

#[tokio::test]
async fn api_case_28_a_deleted_peering_goes_and_the_other_side_reads_terminated() {
    let acceptor = Cluster::start("dc1").await;
    for (datacenter, acceptor_deletes) in [("dc2", true), ("dc3", false)] {
        let dialer = Cluster::start(datacenter).await;
        peer(&acceptor, &dialer).await;
        let ((here, name), (there, name_there)) = if acceptor_deletes {
            ((&acceptor, datacenter), (&dialer, "dc1"))
        } else {
            ((&dialer, "dc1"), (&acceptor, datacenter))
        };
        let before = there.read(name_there).await;
        is_empty_json(&here.http().delete(&format!("/v1/peering/{name}")).await);
        is_gone(here, name).await;
        let ended = there.reaches(name_there, "TERMINATED").await;
        assert_eq!(ended["ID"], before["ID"]);
        assert_eq!(ended.get("DeletedAt"), None);
        // The other side keeps its record until somebody there deletes it.
        is_empty_json(&there.http().delete(&format!("/v1/peering/{name_there}")).await);
        is_gone(there, name_there).await;
    }
}

#[tokio::test]
async fn api_case_29_deleting_what_is_not_there_or_twice_is_no_error() {
    let cluster = Cluster::start("dc1").await;
    for path in ["/v1/peering/nope", "/v1/peering/not%20a%20name", "/v1/peering/NOPE"] {
        is_empty_json(&cluster.http().delete(path).await);
    }
    cluster.generate("c2").await;
    is_empty_json(&cluster.http().delete("/v1/peering/c2").await);
    is_empty_json(&cluster.http().delete("/v1/peering/c2").await);
    is_gone(&cluster, "c2").await;
    is_empty_json(&cluster.http().delete("/v1/peering/c2").await);
    assert_eq!(cluster.http().get("/v1/peerings").await.body, "[]");
}

#[tokio::test]
async fn a_peering_that_is_being_deleted_says_so_and_takes_no_new_token() {
    let acceptor = Cluster::start("dc1").await;
    let dialer =
        HandDialer::with(&acceptor.generate_with(json!({ "PeerName": "dc2", "Meta": { "a": "b" } })).await).await;
    // A peer that is told of the end and does not hang up keeps the deletion waiting.
    let stream = dialer.open(&dialer.exchange().await.unwrap()).await.unwrap();
    let before = acceptor.reaches("dc2", "ACTIVE").await;
    is_empty_json(&acceptor.http().delete("/v1/peering/dc2").await);
    let during = acceptor.read("dc2").await;
    assert!(during["DeletedAt"].as_str().is_some_and(|time| time.ends_with('Z')), "{during}");
    assert_eq!((&during["ID"], &during["Remote"]), (&before["ID"], &before["Remote"]));
    assert_eq!((during.get("Meta"), during.get("PeerCAPems")), (None, None));
    acceptor
        .ask_token(json!({ "PeerName": "dc2" }))
        .await
        .refuses(500, "failed to write peering: cannot write to peering that is marked for deletion");
    assert_eq!(acceptor.read("dc2").await["DeletedAt"], during["DeletedAt"]);
    drop(stream);
    is_gone(&acceptor, "dc2").await;
    let next = acceptor.generate("dc2").await;
    assert_ne!(before["ID"], peering_tests::token::claim(&next, "PeerID"));
}

#[tokio::test]
async fn a_token_of_a_deleted_peering_is_refused() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    let token = acceptor.generate("dc2").await;
    acceptor.delete("dc2").await;
    let text = "a new peering token must be generated: invalid peering establishment secret";
    dialer.establish("dc1", &token).await.refuses(403, text);
    // Nor does it open the peering that has the name now.
    acceptor.generate("dc2").await;
    dialer.establish("dc1", &token).await.refuses(403, text);
}

#[tokio::test]
async fn api_case_44_after_the_acceptor_deleted_a_new_token_works_without_a_delete_on_the_dialer() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    peer(&acceptor, &dialer).await;
    acceptor.delete("dc2").await;
    let ended = dialer.reaches("dc1", "TERMINATED").await;
    let token = acceptor.generate("dc2").await;
    peer_with(&acceptor, &dialer, &token).await;
    let again = dialer.read("dc1").await;
    assert_eq!((&again["ID"], &again["CreateIndex"]), (&ended["ID"], &ended["CreateIndex"]));
    assert_ne!(again["PeerID"], ended["PeerID"]);
}

#[tokio::test]
async fn after_the_dialer_deleted_a_new_token_works_without_a_delete_on_the_acceptor() {
    let (acceptor, dialer) = (Cluster::start("dc1").await, Cluster::start("dc2").await);
    peer(&acceptor, &dialer).await;
    dialer.delete("dc1").await;
    let ended = acceptor.reaches("dc2", "TERMINATED").await;
    let token = acceptor.generate("dc2").await;
    assert_eq!(acceptor.state("dc2").await, "PENDING");
    peer_with(&acceptor, &dialer, &token).await;
    assert_eq!(acceptor.read("dc2").await["ID"], ended["ID"]);
}
