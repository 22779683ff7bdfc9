//! The dial loop of one peering: an address, a stream, and after its end a wait and the next address.

use std::sync::Arc;
use std::time::Duration;

use peering_core::foreign;
use peering_core::id::PeeringId;
use peering_core::peerstream::{
    JITTER_MAX, Open, PEER_MESSAGE_CHARS_MAX, Redial, Refusal, Session, StatusCode, Trouble,
};
use peering_core::remote::RemoteInfo;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tracing::{error, info, warn};

use super::Shared;
use super::channel;
use super::driver::{self, Accepted, Driver, Outcome};
use super::ends::{Inbound, Outbound};
use super::exports::Telling;
use crate::causes::chain;
use crate::entropy::fraction;
use crate::logs::SYNCER;
use crate::service::dial_target::{DialTarget, Fingerprint};
use crate::service::trust_bundles::ToldBy;

/// Dials until the peering ends or `over` says so. `changes` carries what the loop depends on, so that a new token is
/// used at once.
pub(super) async fn run(
    shared: Arc<Shared>,
    id: PeeringId,
    mut changes: watch::Receiver<Fingerprint>,
    over: CancellationToken,
) {
    let mut redial = Redial::default();
    let mut attempt = 0;
    while !over.is_cancelled() {
        let known = changes.borrow_and_update().clone();
        let target = match shared.service.dial_target(id).await {
            Ok(Some(target)) => target,
            Ok(None) => return,
            Err(error) => {
                warn!(target: SYNCER, peer_id = %id, error = chain(&error), "error fetching addresses");
                shared.board.trouble(id, Trouble::StoreFailed, &chain(&error));
                let delay = redial.after(StatusCode::Internal, Duration::ZERO, jitter(&shared)).unwrap_or_default();
                shared.board.redial_at(id, Instant::now() + delay);
                over.run_until_cancelled(sleep(delay)).await;
                continue;
            }
        };
        shared.board.dials(id);
        let outcome = tokio::select! {
            outcome = once(&shared, &target, attempt, &over) => outcome,
            () = moved(&mut changes, &known) => {
                info!(target: SYNCER, peer_name = target.name.as_str(), peer_id = %id, "the peering leads elsewhere now, dialing anew");
                (redial, attempt) = (Redial::default(), 0);
                continue;
            }
        };
        attempt += 1;
        let refusal = match outcome.result {
            // If the record leads to another peering by now, that one is dialed.
            Ok(()) => {
                info!(target: SYNCER, peer_name = target.name.as_str(), peer_id = %id, "closed outbound stream");
                continue;
            }
            Err(_) if over.is_cancelled() => return,
            Err(refusal) => refusal,
        };
        let Some(delay) = redial.after(refusal.code, outcome.active_for, jitter(&shared)) else {
            // The acceptor says that it deleted the peering: the same as a Terminated frame.
            let told_by = ToldBy { remote_id: Some(&target.dialed.remote_id), admitted_by: None };
            let tools = driver::Tools { stop: &over, ..shared.tools() };
            driver::note_termination(tools, id, told_by).await;
            // If the record leads to another peering by now, that one is dialed.
            continue;
        };
        error!(
            target: SYNCER, peer_name = target.name.as_str(), peer_id = %id, code = refusal.code.number(),
            error = foreign::escaped(&refusal.message, PEER_MESSAGE_CHARS_MAX), retry_in = ?delay, "error managing peering stream"
        );
        let at = Instant::now() + delay;
        shared.board.redial_at(id, at);
        tokio::select! {
            () = sleep_until(at) => {}
            () = over.cancelled() => return,
            changed = changes.changed() => match changed {
                Ok(()) => (redial, attempt) = (Redial::default(), 0),
                Err(_) => return,
            },
        }
    }
}

/// Waits until the peering is to be found elsewhere than what is `known`.
async fn moved(changes: &mut watch::Receiver<Fingerprint>, known: &Fingerprint) {
    let mut watched = changes.clone();
    if watched.wait_for(|now| !now.same_place(known)).await.is_err() {
        // The loop is called off; a stream that runs is told so by other means.
        std::future::pending::<()>().await;
    }
}

fn jitter(shared: &Shared) -> f64 {
    (fraction(shared.entropy.as_ref()) * 2.0 - 1.0) * JITTER_MAX
}

/// Dials one address and drives the stream to its end. Until there is a stream, `over` ends it.
async fn once(shared: &Arc<Shared>, target: &DialTarget, attempt: usize, over: &CancellationToken) -> Outcome {
    let ring = target.dialed.ring();
    let failed = |refusal: Refusal| Outcome { result: Err(refusal), active_for: Duration::ZERO, peering: None };
    let called_off = || failed(Refusal::new(StatusCode::Unavailable, "the dial was called off"));
    let Some(address) = ring.get(attempt % ring.len().max(1)) else {
        let text = "the peering has no address";
        shared.board.unreachable(target.id, Trouble::NoAddress, text, shared.service.now());
        return failed(Refusal::new(StatusCode::Internal, "there is no address to dial"));
    };
    let service = &shared.service;
    // On the heap while it lasts: the loop would keep room for a handshake all its life.
    let dial = Box::pin(async {
        sleep_until(shared.pace.dial_at(driver::now()).into()).await;
        channel::open(&shared.dialer, &shared.clock, &target.dialed, &target.roots, address).await
    });
    let mut client = match over.run_until_cancelled(dial).await {
        None => return called_off(),
        Some(Ok(client)) => client,
        Some(Err(error)) => {
            let message = format!("{address}: {}", chain(&error));
            shared.board.unreachable(target.id, error.trouble(), &message, service.now());
            return failed(Refusal::new(StatusCode::Unavailable, message));
        }
    };
    let place = shared.registry.enter(&shared.board, target.id, false, service.now());
    // Whoever calls the loop off then tells the stream, which could be found only from here on.
    if over.is_cancelled() {
        return called_off();
    }
    let open = Open {
        peer_id: target.dialed.remote_id.clone(),
        secret: target.secret.clone(),
        remote: RemoteInfo { datacenter: service.cluster().datacenter().to_string(), ..RemoteInfo::default() },
    };
    let exports = shared.exports.subscribe();
    let mut telling = Telling { name: target.name.clone(), plaintext: target.dialed.plaintext, exports };
    let session = Session::dial(open, telling.offer(service), driver::now());
    let (outbound, frames) = Outbound::of_dialer();
    // Open waits in the channel before the call is awaited: the acceptor answers nothing before it has read it.
    let call = async move {
        let answer = client.stream_resources(Request::new(frames)).await?;
        Ok(answer.into_inner())
    };
    let remote_id = Some(target.dialed.remote_id.clone());
    let stream = Accepted { place, id: target.id, remote_id, admitted_by: None, telling, admission: None };
    let inbound = Inbound::Calling(Box::pin(call));
    let driver = Driver::new(session, shared.tools(), outbound, inbound, Some(stream));
    driver.run(|_| Box::pin(std::future::pending())).await
}
