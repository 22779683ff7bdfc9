//! ExchangeSecret over the wire: one token, one redeemer.

use std::collections::HashSet;

use peering_core::peering::state::Reported;

use super::foreign_dialer::{ForeignDialer, told};
use super::home::Home;

/// Consul's text for every establishment secret that is not accepted.
const REFUSED: (i32, &str) = (7, "invalid peering establishment secret");
/// A peering that nobody has.
const STRANGER: &str = "00000000-1111-4222-8333-444444444444";

fn redemption(digit: char) -> String {
    digit.to_string().repeat(64)
}

#[tokio::test]
async fn a_secret_is_exchanged_once_and_then_refused_with_consuls_text() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let secret = token.establishment_secret.expose();
    let stream_secret = dialer.exchange(&token.peer_id, secret, None).await.unwrap();
    assert_eq!(uuid::Uuid::parse_str(&stream_secret).unwrap().to_string(), stream_secret);
    let again = dialer.exchange(&token.peer_id, secret, None).await.unwrap_err();
    assert_eq!(told(&again), REFUSED);
    let claimed_late = dialer.exchange(&token.peer_id, secret, Some(&redemption('a'))).await.unwrap_err();
    assert_eq!(told(&claimed_late), REFUSED);
    assert_eq!(home.state("peer").await, Some(Reported::Pending), "an exchange alone changes no state");
}

#[tokio::test]
async fn superseded_empty_and_unknown_secrets_are_refused_alike() {
    let home = Home::start("dc1").await;
    let (first, second) = (home.token("peer").await, home.token("peer").await);
    let other = home.token("other").await;
    let dialer = ForeignDialer::connect(&second).await;
    let (old, new) = (first.establishment_secret.expose(), second.establishment_secret.expose());
    assert_eq!(first.peer_id, second.peer_id);
    for (peer_id, secret) in [
        (first.peer_id.as_str(), old),
        (&second.peer_id, ""),
        (&second.peer_id, "nonsense"),
        (&other.peer_id, new),
        (STRANGER, new),
        (STRANGER, ""),
    ] {
        let refused = dialer.exchange(peer_id, secret, None).await.unwrap_err();
        assert_eq!(told(&refused), REFUSED, "{peer_id}");
    }
    dialer.redeem(&second).await;
    let empty = dialer.exchange(&second.peer_id, "", None).await.unwrap_err();
    assert_eq!(told(&empty), REFUSED, "empty equals empty in Consul 1.21, and nowhere else");
}

#[tokio::test]
async fn a_peer_id_that_is_no_uuid_is_an_internal_error_as_in_consul() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    for peer_id in ["", "nonsense", "5b1c9a0e2f6d4b7a8c3e1d2f3a4b5c6d", "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6g"] {
        let refused = dialer.exchange(peer_id, "x", None).await.unwrap_err();
        let (code, text) = told(&refused);
        assert_eq!(code, 13);
        assert!(
            text.starts_with("failed to read peering secret: failed peering secret lookup: index error: "),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_same_redemption_gets_the_same_secret_until_its_first_use_and_nobody_else_gets_any() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    let (peer_id, secret) = (token.peer_id.as_str(), token.establishment_secret.expose());
    let mine = redemption('a');
    let first = dialer.exchange(peer_id, secret, Some(&mine)).await.unwrap();
    let again = dialer.exchange(peer_id, secret, Some(&mine)).await.unwrap();
    let in_capitals = dialer.exchange(peer_id, secret, Some(&mine.to_uppercase())).await.unwrap();
    assert_eq!((&first, &first), (&again, &in_capitals));
    for other in [Some(redemption('b')), None] {
        let refused = dialer.exchange(peer_id, secret, other.as_deref()).await.unwrap_err();
        assert_eq!(told(&refused), REFUSED, "{other:?}");
    }
    assert_eq!(dialer.exchange(peer_id, secret, Some(&mine)).await.unwrap(), first, "strangers end nothing");
    let _stream = dialer.dialed(peer_id, &first).await;
    let late = dialer.exchange(peer_id, secret, Some(&mine)).await.unwrap_err();
    assert_eq!(told(&late), REFUSED, "the stream secret was used");
}

#[tokio::test]
async fn a_newer_exchange_ends_the_right_to_ask_again() {
    let home = Home::start("dc1").await;
    let (mine, first) = (redemption('a'), home.token("peer").await);
    let dialer = ForeignDialer::connect(&first).await;
    let peer_id = first.peer_id.as_str();
    let first_secret = first.establishment_secret.expose();
    let old = dialer.exchange(peer_id, first_secret, Some(&mine)).await.unwrap();
    let second = home.token("peer").await;
    assert_eq!(dialer.exchange(peer_id, first_secret, Some(&mine)).await.unwrap(), old, "a new token ends nothing yet");
    let new = dialer.exchange(peer_id, second.establishment_secret.expose(), Some(&mine)).await.unwrap();
    assert_ne!(old, new);
    let refused = dialer.exchange(peer_id, first_secret, Some(&mine)).await.unwrap_err();
    assert_eq!(told(&refused), REFUSED);
}

#[tokio::test]
async fn a_malformed_redemption_is_refused_and_spends_nothing() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let dialer = ForeignDialer::connect(&token).await;
    for malformed in ["", "abc", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64)] {
        let refused = dialer.exchange(&token.peer_id, token.establishment_secret.expose(), Some(malformed)).await;
        let refused = refused.unwrap_err();
        let (code, text) = told(&refused);
        assert_eq!(code, 3, "{malformed:?}");
        assert!(text.contains("expected 64 hexadecimal digits"), "{text}");
    }
    dialer.redeem(&token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_strangers_with_one_secret_exactly_one_wins() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let outcomes = sixteen(&token, |_| None).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 15));
    for refused in lost {
        assert_eq!(told(&refused.unwrap_err()), REFUSED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_askers_only_those_with_the_winning_redemption_get_its_secret() {
    let home = Home::start("dc1").await;
    let token = home.token("peer").await;
    let same = sixteen(&token, |_| Some(redemption('a'))).await;
    let secrets: HashSet<String> = same.into_iter().map(Result::unwrap).collect();
    assert_eq!(secrets.len(), 1, "one question, one answer");

    let token = home.token("other").await;
    let mixed = sixteen(&token, |at| Some(redemption(if at % 2 == 0 { 'a' } else { 'b' }))).await;
    let won: Vec<String> = mixed.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 8);
    assert_eq!(won.iter().collect::<HashSet<_>>().len(), 1);
}

async fn sixteen(
    token: &peering_core::token::PeeringToken,
    redemption: impl Fn(usize) -> Option<String>,
) -> Vec<Result<String, tonic::Status>> {
    let mut asked = vec![];
    for at in 0..16 {
        let (token, redemption) = (token.clone(), redemption(at));
        asked.push(tokio::spawn(async move {
            let dialer = ForeignDialer::connect(&token).await;
            dialer.exchange(&token.peer_id, token.establishment_secret.expose(), redemption.as_deref()).await
        }));
    }
    let mut outcomes = vec![];
    for task in asked {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn an_exchange_that_failed_is_told_on_the_peering_that_was_begun() {
    let (left, right) = (Home::start("dc1").await, Home::start("dc2").await);
    let used = left.token("right").await;
    ForeignDialer::connect(&used).await.redeem(&used).await;
    right.establish("left", &used.encode()).await.unwrap_err();
    let told = right.explanation("left").await.last_error.unwrap();
    assert_eq!(told.trouble.code(), "token-refused");
    assert_eq!(&*told.text, format!("{}: {}", used.server_addresses[0], REFUSED.1));
    assert_eq!(right.state("left").await, Some(Reported::Pending));

    // Nobody is there any more; a name that was just deleted keeps nothing.
    let late = left.token("right").await;
    left.server.shutdown().await;
    right.establish("left", &late.encode()).await.unwrap_err();
    assert_eq!(right.last_code("left").await.as_deref(), Some("connection-refused"));
    right.delete("left").await;
    right.is_gone("left").await;
}
