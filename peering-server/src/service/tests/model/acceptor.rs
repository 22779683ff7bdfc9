//! What the acceptor does: read and decide, then commit on condition that nothing has changed, then answer.

use peering_core::id::{PeeringId, TokenId};
use peering_core::life::RevokeReason;
use peering_core::meta::Meta;
use peering_core::name::PeerName;
use peering_core::remote::RemoteInfo;
use peering_core::secret::SecretHash;
use peering_core::secrets::{Command, ExchangeSecret, GenerateToken, Open, Refusal};
use peering_core::transition::Transition;
use uuid::Uuid;

use super::moves::{Exploration, Met};
use super::world::{Kept, Question, Request, Stream, Which, Work, World};
use crate::service::establish::redemption_of;
use crate::service::secrets::{Exchange, stream_secret_for};

fn token_id(which: Which) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(0x7000 + which as u128))
}

fn peering_id(which: Which) -> PeeringId {
    PeeringId::from_uuid(Uuid::from_u128(0xa000 + which as u128))
}

impl Exploration {
    /// Reads and decides. Nothing happens if the acceptor refuses or has nothing to do. What is asked over the network is
    /// committed later, if at all; what the operator asks is committed at once: since a commit is decided anew whenever
    /// the record has changed, only the answers that wait make a difference.
    pub(super) fn decide(&self, world: &mut World, request: Request) -> Option<()> {
        let drawn = world.under_way.iter().map(|work| work.drawn + 1).max().unwrap_or(0);
        let work = self.decided(world, request, drawn)?;
        if matches!(request, Request::Exchange(_) | Request::Open { .. }) {
            world.under_way.insert(work);
        } else if work.next != work.read {
            self.apply_work(world, work);
        }
        Some(())
    }

    fn decided(&self, world: &World, request: Request, drawn: u8) -> Option<Work> {
        let tokens: Vec<PeeringId> = world.promises.tokens.iter().map(|token| token.peer_id).collect();
        let is_drawn = matches!(request, Request::Exchange(question) if self.is_drawn(world, question.token));
        let question = (&world.acceptor, request, drawn, is_drawn, tokens, world.is_late);
        self.decisions.recall(question, || self.compute(world, request, drawn))
    }

    fn compute(&self, world: &World, request: Request, drawn: u8) -> Option<Work> {
        let (command, answer) = self.command(world, request, drawn)?;
        let read = world.acceptor.clone();
        match (self.apply)(&read.record, command, Self::now(world)) {
            Ok(Transition { next, .. }) => {
                let is_same = next == *read.record;
                let next = if is_same { read.clone() } else { Kept::new(next) };
                Some(Work { request, drawn, read, next, answer })
            }
            Err(refusal) => {
                if matches!(refusal, Refusal::Establishment(_)) {
                    Met::one_more(&self.met.refusals);
                }
                None
            }
        }
    }

    fn command(&self, world: &World, request: Request, drawn: u8) -> Option<(Command, Option<Stream>)> {
        let record = &world.acceptor.record;
        let is_for = |id: PeeringId| record.peering.as_ref().is_some_and(|peering| peering.local_id == id);
        let command = match request {
            Request::Generate => {
                let which = world.promises.tokens.len();
                Command::GenerateToken(GenerateToken {
                    candidate_id: peering_id(which),
                    name: PeerName::parse("dialer").unwrap(),
                    meta: Meta::default(),
                    token: token_id(which),
                    secret: Self::establishment(which).hash(),
                    expires: None,
                    by: None,
                })
            }
            Request::Exchange(question) => {
                if !is_for(world.promises.tokens[question.token].peer_id) {
                    return None;
                }
                let (command, answer) = self.exchange(world, question, drawn);
                return Some((command, Some(answer)));
            }
            Request::Open { remote_id, secret, .. } => {
                if !is_for(remote_id) {
                    return None;
                }
                Command::Open(Open { secret: secret.hash, remote: RemoteInfo::default() })
            }
            Request::Revoke(which) => Command::RevokeToken { token: token_id(which), reason: RevokeReason::Operator },
            Request::Delete => Command::Delete,
            Request::FinishDelete => Command::FinishDelete,
            Request::Terminated { admitted_by } => Command::PeerTerminated { admitted_by: Some(admitted_by.hash) },
        };
        Some((command, None))
    }

    /// Makes the command for a question and the answer that it would get, both by the functions of the service.
    pub(super) fn exchange(&self, world: &World, question: Question, drawn: u8) -> (Command, Stream) {
        let Question { who, asker, token } = question;
        let establishment = Self::establishment(token);
        let secret = establishment.hash();
        let redemption =
            self.may_repeat(who).then(|| redemption_of(&self.dialers[who], asker, &establishment).unwrap());
        let id = world.promises.tokens[token].peer_id;
        let ask = Exchange { peer_id: id.to_string(), establishment, redemption, from: None };
        // Nobody else draws the same: the token and the place among those that are worked on are part of it.
        let mut random = [0xd0; 16];
        random[..3].copy_from_slice(&[u8::try_from(token).unwrap(), drawn, u8::from(self.is_drawn(world, token))]);
        let record = &world.acceptor.record;
        let (candidate, redemption) = stream_secret_for(&self.acceptor, &ask, id, record, random).unwrap();
        let candidate = candidate.hash();
        let command = ExchangeSecret { establishment: secret, candidate, redemption, from: None };
        (Command::ExchangeSecret(command), Stream::of(candidate))
    }

    /// Says whether something was drawn for this token before.
    fn is_drawn(&self, world: &World, token: Which) -> bool {
        world.answered.iter().any(|(question, _)| question.token == token && !self.may_repeat(question.who))
    }

    /// Commits, or decides anew if the record is not the one that was read. Then it answers.
    pub(super) fn commit(&self, world: &mut World, at: usize) {
        let Some(work) = world.under_way.iter().nth(at).cloned() else { return };
        world.under_way.remove(&work);
        if self.has_preconditions && work.read != world.acceptor {
            Met::one_more(&self.met.conflicts);
            world.under_way.extend(self.decided(world, work.request, work.drawn));
            return;
        }
        self.apply_work(world, work);
    }

    /// Makes it durable and answers.
    fn apply_work(&self, world: &mut World, work: Work) {
        let is_change = work.next != work.read;
        if is_change {
            world.acceptor = work.next.clone();
        }
        match work.request {
            Request::Generate => {
                let id = work.next.record.peering.as_ref().unwrap().local_id;
                world.promises.generated(id);
            }
            Request::Exchange(question) => {
                let answer = work.answer.unwrap();
                if !is_change {
                    Met::one_more(&self.met.repetitions);
                }
                world.promises.exchanged(question, answer);
                world.answered.insert((question, answer));
            }
            Request::Open { who, secret, .. } => {
                world.promises.opened(secret);
                world.stream = Some((who, secret));
            }
            Request::Revoke(which) => {
                world.promises.revoked(which);
                world.ends += 1;
            }
            Request::Delete if is_change => {
                world.promises.ended();
                world.ends += 1;
                let id = work.next.record.peering.as_ref().unwrap().local_id;
                world.farewells.insert(id);
                world.stream = None;
            }
            Request::Terminated { .. } if is_change => {
                world.promises.ended();
                world.stream = None;
            }
            Request::Delete | Request::Terminated { .. } | Request::FinishDelete => {}
        }
    }

    /// Asks the acceptor's present record what it would say to a command.
    pub(super) fn would(&self, world: &World, command: Command) -> Result<SecretHash, Refusal> {
        let next = (self.apply)(&world.acceptor.record, command, Self::now(world))?.next.secrets;
        let pending = next.pending.map(|pending| pending.secret);
        Ok(pending.or(next.active).unwrap_or(SecretHash::of(b"")))
    }
}
