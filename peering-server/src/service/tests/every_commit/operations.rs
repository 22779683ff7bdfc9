//! Every operation that commits: what it needs, what it does, and what it must have done.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use peering_core::address::ServerAddress;
use peering_core::id::{PeeringId, TokenId};
use peering_core::life::{RevokeReason, TokenLife, TokenState};
use peering_core::peering::{Peering, Stored};
use peering_core::remote::RemoteInfo;
use peering_core::secret::{EstablishmentSecret, Redemption, StreamSecret};
use peering_core::secrets::IssuedToken;
use peering_core::token::{PeeringToken, UnverifiedToken};
use peering_core::transition::Origin;
use peering_core::trust::TrustBundle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::bench::{Operate, refusal};
use super::stage::{Side, Stage};
use crate::bounds::TOKEN_RETENTION;
use crate::service::issued::TokenFilter;
use crate::service::peerings::TokenRequest;
use crate::service::secrets::OpenError;
use crate::service::trust_bundles::ToldBy;
use crate::service::{Service, ServiceError};
use crate::store::record::{TokenPointer, Tombstone, encode};
use crate::store::{Commit, Txn, Write, key};

/// Our name for the peer, on both sides.
const PEER: &str = "peer";
/// Tombstones that take two commits to remove.
const OLD_TOMBSTONES: u128 = 150;
/// Superseded tokens that take two commits to remove.
const SUPERSEDED_TOKENS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    GenerateNew,
    GenerateAgain,
    GenerateWithEnd,
    GenerateForTerminated,
    GenerateAndTrim,
    Exchange,
    ExchangeRepeatable,
    Promote,
    RevokeUnused,
    RevokePending,
    DeleteAccepted,
    FinishDeleteAccepted,
    TerminatedByDialer,
    BundleOfDialer,
    SweepTombstones,
    SweepTokens,
    SweepExpired,
    FlushOutbox,
    EstablishNew,
    EstablishAgain,
    EstablishTerminated,
    DeleteDialed,
    FinishDeleteDialed,
    TerminatedByAcceptor,
    BundleOfAcceptor,
    AddressesOfAcceptor,
}

use Operation::*;

pub(super) const ALL: [Operation; 26] = [
    GenerateNew,
    GenerateAgain,
    GenerateWithEnd,
    GenerateForTerminated,
    GenerateAndTrim,
    Exchange,
    ExchangeRepeatable,
    Promote,
    RevokeUnused,
    RevokePending,
    DeleteAccepted,
    FinishDeleteAccepted,
    TerminatedByDialer,
    BundleOfDialer,
    SweepTombstones,
    SweepTokens,
    SweepExpired,
    FlushOutbox,
    EstablishNew,
    EstablishAgain,
    EstablishTerminated,
    DeleteDialed,
    FinishDeleteDialed,
    TerminatedByAcceptor,
    BundleOfAcceptor,
    AddressesOfAcceptor,
];

impl Operation {
    /// Says whose store it writes to.
    pub(super) fn side(self) -> Side {
        match self {
            EstablishNew | EstablishAgain | EstablishTerminated | DeleteDialed | FinishDeleteDialed
            | TerminatedByAcceptor | BundleOfAcceptor | AddressesOfAcceptor => Side::Dialer,
            _ => Side::Acceptor,
        }
    }

    /// Counts its commits when all goes well.
    pub(super) fn commits(self) -> usize {
        match self {
            // The record and what came of the exchange; the rows of tokens and the record; more rows than one takes; the
            // token that is waited with and the bystander's.
            EstablishNew | EstablishTerminated | FinishDeleteAccepted | SweepTombstones | SweepTokens
            | SweepExpired => 2,
            _ => 1,
        }
    }

    /// Says whether what was not done in one call is left for the next.
    pub(super) fn is_done_at_leisure(self) -> bool {
        matches!(self, SweepTombstones | SweepTokens | SweepExpired | FlushOutbox)
    }
}

/// An operation, what it works with, and what it brought.
pub(super) struct Act {
    operation: Operation,
    /// The token that it uses, or that it made.
    token: Option<PeeringToken>,
    /// The stream secret that it uses, or that it got.
    secret: Option<StreamSecret>,
    /// Its peering, on the side that acts.
    id: Option<PeeringId>,
    following: Option<CancellationToken>,
}

impl Act {
    /// Brings the stage to where the operation begins.
    pub(super) async fn prepare(operation: Operation, stage: &mut Stage) -> Self {
        let mut act = Self { operation, token: None, secret: None, id: None, following: None };
        let (acceptor, dialer) = (&stage.acceptor, &stage.dialer);
        match operation {
            GenerateNew | GenerateWithEnd => {}
            GenerateAgain | Exchange | ExchangeRepeatable | EstablishNew | RevokeUnused => {
                act.token = Some(acceptor.token(PEER).await.unwrap());
            }
            GenerateAndTrim => {
                let (stop, service) = (CancellationToken::new(), Arc::clone(acceptor));
                act.following = Some(stop.clone());
                tokio::spawn(async move { service.log_events(stop).await });
                // Over a store in memory, on one thread, everything was seen when the other task waits.
                tokio::task::yield_now().await;
            }
            FlushOutbox => {}
            Promote | RevokePending => {
                let token = acceptor.token(PEER).await.unwrap();
                act.secret = Some(acceptor.redeem(&token).await.unwrap());
                act.token = Some(token);
            }
            SweepTombstones => bury(acceptor).await,
            SweepTokens => {
                for _ in 0..SUPERSEDED_TOKENS {
                    acceptor.token(PEER).await.unwrap();
                }
                act.token = Some(acceptor.token(PEER).await.unwrap());
                stage.acceptor_clock.advance((TOKEN_RETENTION + SignedDuration::from_secs(1)).try_into().unwrap());
            }
            SweepExpired => {
                act.token = Some(with_end(acceptor).await.unwrap());
                let age = TOKEN_RETENTION + SignedDuration::from_secs(61);
                stage.acceptor_clock.advance(age.try_into().unwrap());
            }
            _ => act.connect(stage).await,
        }
        let id = act.token.as_ref().map(|token| PeeringId::parse(&token.peer_id).unwrap());
        match operation {
            GenerateForTerminated => drop(acceptor.peer_terminated(id.unwrap(), ToldBy::default()).await.unwrap()),
            FinishDeleteAccepted => {
                keep_a_nameless_token(acceptor, id.unwrap()).await;
                acceptor.delete_peering(PEER, Origin::default()).await.unwrap();
            }
            FinishDeleteDialed => dialer.delete_peering(PEER, Origin::default()).await.unwrap(),
            EstablishAgain => act.token = Some(acceptor.token(PEER).await.unwrap()),
            EstablishTerminated => {
                dialer.peer_terminated(act.id.unwrap(), ToldBy::default()).await.unwrap();
                act.token = Some(acceptor.token(PEER).await.unwrap());
            }
            _ => {}
        }
        if operation.side() == Side::Acceptor {
            act.id = id;
        }
        act
    }

    /// Makes the two sides peers.
    async fn connect(&mut self, stage: &Stage) {
        let token = stage.acceptor.token(PEER).await.unwrap();
        stage.dialer.use_token(PEER, &token).await.unwrap();
        let id = stage.dialer.read_peering(PEER).await.unwrap().value.peering.local_id;
        let secret = stage.dialer.dial_target(id).await.unwrap().unwrap().secret;
        stage.acceptor.admit(&token.peer_id, &secret, RemoteInfo::default(), None).await.unwrap();
        (self.id, self.token, self.secret) = (Some(id), Some(token), Some(secret));
    }

    /// Returns every secret that it knows.
    pub(super) fn secrets(&self) -> Vec<String> {
        let token = self.token.as_ref().map(|token| token.establishment_secret.expose().to_owned());
        let stream = self.secret.as_ref().map(|secret| secret.expose().to_owned());
        token.into_iter().chain(stream).collect()
    }

    /// Does it once.
    pub(super) async fn attempt(&mut self, stage: &Stage) -> Result<(), ServiceError> {
        let Stage { acceptor, dialer, .. } = stage;
        match self.operation {
            GenerateNew | GenerateAgain | GenerateForTerminated | GenerateAndTrim => {
                self.token = Some(acceptor.token(PEER).await?);
            }
            GenerateWithEnd => self.token = Some(with_end(acceptor).await?),
            Exchange | ExchangeRepeatable => self.secret = Some(self.exchange(acceptor).await?),
            Promote => {
                let (token, secret) = (self.token(), self.secret.as_ref().unwrap());
                acceptor.admit(&token.peer_id, secret, RemoteInfo::default(), None).await.map(drop).map_err(stored)?;
            }
            RevokeUnused | RevokePending => {
                let token = TokenId::parse(self.token().token_id.as_deref().unwrap()).unwrap();
                acceptor.revoke_token(token, None, Origin::default()).await?;
            }
            DeleteAccepted => acceptor.delete_peering(PEER, Origin::default()).await?,
            DeleteDialed => dialer.delete_peering(PEER, Origin::default()).await?,
            FinishDeleteAccepted => acceptor.finish_delete(self.id.unwrap()).await?,
            FinishDeleteDialed => dialer.finish_delete(self.id.unwrap()).await?,
            TerminatedByDialer => {
                let admitted_by = self.secret.as_ref().map(StreamSecret::hash);
                acceptor.peer_terminated(self.id.unwrap(), ToldBy { admitted_by, ..ToldBy::default() }).await?;
            }
            TerminatedByAcceptor => {
                let remote_id = Some(self.token().peer_id.as_str());
                dialer.peer_terminated(self.id.unwrap(), ToldBy { remote_id, ..ToldBy::default() }).await?;
            }
            BundleOfDialer => {
                let admitted_by = self.secret.as_ref().map(StreamSecret::hash);
                acceptor.import_trust_bundle(self.id.unwrap(), admitted_by, &bundle(dialer)).await?;
            }
            BundleOfAcceptor => dialer.import_trust_bundle(self.id.unwrap(), None, &bundle(acceptor)).await?,
            AddressesOfAcceptor => dialer.import_server_addresses(self.id.unwrap(), &[moved()]).await?,
            SweepTombstones => acceptor.sweep_tombstones().await?,
            SweepTokens | SweepExpired => acceptor.sweep_tokens().await?,
            FlushOutbox => {
                let stop = CancellationToken::new();
                stop.cancel();
                acceptor.log_events(stop).await?;
            }
            EstablishNew | EstablishAgain | EstablishTerminated => dialer.use_token(PEER, self.token()).await?,
        }
        Ok(())
    }

    /// Does it again after a failure, which may have happened all the same.
    pub(super) async fn again(&mut self, stage: &Stage, may_have_happened: bool) {
        let outcome = self.attempt(stage).await;
        match self.operation {
            // A dialer that cannot ask again needs another token, as with Consul.
            Exchange if may_have_happened => {
                assert_eq!(refusal(outcome).to_string(), "invalid peering establishment secret");
                self.token = Some(stage.acceptor.token(PEER).await.unwrap());
                self.attempt(stage).await.unwrap();
            }
            // What was revoked cannot be revoked twice.
            RevokeUnused | RevokePending if may_have_happened => drop(refusal(outcome)),
            _ => outcome.unwrap_or_else(|error| panic!("{:?}, tried again: {error}", self.operation)),
        }
    }

    /// Fails unless it is done.
    pub(super) async fn is_done(&self, stage: &Stage, place: &str) {
        let Stage { acceptor, dialer, .. } = stage;
        let accepted = async || acceptor.read_peering(PEER).await.map(|read| read.value.peering);
        let dialed = async || dialer.read_peering(PEER).await.map(|read| read.value.peering);
        let state = |read: Result<Peering, ServiceError>| read.ok().map(|peering| peering.state);
        match self.operation {
            GenerateNew | GenerateAgain | GenerateWithEnd | GenerateForTerminated | GenerateAndTrim => {
                acceptor.redeem(self.token()).await.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            Exchange | ExchangeRepeatable | Promote => {
                let (token, secret) = (self.token(), self.secret.as_ref().unwrap());
                let admitted = acceptor.admit(&token.peer_id, secret, RemoteInfo::default(), None).await;
                admitted.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            RevokeUnused => drop(refusal(acceptor.redeem(self.token()).await)),
            RevokePending => {
                let (token, secret) = (self.token(), self.secret.as_ref().unwrap());
                let admitted = acceptor.admit(&token.peer_id, secret, RemoteInfo::default(), None).await;
                assert!(matches!(admitted, Err(OpenError::Refused(_))), "{place}");
            }
            DeleteAccepted => assert_eq!(state(accepted().await), Some(Stored::Deleting), "{place}"),
            DeleteDialed => assert_eq!(state(dialed().await), Some(Stored::Deleting), "{place}"),
            FinishDeleteAccepted => {
                assert_eq!(state(accepted().await), None, "{place}");
                let pointers = acceptor.store.range("token-secrets/", 10, None).await.unwrap();
                assert_eq!(
                    pointers.records.len(),
                    3,
                    "{place}: of the bystander, of the unused token, and of the kept one"
                );
                let listed = TokenFilter { peer: Some(PEER.to_owned()), ..TokenFilter::default() };
                let listed = acceptor.list_issued(&listed).await.unwrap().value.tokens;
                assert!(listed.iter().all(|view| view.state == TokenState::Redeemed && !view.is_revocable), "{place}");
                assert_eq!(listed.len(), 1, "{place}");
                let admitted =
                    acceptor.admit(&self.token().peer_id, self.secret.as_ref().unwrap(), RemoteInfo::default(), None);
                let told = matches!(admitted.await, Err(OpenError::Ended { tell: true, .. }));
                assert!(told, "{place}: its dialer can be told");
            }
            FinishDeleteDialed => assert_eq!(state(dialed().await), None, "{place}"),
            TerminatedByDialer => assert_eq!(state(accepted().await), Some(Stored::Terminated), "{place}"),
            TerminatedByAcceptor => assert_eq!(state(dialed().await), Some(Stored::Terminated), "{place}"),
            BundleOfDialer => assert_eq!(accepted().await.unwrap().roots, dialer.own_trust_bundle().1, "{place}"),
            BundleOfAcceptor => assert_eq!(dialed().await.unwrap().roots, acceptor.own_trust_bundle().1, "{place}"),
            AddressesOfAcceptor => {
                let peering = dialed().await.unwrap();
                assert_eq!(peering.dialed().unwrap().server_addresses, [moved()], "{place}");
            }
            SweepTombstones | FlushOutbox => {
                let directory = if self.operation == FlushOutbox { key::OUTBOX } else { key::TOMBSTONES };
                assert_eq!(acceptor.store.range(directory, 1_000, None).await.unwrap().records, [], "{place}");
            }
            SweepTokens => {
                let tokens = acceptor.store.range(&key::tokens(&self.id.unwrap()), 1_000, None).await.unwrap();
                assert_eq!(tokens.records.len(), 1, "{place}");
                acceptor.redeem(self.token()).await.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            SweepExpired => {
                let tokens = acceptor.store.range(&key::tokens(&self.id.unwrap()), 10, None).await.unwrap();
                assert_eq!(tokens.records, [], "{place}");
                let next = acceptor.token(PEER).await.unwrap();
                acceptor.redeem(&next).await.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            EstablishNew | EstablishAgain | EstablishTerminated => {
                let id = dialed().await.unwrap().local_id;
                let target = dialer.dial_target(id).await.unwrap().unwrap();
                let admitted = acceptor.admit(&self.token().peer_id, &target.secret, RemoteInfo::default(), None).await;
                admitted.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
        }
        if let Some(stop) = &self.following {
            let waiting = acceptor.store.range(key::OUTBOX, 1_000, None).await.unwrap().records.len();
            assert!(waiting < 6, "{place}: {waiting} events wait that were seen");
            stop.cancel();
        }
    }

    fn token(&self) -> &PeeringToken {
        self.token.as_ref().unwrap()
    }

    async fn exchange(&self, acceptor: &Service) -> Result<StreamSecret, ServiceError> {
        let token = self.token();
        if self.operation == Exchange {
            return acceptor.redeem(token).await;
        }
        let establishment = EstablishmentSecret::from_text(token.establishment_secret.expose());
        let redemption = Some(Redemption::from_text("a".repeat(64)));
        let ask =
            crate::service::secrets::Exchange { peer_id: token.peer_id.clone(), establishment, redemption, from: None };
        acceptor.exchange_secret(ask).await
    }
}

/// Returns why a dialer was not admitted, if that was the store.
fn stored(error: OpenError) -> ServiceError {
    match error {
        OpenError::Store(error) => error,
        other => panic!("{other}"),
    }
}

fn bundle(of: &Service) -> TrustBundle {
    let (domain, roots) = of.own_trust_bundle();
    TrustBundle::check(&domain, &roots, None).unwrap()
}

fn moved() -> ServerAddress {
    ServerAddress::parse("203.0.113.77:8503").unwrap()
}

/// Puts more old tombstones into a store than one commit removes.
async fn with_end(service: &Service) -> Result<PeeringToken, ServiceError> {
    let ttl = Some(Duration::from_secs(60));
    let request = TokenRequest { name: PEER.to_owned(), ttl, ..TokenRequest::default() };
    let text = service.generate_token(service.check_token_request(request)?, Origin::default()).await?;
    Ok(UnverifiedToken::decode(&text)?.claims().clone())
}

/// Keeps a token as the first release left it, which goes with its peering.
async fn keep_a_nameless_token(service: &Service, peering: PeeringId) {
    let (token, secret) = (TokenId::from_uuid(Uuid::from_u128(1)), EstablishmentSecret::from_random([1; 16]).hash());
    let mut life = TokenLife::issue(token, jiff::Timestamp::UNIX_EPOCH, None);
    life.revoke(jiff::Timestamp::UNIX_EPOCH, RevokeReason::Operator);
    let (token_key, pointer_key) = (key::token(&peering, &token), key::token_secret(&secret));
    let issued = IssuedToken { peering, name: None, secret, life, by: None };
    let issued = encode(&token_key, &issued, Uuid::nil()).unwrap();
    let pointer = encode(&pointer_key, &TokenPointer { peering, token }, Uuid::nil()).unwrap();
    let writes = vec![Write::Put(token_key, issued), Write::Put(pointer_key, pointer)];
    let kept = service.store.commit(Txn { writes, ..Txn::default() }).await.unwrap();
    assert!(matches!(kept, Commit::Committed(_)));
}

async fn bury(service: &Service) {
    let tombstone = Tombstone { deleted_at: jiff::Timestamp::UNIX_EPOCH };
    let of = |number| {
        let key = key::tombstone(&PeeringId::from_uuid(Uuid::from_u128(number)));
        Write::Put(key.clone(), encode(&key, &tombstone, Uuid::nil()).unwrap())
    };
    for from in [0, OLD_TOMBSTONES / 2] {
        let writes = (from..from + OLD_TOMBSTONES / 2).map(of).collect();
        let buried = service.store.commit(Txn { writes, ..Txn::default() }).await.unwrap();
        assert!(matches!(buried, Commit::Committed(_)));
    }
}
