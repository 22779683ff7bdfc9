//! Both ends of a peer stream in one test, under virtual time, over a link with latency, loss and cuts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Action, Answer, Frame, Import, Offer, Refusal, Response, Session, StatusCode, TrustBundle};
use crate::peerstream::session::tests::open;
use crate::peerstream::virtual_time::start_of_time;

mod hostile;
mod random;
mod stories;

/// Steps after which a test is taken to spin.
const STEPS_MAX: usize = 200_000;

/// What travels in one direction.
#[derive(Debug, Clone)]
enum Parcel {
    Frame(Frame),
    End(Result<(), Refusal>),
}

/// What the link does to frames of one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    None,
    /// Heartbeats vanish, all else passes.
    Heartbeats,
    /// Everything vanishes, and nobody notices.
    All,
    /// This share of frames vanishes.
    Share(f64),
}

/// A seeded sequence of numbers (SplitMix64), so that a failing test can be run again.
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn chance(&mut self, share: f64) -> bool {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64 <= share && share > 0.0
    }
}

/// One direction of the link; in order, as a byte stream is.
#[derive(Debug)]
struct Pipe {
    latency: Duration,
    loss: Loss,
    dice: Dice,
    queue: VecDeque<(Instant, Parcel)>,
    is_cut: bool,
}

impl Pipe {
    fn push(&mut self, parcel: Parcel, now: Instant) {
        let is_lost = match (&parcel, self.loss) {
            (_, Loss::All) => true,
            (Parcel::Frame(Frame::Heartbeat), Loss::Heartbeats) => true,
            (Parcel::Frame(_), Loss::Share(share)) => self.dice.chance(share),
            _ => false,
        };
        if !is_lost && !self.is_cut {
            let due = now + self.latency;
            let due = self.queue.back().map_or(due, |(last, _)| due.max(*last));
            self.queue.push_back((due, parcel));
        }
    }

    /// Breaks the connection: what is under way is lost, and the receiver notices after the latency.
    fn cut(&mut self, now: Instant) {
        self.queue.clear();
        self.loss = Loss::None;
        self.push(Parcel::End(Err(Refusal::new(StatusCode::Unavailable, "connection reset"))), now);
        self.is_cut = true;
    }
}

/// One end, and what its driver saw.
#[derive(Debug)]
struct End {
    session: Session,
    /// Everything but `Send`, and when.
    log: Vec<(Duration, Action)>,
    sent: Vec<(Duration, Frame)>,
    received: Vec<(Duration, Frame)>,
    imports: Vec<Import>,
    store_delay: Duration,
    storing_until: Option<Instant>,
    answer: Answer,
}

impl End {
    fn new(session: Session, answer: Answer) -> Self {
        Self {
            session,
            log: vec![],
            sent: vec![],
            received: vec![],
            imports: vec![],
            store_delay: Duration::ZERO,
            storing_until: None,
            answer,
        }
    }

    fn when(&self, wanted: impl Fn(&Action) -> bool) -> Option<Duration> {
        self.log.iter().find(|(_, action)| wanted(action)).map(|(when, _)| *when)
    }

    fn connected(&self) -> Option<Duration> {
        self.when(|action| *action == Action::Connected)
    }

    fn was_told_of_the_end(&self) -> bool {
        self.when(|action| *action == Action::PeerTerminated).is_some()
    }

    fn outcome(&self) -> Option<(Duration, Result<(), Refusal>)> {
        self.log.iter().find_map(|(when, action)| match action {
            Action::End(result) => Some((*when, result.clone())),
            _ => None,
        })
    }

    fn last_heartbeat_received(&self) -> Duration {
        let beats = self.received.iter().filter(|(_, frame)| *frame == Frame::Heartbeat);
        beats.map(|(when, _)| *when).next_back().unwrap()
    }

    fn responses_sent(&self) -> Vec<&Response> {
        let responses = self.sent.iter().filter_map(|(_, frame)| match frame {
            Frame::Response(response) => Some(response),
            _ => None,
        });
        responses.collect()
    }

    /// Nonces in the order in which this end acknowledged or refused them.
    fn answered(&self) -> Vec<&str> {
        let answers = self.sent.iter().filter_map(|(_, frame)| match frame {
            Frame::Request(request) if !request.nonce.is_empty() => Some(request.nonce.as_str()),
            _ => None,
        });
        answers.collect()
    }
}

/// A dialer, an acceptor, the link between them, and the clock.
#[derive(Debug)]
struct Pair {
    start: Instant,
    now: Instant,
    dialer: End,
    acceptor: End,
    to_acceptor: Pipe,
    to_dialer: Pipe,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Dialer,
    Acceptor,
}

const SIDES: [Side; 2] = [Side::Dialer, Side::Acceptor];

fn offer_of(domain: &str) -> Offer {
    let bundle = TrustBundle { trust_domain: domain.into(), root_pems: vec![format!("{domain} root\n")] };
    Offer {
        trust_bundle: Some(bundle),
        server_addresses: vec!["10.0.0.1:8503".into()],
        exported_services: Some(vec![]),
    }
}

impl Pair {
    fn new(latency: Duration, seed: u64) -> Self {
        let start = start_of_time();
        let pipe =
            |salt| Pipe { latency, loss: Loss::None, dice: Dice(seed ^ salt), queue: VecDeque::new(), is_cut: false };
        let accepted = Answer::Accepted(offer_of("acceptor"));
        Self {
            start,
            now: start,
            dialer: End::new(Session::dial(open(), offer_of("dialer"), start), accepted.clone()),
            acceptor: End::new(Session::accept(start), accepted),
            to_acceptor: pipe(1),
            to_dialer: pipe(2),
        }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialer => &mut self.dialer,
            Side::Acceptor => &mut self.acceptor,
        }
    }

    fn pipe_from(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Dialer => &mut self.to_acceptor,
            Side::Acceptor => &mut self.to_dialer,
        }
    }

    fn pipe_to(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Dialer => &mut self.to_dialer,
            Side::Acceptor => &mut self.to_acceptor,
        }
    }

    /// Breaks the connection so that both sides notice.
    fn cut(&mut self) {
        let now = self.now;
        self.to_acceptor.cut(now);
        self.to_dialer.cut(now);
    }

    fn delete(&mut self, side: Side) {
        let now = self.now;
        self.end(side).session.delete(now);
    }

    fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Runs for this long.
    fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        for _ in 0..STEPS_MAX {
            SIDES.into_iter().for_each(|side| self.act(side));
            match self.next_event() {
                Some(next) if next <= until => self.now = self.now.max(next),
                _ => {
                    self.now = until;
                    return;
                }
            }
            SIDES.into_iter().for_each(|side| self.input(side));
        }
        panic!("the sessions never came to rest");
    }

    fn next_event(&mut self) -> Option<Instant> {
        let mut events = vec![];
        for side in SIDES {
            let is_reading = self.end(side).session.is_reading();
            let arrival = self.pipe_to(side).queue.front().filter(|_| is_reading).map(|(due, _)| *due);
            let end = self.end(side);
            events.extend([arrival, end.session.next_deadline(), end.storing_until]);
        }
        events.into_iter().flatten().min()
    }

    /// Gives a side what is due: frames, then the store's word, then deadlines.
    fn input(&mut self, side: Side) {
        let (now, elapsed) = (self.now, self.elapsed());
        while self.end(side).session.is_reading() {
            let pipe = self.pipe_to(side);
            if pipe.queue.front().is_none_or(|(due, _)| *due > now) {
                break;
            }
            let parcel = pipe.queue.pop_front().map(|(_, parcel)| parcel);
            match parcel {
                Some(Parcel::Frame(frame)) => {
                    self.end(side).received.push((elapsed, frame.clone()));
                    self.end(side).session.on_frame(frame, now);
                }
                Some(Parcel::End(status)) => self.end(side).session.on_end(status),
                None => {}
            }
            self.act(side);
        }
        let end = self.end(side);
        if end.storing_until.is_some_and(|due| due <= now) {
            end.storing_until = None;
            end.session.import_done(Ok(()), now);
        }
        if end.session.next_deadline().is_some_and(|due| due <= now) {
            end.session.on_deadline(now);
        }
        self.act(side);
    }

    /// Does what a session asks for, as a driver would.
    fn act(&mut self, side: Side) {
        let (now, elapsed) = (self.now, self.elapsed());
        while let Some(action) = self.end(side).session.poll() {
            assert!(self.end(side).outcome().is_none(), "{action:?} after the end of {side:?}");
            match &action {
                Action::Send(frame) => {
                    self.end(side).sent.push((elapsed, frame.clone()));
                    self.pipe_from(side).push(Parcel::Frame(frame.clone()), now);
                    continue;
                }
                Action::HalfClose => {
                    assert_eq!(side, Side::Dialer, "only a dialer has a half to close");
                    self.pipe_from(side).push(Parcel::End(Ok(())), now);
                }
                Action::End(status) => {
                    let status = match side {
                        Side::Acceptor => status.clone(),
                        Side::Dialer => Err(Refusal::new(StatusCode::Other(1), "connection dropped")),
                    };
                    self.pipe_from(side).push(Parcel::End(status), now);
                }
                Action::Authorize(_) => {
                    assert_eq!(side, Side::Acceptor, "only an acceptor authorizes");
                    let answer = self.acceptor.answer.clone();
                    self.acceptor.session.answer(answer, now);
                }
                Action::Store(import) => {
                    let end = self.end(side);
                    assert_eq!(end.storing_until, None, "two imports at once");
                    end.storing_until = Some(now + end.store_delay);
                    end.imports.push(import.clone());
                }
                Action::PeerTerminated | Action::Connected | Action::Rejected { .. } => {}
            }
            self.end(side).log.push((elapsed, action));
        }
    }
}
