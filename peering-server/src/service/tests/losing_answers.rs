//! A lost packet burns no token: the dialer that asked may ask again, nobody else may.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use peering_core::id::PeeringId;
use peering_core::peering::Stored;
use peering_core::peerstream::Trouble;
use peering_core::remote::RemoteInfo;
use peering_core::secret::StreamSecret;
use peering_core::secrets::REDEMPTION_WINDOW;
use peering_core::token::PeeringToken;
use peering_core::transition::Origin;

use super::bench::{Bench, Lossy, Operate};
use crate::bounds::DIAL_MAX;
use crate::service::dial_target::DialTarget;
use crate::service::establish::{CallCode, CallError, ExchangeAsk, ExchangeClient};
use crate::service::trust_bundles::ToldBy;
use crate::service::{Service, ServiceError};

const ALWAYS: usize = usize::MAX;

struct Sides {
    acceptor: Arc<Service>,
    acceptor_bench: Bench,
    dialer: Arc<Service>,
    link: Arc<Lossy>,
    token: PeeringToken,
}

impl Sides {
    async fn losing(answers: usize) -> Self {
        let acceptor_bench = Bench::new("dc1");
        let acceptor = acceptor_bench.service().await;
        let link = Lossy::new(&acceptor, answers);
        let mut dialer = Bench::new("dc2");
        dialer.exchange = link.clone();
        let token = acceptor.token("dialer").await.unwrap();
        Self { acceptor, acceptor_bench, dialer: dialer.service().await, link, token }
    }

    async fn target(&self) -> DialTarget {
        let id = self.dialer.read_peering("acceptor").await.unwrap().value.peering.local_id;
        self.dialer.dial_target(id).await.unwrap().unwrap()
    }

    fn remote_id(&self) -> PeeringId {
        PeeringId::parse(&self.token.peer_id).unwrap()
    }
}

fn is_new_token_needed(outcome: Result<(), ServiceError>) -> bool {
    matches!(outcome, Err(ServiceError::NewTokenNeeded(text)) if text == "invalid peering establishment secret")
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_at_once() {
    let sides = Sides::losing(1).await;
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap();
    let secret = sides.target().await.secret;
    sides.acceptor.admit(&sides.token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_same_token_works_again_after_an_establish_that_heard_nothing() {
    let sides = Sides::losing(ALWAYS).await;
    let failed = sides.dialer.use_token("acceptor", &sides.token).await.unwrap_err();
    assert!(matches!(&failed, ServiceError::Exchange(_)), "{failed}");
    let peering = sides.dialer.read_peering("acceptor").await.unwrap().value.peering;
    assert_eq!(peering.state, Stored::Pending);
    sides.link.answers_lost.store(0, Ordering::Relaxed);
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap();
    let secret = sides.target().await.secret;
    sides.acceptor.admit(&sides.token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
    let spent = sides.dialer.use_token("acceptor", &sides.token).await;
    assert!(is_new_token_needed(spent), "its stream secret was used");
}

#[tokio::test(start_paused = true)]
async fn nobody_else_gets_what_was_lost() {
    let sides = Sides::losing(ALWAYS).await;
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap_err();
    sides.link.answers_lost.store(0, Ordering::Relaxed);
    let mut thief = Bench::new("dc3");
    thief.exchange = sides.link.clone();
    let stolen = thief.service().await.use_token("acceptor", &sides.token).await;
    assert!(is_new_token_needed(stolen));
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_same_dialer_under_another_name_is_another_redeemer() {
    let sides = Sides::losing(0).await;
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap();
    assert!(is_new_token_needed(sides.dialer.use_token("twin", &sides.token).await), "one token, one peering");
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_address_that_takes_all_the_time_does_not_hide_a_good_one() {
    let sides = Sides::losing(0).await;
    let mut bench = Bench::new("dc3");
    bench.exchange = Arc::new(FirstSilent { silent: "192.0.2.1:8503", others: sides.link.clone() });
    let mut token = sides.token.clone();
    token.manual_server_addresses = vec!["192.0.2.1:8503".to_owned(), "192.0.2.2:8503".to_owned()];
    bench.service().await.use_token("acceptor", &token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_acceptor_that_restarts_gives_the_same_answer_and_after_ten_minutes_none() {
    let sides = Sides::losing(ALWAYS).await;
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap_err();
    let restarted = sides.acceptor_bench.service().await;
    let mut again = Bench::new("dc2");
    again.exchange = Lossy::new(&restarted, 0);
    let stranger = again.service().await.use_token("acceptor", &sides.token).await;
    assert!(is_new_token_needed(stranger), "the redemption is the dialer's own, not the datacenter's");
    sides.acceptor_bench.clock.advance(REDEMPTION_WINDOW);
    sides.link.answers_lost.store(0, Ordering::Relaxed);
    assert!(is_new_token_needed(sides.dialer.use_token("acceptor", &sides.token).await));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_and_a_newer_exchange_end_the_right_to_ask_again() {
    for is_deleted in [false, true] {
        let sides = Sides::losing(ALWAYS).await;
        sides.dialer.use_token("acceptor", &sides.token).await.unwrap_err();
        sides.link.answers_lost.store(0, Ordering::Relaxed);
        if is_deleted {
            sides.acceptor.delete_peering("dialer", Origin::default()).await.unwrap();
        } else {
            let newer = sides.acceptor.token("dialer").await.unwrap();
            sides.acceptor.redeem(&newer).await.unwrap();
        }
        assert!(is_new_token_needed(sides.dialer.use_token("acceptor", &sides.token).await), "deleted: {is_deleted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peering_that_leads_elsewhere_by_now_is_not_ended_by_its_old_peer() {
    let sides = Sides::losing(0).await;
    sides.dialer.use_token("acceptor", &sides.token).await.unwrap();
    let target = sides.target().await;
    let state = async || sides.dialer.read_peering("acceptor").await.unwrap().value.peering.state;
    let stranger = "00000000-1111-4222-8333-444444444444";
    sides.dialer.peer_terminated(target.id, ToldBy { remote_id: Some(stranger), ..ToldBy::default() }).await.unwrap();
    assert_eq!(state().await, Stored::Establishing);
    sides
        .dialer
        .peer_terminated(target.id, ToldBy { remote_id: Some(&sides.token.peer_id), ..ToldBy::default() })
        .await
        .unwrap();
    assert_eq!(state().await, Stored::Terminated);
    let accepted =
        sides.acceptor.admit(&sides.token.peer_id, &target.secret, RemoteInfo::default(), None).await.unwrap();
    assert_eq!(accepted.local_id, sides.remote_id());
    sides.acceptor.peer_terminated(accepted.local_id, ToldBy::default()).await.unwrap();
    let peering = sides.acceptor.read_peering("dialer").await.unwrap().value.peering;
    assert_eq!(peering.state, Stored::Terminated);
    tokio::time::advance(Duration::from_millis(1)).await;
}

/// An acceptor one of whose addresses is silent for longer than new attempts are begun.
struct FirstSilent {
    silent: &'static str,
    others: Arc<Lossy>,
}

#[async_trait]
impl ExchangeClient for FirstSilent {
    async fn exchange(&self, ask: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        if ask.address.as_str() == self.silent {
            tokio::time::sleep(DIAL_MAX).await;
            return Err(CallError {
                code: CallCode::Unavailable,
                trouble: Trouble::ConnectionLost,
                message: "nobody answered".to_owned(),
            });
        }
        self.others.exchange(ask).await
    }
}
