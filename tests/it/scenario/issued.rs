//! A token's life as the cluster that issued it sees it: listed, redeemed, taken back, and never used after that.

use peering_core::api::issued::PeeringToken;
use peering_tests::site::Site;

use super::{ACCEPTOR, DIALER, ESTABLISHED, NEW_TOKEN_NEEDED, both_active, two_sites};

/// An id that no token has.
const NOBODY: &str = "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d";

/// Lists tokens as programs see them.
async fn listed(site: &Site, flags: &[&str]) -> Vec<PeeringToken> {
    let words = [&["issued", "list", "-format", "json"], flags].concat();
    serde_json::from_str(&site.ask(&words).await.success()).unwrap()
}

#[tokio::test]
async fn a_token_is_listed_redeemed_and_only_taken_back_while_it_is_of_use() {
    let (acceptor, dialer) = two_sites().await;
    acceptor.ask(&["issued", "list"]).await.expect(0, "There are no issued tokens.\n", "");

    // 1. A token that lives for an hour is listed as unused, with its end.
    let token = acceptor.ask(&["generate-token", "-name", DIALER, "-ttl", "1h"]).await.success();
    acceptor.ask(&["issued", "list"]).await.expect(
        0,
        "\
Token ID                              Peer        State   Created               Expires               Redeemed
<id>  cluster-02  unused  <time>  <time>  \n",
        "",
    );
    let issued = listed(&acceptor, &["-peer", DIALER]).await.remove(0);
    let (created, expires) = (issued.created_at.unwrap(), issued.expires_at.unwrap());
    assert!((3_600..=3_601).contains(&created.duration_until(expires).as_secs()), "{issued:?}");

    // 2. It is used, and the list says when and from where.
    dialer.establish(ACCEPTOR, &token).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;
    let from = listed(&acceptor, &["-state", "redeemed"]).await.remove(0).redeemed_from;
    assert!(from.starts_with("127."), "{from}");
    let read = acceptor.ask(&["issued", "read", &issued.token_id]).await;
    read.marking(format!("From: {from}"), "From: <ip>").expect(
        0,
        "\
Token ID:      <id>
Peer Name:     cluster-02
Peering ID:    <id>
Created By:    \n\
Created At:    <time>
Expires At:    <time>
State:         redeemed
Revocable:     no
Redeemed At:   <time>
Redeemed From: <ip>
Create Index:  <index>
Modify Index:  <index>
",
        "",
    );

    // 3. Its stream secret is in use, so there is nothing to take back: the peering itself would have to be deleted.
    acceptor.ask(&["issued", "revoke", &issued.token_id]).await.expect(
        1,
        "",
        "Error revoking token <id>: Unexpected response code: 409 (token <id> was redeemed and its stream secret was used \
         or replaced; delete the peering to end it)\n1 of 1 tokens could not be revoked\n",
    );
    both_active(&acceptor, &dialer).await;

    // 4. A token that nobody used is taken back, and then refused in Consul's words; the log knows why.
    let unused = acceptor.generate_token("cluster-03").await;
    let id = listed(&acceptor, &["-peer", "cluster-03"]).await.remove(0).token_id;
    acceptor.ask(&["issued", "revoke", &id]).await.expect(0, "Revoked token <id>\n", "");
    // The dialer knows the acceptor already, and asks it with the stolen token.
    dialer.establish(ACCEPTOR, &unused).await.expect(1, "", NEW_TOKEN_NEEDED);
    assert!(acceptor.log().contains("establishment secret refused") && acceptor.log().contains("cause=\"revoked\""));
    let revoked = listed(&acceptor, &["-state", "revoked"]).await.remove(0);
    assert_eq!((revoked.token_id.as_str(), revoked.revoke_reason.as_str()), (id.as_str(), "operator"));

    // 5. Misuse: it is not taken back twice, and neither is what was never issued, nor a token itself as its own name.
    let refused = |text: &str| {
        format!("Error revoking token <id>: Unexpected response code: {text}\n1 of 1 tokens could not be revoked\n")
    };
    let twice = refused("409 (token <id> is revoked already; there is nothing left to revoke)");
    acceptor.ask(&["issued", "revoke", &id]).await.expect(1, "", &twice);
    let unknown = refused("404 (no token <id> was issued here, or its record was swept)");
    acceptor.ask(&["issued", "revoke", NOBODY]).await.expect(1, "", &unknown);
    let pasted = acceptor.ask(&["issued", "revoke", &unused]).await;
    assert_eq!((pasted.code, pasted.stdout.as_str()), (Some(1), ""));
    assert!(pasted.stderr.starts_with("Not the id of a token: expected a UUID") && !pasted.stderr.contains(&unused));
    both_active(&acceptor, &dialer).await;
}

#[tokio::test]
async fn after_a_leak_everything_that_can_still_be_used_is_voided_at_once() {
    let (acceptor, dialer) = two_sites().await;

    // 1. Three tokens lie about; one was used and its peering runs; one is young.
    let used = acceptor.generate_token(DIALER).await;
    dialer.establish(ACCEPTOR, &used).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;
    let leaked = [acceptor.generate_token("a").await, acceptor.generate_token("b").await];
    let other = acceptor.generate_token("c").await;

    // 2. A dry run shows what would go and changes nothing.
    let dry = &["issued", "revoke", "-all", "-dry-run"];
    acceptor.ask(dry).await.expect(
        0,
        "\
Token ID                              Peer  State   Created               Expires  Redeemed
<id>  a     unused  <time>  never    \n\
<id>  b     unused  <time>  never    \n\
<id>  c     unused  <time>  never    \n\
\n\
3 tokens would be revoked.\n",
        "",
    );
    let unmatched = "No token that can be revoked matches what was asked for.\n";
    acceptor.ask(&[dry, &["-older-than", "24h"][..]].concat()).await.expect(0, unmatched, "");
    assert_eq!(listed(&acceptor, &["-state", "unused"]).await.len(), 3);

    // 3. Those for one peer go, then all that are left; a running peering is not disturbed.
    acceptor.ask(&["issued", "revoke", "-all", "-peer", "a"]).await.expect(0, "Revoked token <id>\n", "");
    acceptor.ask(&["issued", "revoke", "-all"]).await.expect(0, "Revoked token <id>\nRevoked token <id>\n", "");
    acceptor.ask(&["issued", "revoke", "-all"]).await.expect(0, "There are no tokens to revoke.\n", "");
    both_active(&acceptor, &dialer).await;

    // 4. Misuse: none of the leaked tokens works any more.
    for token in leaked.iter().chain([&other]) {
        dialer.establish(ACCEPTOR, token).await.expect(1, "", NEW_TOKEN_NEEDED);
    }
    both_active(&acceptor, &dialer).await;
}
