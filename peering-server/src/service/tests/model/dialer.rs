//! What a dialer does: use a token, store what came out, open a stream, end the peering.

use std::hash::Hash;

use jiff::Timestamp;
use peering_core::address::ServerAddress;
use peering_core::id::PeeringId;
use peering_core::meta::Meta;
use peering_core::name::PeerName;
use peering_core::peering::{Dialed, Peering};
use peering_core::remote::RemoteInfo;
use peering_core::secrets::{BeginEstablish, Command, CompleteEstablish, PeerDetails, SealedSecret};
use uuid::Uuid;

use super::moves::Exploration;
use super::world::{Kept, Question, Request, Stream, Which, Who, World};

fn details(remote_id: PeeringId) -> PeerDetails {
    let address = ServerAddress::parse("203.0.113.10:8503").unwrap();
    PeerDetails {
        token: None,
        dialed: Dialed {
            remote_id: remote_id.to_string(),
            server_name: "server.dc1.peering.one.consul".to_owned(),
            manual_addresses: vec![],
            server_addresses: vec![address.clone()],
            token_addresses: vec![address],
            plaintext: false,
        },
        roots: vec!["root\n".to_owned()],
        remote: RemoteInfo::default(),
        meta: Meta::default(),
    }
}

impl Exploration {
    /// Runs a command on a dialer's record; `about` is what the command is made of.
    fn run(&self, world: &mut World, who: Who, about: impl Hash, command: impl FnOnce() -> Command) -> Option<()> {
        let kept = &world.dialers[who].kept;
        let next = self.records.recall((kept, about), || {
            let next = (self.apply)(&kept.record, command(), Timestamp::UNIX_EPOCH).ok()?.next;
            Some(if next == *kept.record { kept.clone() } else { Kept::new(next) })
        });
        world.dialers[who].kept = next?;
        Some(())
    }

    /// Makes the record, durable, and asks. That the question is repeated needs no move: it stays on the network.
    pub(super) fn use_token(&self, world: &mut World, who: Who, token: Which) -> Option<()> {
        if world.dialers[who].call.is_some() {
            return None;
        }
        let is_new = world.dialers[who].kept.record.peering.is_none();
        let made = world.dialers[who].made;
        let peer_id = world.promises.tokens[token].peer_id;
        self.run(world, who, ("begin", who, made, peer_id), || {
            Command::BeginEstablish(BeginEstablish {
                candidate_id: PeeringId::from_uuid(Uuid::from_u128(0xd000 + who as u128 * 16 + u128::from(made))),
                name: PeerName::parse("acceptor").unwrap(),
                details: details(peer_id),
            })
        })?;
        let dialer = &mut world.dialers[who];
        dialer.made += u8::from(is_new);
        let asker = dialer.kept.record.peering.as_ref()?.local_id;
        let question = Question { who, asker, token };
        dialer.call = Some(question);
        world.asked.insert(Request::Exchange(question));
        Some(())
    }

    /// Stores the answer to the call, if it was given.
    pub(super) fn hear(&self, world: &mut World, who: Who) -> Option<()> {
        let question = world.dialers[who].call?;
        let (_, secret) = *world.answered.iter().find(|(answered, _)| *answered == question)?;
        world.dialers[who].call = None;
        let peer_id = world.promises.tokens[question.token].peer_id;
        // Refused if the peering was deleted meanwhile: the call ends with an error.
        _ = self.run(world, who, ("complete", question, peer_id, secret), || {
            Command::CompleteEstablish(CompleteEstablish {
                id: question.asker,
                details: details(peer_id),
                sealed: SealedSecret(secret.hash.to_hex().into()),
                secret: secret.hash,
                is_connected: false,
            })
        });
        Some(())
    }

    /// Presents the stream secret to the peering that it belongs to.
    pub(super) fn dial(world: &mut World, who: Who) -> Option<()> {
        let record = &world.dialers[who].kept.record;
        let peering = record.peering.as_ref().filter(|peering| peering.is_live())?;
        let remote_id = PeeringId::parse(&peering.dialed()?.remote_id).ok()?;
        let secret = Stream::of(record.secrets.own.as_ref().and(record.secrets.active)?);
        world.asked.insert(Request::Open { who, remote_id, secret });
        Some(())
    }

    /// Ends the peering, and tells the acceptor if a stream is there to tell it over.
    pub(super) fn delete(&self, world: &mut World, who: Who) -> Option<()> {
        world.dialers[who].kept.record.peering.as_ref().filter(|peering| peering.is_live())?;
        self.run(world, who, "delete", || Command::Delete)?;
        world.ends += 1;
        if let Some((_, secret)) = world.stream.filter(|(of, _)| *of == who) {
            world.asked.insert(Request::Terminated { admitted_by: secret });
        }
        Some(())
    }

    pub(super) fn finish_delete(&self, world: &mut World, who: Who) -> Option<()> {
        self.run(world, who, "finish", || Command::FinishDelete)
    }

    /// Notes the end of the peering that it dials; that of another is none of its business.
    pub(super) fn hear_end(&self, world: &mut World, who: Who, id: PeeringId) -> Option<()> {
        let dialed = world.dialers[who].kept.record.peering.as_ref().and_then(Peering::dialed);
        if dialed?.remote_id != id.to_string() {
            return None;
        }
        self.run(world, who, "end", || Command::PeerTerminated { admitted_by: None })
    }

    /// Forgets what is in memory. Giving up a call is the same to everyone else.
    pub(super) fn crash(world: &mut World, who: Who) {
        let call = world.dialers[who].call.take();
        let is_lost = call.is_some_and(|call| world.answered.iter().any(|(answered, _)| *answered == call));
        world.dialers[who].has_lost |= is_lost;
        if world.stream.is_some_and(|(of, _)| of == who) {
            world.stream = None;
        }
    }
}
