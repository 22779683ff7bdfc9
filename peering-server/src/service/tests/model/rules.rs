//! What must hold in every state, and what must be possible.

use peering_core::peering::Stored;
use peering_core::remote::RemoteInfo;
use peering_core::secrets::{Command, Open, Refusal};
use stateright::Property;

use super::moves::Exploration;
use super::promises::{Fate, Token, Wrong};
use super::world::{Bounds, Kept, Manners, Question, Stream, Who, World};

/// What every refused exchange is told, by Consul 1.21 and by us.
const REFUSED: &str = "invalid peering establishment secret";

pub(super) fn properties(bounds: Bounds) -> Vec<Property<Exploration>> {
    let mut properties = vec![
        Property::always("a token yields one stream secret", |_, world| !went(world, Wrong::TwoStreamSecrets)),
        Property::always("a token has one redeemer", |_, world| !went(world, Wrong::TwoRedeemers)),
        Property::always("a superseded token is refused", |_, world| !went(world, Wrong::SupersededToken)),
        Property::always("a superseded stream secret is refused", |_, world| !went(world, Wrong::SupersededStream)),
        Property::always("no secret from before an end is accepted after it", |_, world: &World| {
            !went(world, Wrong::FromBeforeTheEnd)
        }),
        Property::always("what was handed out opens a stream until it is superseded or ended", |exploration, world| {
            known(exploration, world, "what_was_handed_out_opens", what_was_handed_out_opens)
        }),
        Property::always("the newest unused token can be redeemed by anybody", |exploration, world| {
            known(exploration, world, "the_newest_token_can_be_redeemed", the_newest_token_can_be_redeemed)
        }),
        Property::always("a redeemer of ours may ask again before first use, and in time", |exploration, world| {
            known(exploration, world, "the_redeemer_may_ask_again", the_redeemer_may_ask_again)
        }),
        Property::always("whoever else presents a redeemed token is refused, as by Consul", |exploration, world| {
            known(exploration, world, "others_are_refused", others_are_refused)
        }),
        Property::always("a peering under deletion keeps no secret", |_, world: &World| {
            let record = &world.acceptor.record;
            let is_deleting = record.peering.as_ref().is_none_or(|peering| peering.state == Stored::Deleting);
            !is_deleting || record.secrets.is_empty()
        }),
        Property::always("a dialer keeps only what the acceptor has handed out to it", dialers_keep_what_was_answered),
        Property::sometimes("the first dialer gets to ACTIVE", |_, world| is_active(world, 0)),
        Property::sometimes("the second dialer gets to ACTIVE", |_, world| is_active(world, 1)),
        Property::sometimes("an answer is lost, asked for again, and leads to ACTIVE", |_, world: &World| {
            world.dialers[0].has_lost
                && world.dialers[0].made == 1
                && world.promises.tokens.len() == 1
                && is_active(world, 0)
        }),
    ];
    if bounds.tokens > 1 {
        properties.push(Property::sometimes("a dialer takes the place of another", |_, world: &World| {
            world.promises.has_replaced
        }));
    }
    if bounds.tokens > 1 && bounds.ends > 0 {
        properties.extend([
            Property::sometimes(
                "a peering that the dialer ended is made anew, with the same id",
                |_, world: &World| {
                    let tokens = &world.promises.tokens;
                    let is_again = |pair: &[Token]| pair[0].is_past && pair[0].peer_id == pair[1].peer_id;
                    tokens.windows(2).any(is_again) && (is_active(world, 0) || is_active(world, 1))
                },
            ),
            Property::sometimes(
                "a peering that the acceptor deleted is made anew, with another id",
                |_, world: &World| {
                    let tokens = &world.promises.tokens;
                    let is_other = |pair: &[Token]| pair[0].is_past && pair[0].peer_id != pair[1].peer_id;
                    tokens.windows(2).any(is_other) && (is_active(world, 0) || is_active(world, 1))
                },
            ),
        ]);
    }
    properties
}

/// Asks a rule about the acceptor's record, unless it was asked the same before.
fn known(exploration: &Exploration, world: &World, name: &str, rule: fn(&Exploration, &World) -> bool) -> bool {
    let askers = [0, 1].map(|who| question(world, who, 0).asker);
    let about = (name, &world.acceptor, &world.promises, askers, world.is_late);
    exploration.verdicts.recall(about, || rule(exploration, world))
}

fn went(world: &World, wrong: Wrong) -> bool {
    world.promises.wrong == Some(wrong)
}

/// Says whether a dialer's stream runs, with one secret on both sides.
fn is_active(world: &World, who: Who) -> bool {
    let Some((of, secret)) = world.stream else { return false };
    let is_kept = |kept: &Kept| kept.record.secrets.active == Some(secret.hash);
    of == who && is_kept(&world.dialers[who].kept) && is_kept(&world.acceptor)
}

fn what_was_handed_out_opens(exploration: &Exploration, world: &World) -> bool {
    let open = |secret: Stream| Command::Open(Open { secret: secret.hash, remote: RemoteInfo::default() });
    let owed = [world.promises.pending, world.promises.active];
    owed.into_iter().flatten().all(|secret| exploration.would(world, open(secret)).is_ok())
}

fn the_newest_token_can_be_redeemed(exploration: &Exploration, world: &World) -> bool {
    let usable = (0..).zip(&world.promises.tokens).find(|(_, token)| token.fate == Fate::Usable);
    let Some((token, _)) = usable else { return true };
    (0..2).all(|who| {
        let (command, answer) = exploration.exchange(world, question(world, who, token), 0);
        exploration.would(world, command).is_ok_and(|pending| pending == answer.hash)
    })
}

fn the_redeemer_may_ask_again(exploration: &Exploration, world: &World) -> bool {
    let due = world.promises.tokens.iter().find_map(|token| match token.fate {
        Fate::Redeemed(first, secret) if world.promises.pending == Some(secret) => Some((first, secret)),
        _ => None,
    });
    let Some((first, secret)) = due else { return true };
    if world.is_late || exploration.bounds.dialers[first.who] == Manners::Consul {
        return true;
    }
    let (command, again) = exploration.exchange(world, first, 0);
    again == secret && exploration.would(world, command).is_ok_and(|pending| pending == secret.hash)
}

/// Also the redeemer itself is somebody else, if it cannot prove who it is.
fn others_are_refused(exploration: &Exploration, world: &World) -> bool {
    (0..).zip(&world.promises.tokens).all(|(token, issued)| {
        let Fate::Redeemed(first, _) = issued.fate else { return true };
        (0..2).all(|who| {
            let question = question(world, who, token);
            if question == first && exploration.bounds.dialers[who] == Manners::Ours {
                return true;
            }
            let (command, _) = exploration.exchange(world, question, 0);
            let refusal = exploration.would(world, command);
            matches!(refusal, Err(Refusal::Establishment(cause)) if Refusal::Establishment(cause).to_string() == REFUSED)
        })
    })
}

/// Makes the question that a dialer would ask with a token.
fn question(world: &World, who: Who, token: usize) -> Question {
    let peering = world.dialers[who].kept.record.peering.as_ref();
    let stranger = || peering_core::id::PeeringId::from_uuid(uuid::Uuid::from_u128(0xffff + who as u128));
    Question { who, asker: peering.map_or_else(stranger, |peering| peering.local_id), token }
}

fn dialers_keep_what_was_answered(_: &Exploration, world: &World) -> bool {
    (0..).zip(&world.dialers).all(|(who, dialer)| {
        let kept = dialer.kept.record.secrets.active;
        let is_of = |(question, secret): &(Question, Stream)| question.who == who && Some(secret.hash) == kept;
        kept.is_none() || world.answered.iter().any(is_of)
    })
}
