//! A peer that sends any frames in any order, against one honest end.

use super::*;
use crate::peerstream::frame::{Content, Operation, Request, Resource, ResourceUrl};
use crate::peerstream::{ACTIONS_WAITING_MAX, FAREWELL_TIMEOUT, HEARTBEAT_TIMEOUT};

/// Sessions that meet a hostile peer in one run of the tests.
const MEETINGS: u64 = 5_000;
/// Frames that one of them sends.
const FRAMES: u64 = 200;

fn any_url(dice: &mut Dice) -> ResourceUrl {
    let unknown = ResourceUrl::Unknown("a.b/C".into());
    ResourceUrl::KNOWN.into_iter().nth(dice.below(40) as usize % 5).unwrap_or(unknown)
}

fn any_text(dice: &mut Dice) -> String {
    ["", "a-id", "00000001", "\u{202e}\n"][dice.below(4) as usize].to_owned()
}

fn any_frame(dice: &mut Dice) -> Frame {
    match dice.below(64) {
        0 => Frame::Terminated,
        1..8 => Frame::Unknown,
        8..12 => Frame::Open(open()),
        12..20 => Frame::Heartbeat,
        20..24 => Frame::Request(Request::subscribe("", any_url(dice))),
        24..40 => {
            let error = dice.chance(0.5).then(|| Refusal::new(StatusCode::Other(0), any_text(dice)));
            let url = any_url(dice);
            Frame::Request(Request { peer_id: String::new(), nonce: any_text(dice), url, error })
        }
        _ => Frame::Response(Response {
            nonce: any_text(dice),
            url: any_url(dice),
            resource_id: any_text(dice),
            operation: [Operation::Upsert, Operation::Unspecified, Operation::Other(-1)][dice.below(3) as usize],
            content: match dice.below(5) {
                0 => Content::Absent,
                1 => Content::Mismatched { type_url: any_text(dice) },
                2 => Content::Undecodable { reason: any_text(dice) },
                3 => Content::Resource(Resource::ServerAddresses(vec![any_text(dice); dice.below(99) as usize])),
                _ => Content::Resource(Resource::ExportedServiceList(vec!["web".into()])),
            },
        }),
    }
}

/// Lets one session meet a hostile peer under a driver that obeys [`Session::is_reading`]; returns how it ended.
fn meet(seed: u64) -> Result<(), Refusal> {
    let mut dice = Dice(seed);
    let mut now = start_of_time();
    // Half of them keep the rule whose breach ends a stream at once, and so come to break the others.
    let is_polite = dice.chance(0.5);
    let mut session = if dice.chance(0.5) { Session::dial(open(), offer_of("d"), now) } else { Session::accept(now) };
    if dice.chance(0.8) {
        session.on_frame(Frame::Open(open()), now);
    }
    for url in ResourceUrl::KNOWN.into_iter().filter(|_| is_polite) {
        session.on_frame(Frame::Request(Request::subscribe("", url)), now);
    }
    let (mut is_storing, mut has_sent_terminated, mut frames) = (false, false, 0);
    for _ in 0..100_000 {
        assert!(session.actions.len() <= ACTIONS_WAITING_MAX + 8, "seed {seed}: actions pile up");
        if dice.chance(0.6)
            && let Some(action) = session.poll()
        {
            match action {
                Action::End(result) => {
                    assert_eq!(session.poll(), None, "seed {seed}: an action after the end");
                    return result;
                }
                Action::Store(_) => {
                    assert!(!is_storing, "seed {seed}: two imports at once");
                    is_storing = true;
                }
                Action::Send(Frame::Terminated) => {
                    assert!(!has_sent_terminated, "seed {seed}: terminated twice");
                    has_sent_terminated = true;
                }
                Action::Authorize(_) => session.answer(Answer::Accepted(offer_of("a")), now),
                _ => {}
            }
        } else if is_storing && dice.chance(0.3) {
            is_storing = false;
            session.import_done(Ok(()), now);
        } else if session.is_reading() && frames < FRAMES {
            frames += 1;
            let frame = any_frame(&mut dice);
            let is_breach = matches!(&frame, Frame::Request(request) if matches!(request.url, ResourceUrl::Unknown(_)));
            if !(is_polite && is_breach) {
                session.on_frame(frame, now);
            }
        } else if let Some(deadline) = session.next_deadline() {
            now = now.max(deadline);
            session.on_deadline(now);
        }
    }
    panic!(
        "seed {seed}: a session that hears nothing more must end within {HEARTBEAT_TIMEOUT:?} + {FAREWELL_TIMEOUT:?}"
    );
}

#[test]
fn no_sequence_of_frames_breaks_a_session_or_keeps_it_for_ever() {
    let mut codes = std::collections::BTreeMap::new();
    for seed in 0..MEETINGS {
        let code = meet(seed).err().map_or(0, |refusal| refusal.code.number());
        *codes.entry(code).or_insert(0) += 1;
    }
    // Told of the end, timed out, broke a rule.
    for code in [0, 2, 3] {
        assert!(codes.get(&code).is_some_and(|count| *count > 50), "{codes:?}");
    }
}
