//! Frames of a peer stream: bytes to frames and back, and a session that is fed with them.
//!
//! # Shape
//! The first byte has switches: 1 for a dialer's session, 2 for an acceptor's service that refuses, 4 for a store that
//! fails, 8 for a peer that hangs up with an error. Messages follow, each with its length in two bytes before it, most
//! significant first; a message of no bytes stands for 20 s in which nothing comes.

use std::time::{Duration, Instant};

use peering_core::peerstream::{
    ACTIONS_WAITING_MAX, ADDRESSES_MAX, Action, Answer, Content, Frame, Import, Offer, Open, PEER_MESSAGE_CHARS_MAX,
    ROOTS_MAX, Refusal, Request, Resource, Response, SERVICES_MAX, Session, StatusCode, TrustBundle,
};
use peering_core::remote::RemoteInfo;
use peering_core::secret::StreamSecret;
use peering_server::bounds::{FRAME_BYTES_BEFORE_OPEN_MAX, FRAME_BYTES_MAX};
use peering_server::probe::{are_within_bounds, decode_frame, encode_frame};

use super::is_fit_to_show;

/// Longest text of a refusal: Consul's sentences repeat a part of what the peer said, cut at 1 KiB, and escape it.
const REFUSAL_BYTES_MAX: usize = 16 << 10;
/// Silence for which a message of no bytes stands: longer than a heartbeat's interval.
const SILENCE: Duration = Duration::from_secs(20);
/// Actions that one input may add to those that wait: subscriptions, first resources, a beat.
const ACTIONS_AT_ONCE_MAX: usize = 32;

/// Type URLs and pieces of frames.
pub(super) const WORDS: [&str; 12] = [
    "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedService",
    "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedServiceList",
    "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle",
    "type.googleapis.com/hashicorp.consul.internal.peering.PeeringServerAddresses",
    "\u{2}*\u{0}",
    "\u{0}\u{2}*\u{0}",
    "\u{0}\u{2}\"\u{0}",
    "\u{0}\u{0}",
    "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d",
    "00000001",
    "\u{8}\u{7}",
    "\u{202e}",
];

/// Checks bytes as a conversation, and as the body of a request.
pub fn check(data: &[u8]) {
    check_bounds(data);
    let Some((&switches, messages)) = data.split_first() else { return };
    let mut conversation = Conversation::new(switches);
    for message in messages_in(messages) {
        if message.is_empty() {
            conversation.wait();
            continue;
        }
        match decode_frame(message) {
            Ok(frame) => {
                check_frame(&frame, message.len());
                conversation.hear(frame);
            }
            Err(error) => is_fit_to_show(&error.to_string(), REFUSAL_BYTES_MAX),
        }
    }
    conversation.end();
}

/// Splits bytes into messages; the last one may be cut short.
fn messages_in(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (message, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        rest = after;
        Some(message)
    })
}

/// However a body is cut into parts, the same frames are too long; found out by a second reader.
fn check_bounds(body: &[u8]) {
    for (is_opened, max) in [(false, FRAME_BYTES_BEFORE_OPEN_MAX), (true, FRAME_BYTES_MAX)] {
        let expected = announced(body).all(|length| length <= max);
        assert_eq!(are_within_bounds([body], is_opened), expected, "as one part");
        for step in [1, 4, 7] {
            assert_eq!(are_within_bounds(body.chunks(step), is_opened), expected, "in parts of {step}");
        }
    }
}

/// Returns the lengths that the frames of a body announce.
fn announced(body: &[u8]) -> impl Iterator<Item = usize> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let ([_, a, b, c, d], after) = rest.split_first_chunk::<5>()?;
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap();
        rest = after.get(length..).unwrap_or_default();
        Some(length)
    })
}

/// A frame that has a wire form is read from it as the same, and shows no secret.
fn check_frame(frame: &Frame, bytes: usize) {
    if let Frame::Open(open) = frame {
        let other = Open { secret: StreamSecret::from_text("another"), ..open.clone() };
        assert_eq!(format!("{other:?}"), format!("{open:?}"), "Debug depends on the secret");
    }
    if let Frame::Request(Request { error: Some(refusal), .. }) = frame {
        assert!(refusal.message.chars().count() <= PEER_MESSAGE_CHARS_MAX, "a peer's message is kept whole");
    }
    if let Frame::Response(Response { content, .. }) = frame {
        assert!(size_of_content(content) <= 64 * bytes + 256, "{bytes} bytes swell in memory");
    }
    let Some(written) = encode_frame(frame.clone()) else {
        let is_without_form = match frame {
            Frame::Unknown => true,
            Frame::Response(response) => !matches!(response.content, Content::Resource(_)),
            _ => false,
        };
        assert!(is_without_form, "{frame:?} cannot be written");
        return;
    };
    assert_eq!(&decode_frame(&written).unwrap(), frame);
}

/// Returns how many bytes a content takes, roughly.
fn size_of_content(content: &Content) -> usize {
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() + size_of::<String>()).sum();
    match content {
        Content::Resource(Resource::ExportedService(service)) => service.encoded.len(),
        Content::Resource(Resource::ExportedServiceList(names)) => texts(names),
        Content::Resource(Resource::TrustBundle(bundle)) => bundle.trust_domain.len() + texts(&bundle.root_pems),
        Content::Resource(Resource::ServerAddresses(addresses)) => texts(addresses),
        Content::Mismatched { type_url } => type_url.len(),
        Content::Undecodable { reason } | Content::Invalid { reason } => reason.len(),
        _ => 0,
    }
}

/// One end of a stream, with a driver that does what it is told.
struct Conversation {
    session: Session,
    now: Instant,
    refuses: bool,
    store_fails: bool,
    breaks: bool,
    ended: bool,
}

impl Conversation {
    fn new(switches: u8) -> Self {
        let now = Instant::now();
        let session = if switches & 1 == 0 { Session::accept(now) } else { Session::dial(open(), offer(), now) };
        let is_on = |switch: u8| switches & switch != 0;
        let mut conversation =
            Self { session, now, refuses: is_on(2), store_fails: is_on(4), breaks: is_on(8), ended: false };
        conversation.act();
        conversation
    }

    fn hear(&mut self, frame: Frame) {
        if self.session.is_reading() {
            self.session.on_frame(frame, self.now);
            self.act();
        }
    }

    fn wait(&mut self) {
        self.now += SILENCE;
        while let Some(due) = self.session.next_deadline().filter(|due| *due <= self.now) {
            self.session.on_deadline(self.now);
            self.act();
            let next = self.session.next_deadline();
            assert!(next != Some(due), "a deadline stays although it has passed");
        }
    }

    /// The peer hangs up, and the session ends, once.
    fn end(mut self) {
        let broken = Refusal::new(StatusCode::Unavailable, "connection reset");
        self.session.on_end(if self.breaks { Err(broken) } else { Ok(()) });
        self.act();
        assert!(self.session.is_ended() && self.ended, "a session goes on without its peer");
    }

    /// Does what the session asks for, until it asks for nothing more.
    fn act(&mut self) {
        let mut waiting = 0;
        while let Some(action) = self.session.poll() {
            waiting += 1;
            assert!(waiting <= ACTIONS_WAITING_MAX + ACTIONS_AT_ONCE_MAX, "one frame leads to ever more");
            assert!(!self.ended, "{action:?} after the end");
            match action {
                Action::Send(frame) => {
                    let written = encode_frame(frame).expect("what a session sends has a wire form");
                    assert!(written.len() <= FRAME_BYTES_BEFORE_OPEN_MAX, "{} bytes in one answer", written.len());
                }
                Action::Authorize(_) => {
                    let refusal = Refusal::peering_deleted("x");
                    let answer = match self.refuses {
                        true => Answer::Refused { refusal, terminated: self.store_fails },
                        false => Answer::Accepted(offer()),
                    };
                    self.session.answer(answer, self.now);
                }
                Action::Store(import) => {
                    check_import(&import);
                    let failed = Refusal::new(StatusCode::Internal, "disk full");
                    self.session.import_done(if self.store_fails { Err(failed) } else { Ok(()) }, self.now);
                }
                Action::Rejected { refusal, .. } => {
                    assert!(refusal.message.chars().count() <= PEER_MESSAGE_CHARS_MAX);
                }
                Action::End(outcome) => {
                    self.ended = true;
                    if let Err(refusal) = outcome {
                        assert!(refusal.message.len() <= REFUSAL_BYTES_MAX, "{} bytes", refusal.message.len());
                    }
                }
                _ => {}
            }
        }
    }
}

/// What is handed on to be stored keeps every bound.
fn check_import(import: &Import) {
    match &import.resource {
        Resource::ExportedService(_) => assert!(!import.resource_id.is_empty()),
        Resource::ExportedServiceList(names) => assert!(names.len() <= SERVICES_MAX),
        Resource::TrustBundle(bundle) => {
            assert!((1..=ROOTS_MAX).contains(&bundle.root_pems.len()) && !bundle.trust_domain.is_empty());
        }
        Resource::ServerAddresses(addresses) => assert!(addresses.len() <= ADDRESSES_MAX),
        other => panic!("{other:?} is stored"),
    }
}

fn open() -> Open {
    let secret = StreamSecret::from_text("11111111-2222-3333-4444-555555555555");
    Open { peer_id: "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d".to_owned(), secret, remote: RemoteInfo::default() }
}

fn offer() -> Offer {
    let bundle = TrustBundle { trust_domain: "d.consul".to_owned(), root_pems: vec!["pem\n".to_owned()] };
    Offer {
        trust_bundle: Some(bundle),
        server_addresses: vec!["h:1".to_owned()],
        exported_services: Some(vec!["web".to_owned()]),
    }
}
