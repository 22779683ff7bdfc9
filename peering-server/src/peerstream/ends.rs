//! The two directions of one call, alike for both roles.

use std::error::Error;
use std::future::{Future, pending};
use std::pin::Pin;

use peering_core::peerstream::{Refusal, Said};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt, empty, once};
use tonic::{Status, Streaming};

use super::bounded::FrameTooLong;
use super::proto::peerstream::ReplicationMessage;

/// What tonic says of a frame that is longer than we read.
const TOO_LONG: &str = "Error, decoded message length too large";

/// Something that is waited for beside everything else.
pub(super) type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Frames that wait between a session and the connection.
const FRAMES_WAITING_MAX: usize = 16;

/// The direction in which we send.
#[derive(Debug)]
pub(super) struct Outbound {
    /// `None` once this direction is closed, or given up by the connection.
    frames: Option<mpsc::Sender<Box<ReplicationMessage>>>,
    /// Of an acceptor: how the call ends. It has a way of its own, so that saying it never waits for a peer that does
    /// not read.
    status: Option<mpsc::Sender<Status>>,
}

impl Outbound {
    /// Makes the direction of a dialer, and the body of its call.
    pub(super) fn of_dialer() -> (Self, impl Stream<Item = ReplicationMessage> + Send + 'static) {
        let (sender, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        (Self { frames: Some(sender), status: None }, ReceiverStream::new(frames).map(unboxed))
    }

    /// Makes the direction of an acceptor, and what its call is answered with.
    pub(super) fn of_acceptor() -> (Self, Answer) {
        let (frames_sender, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        let (status_sender, status) = mpsc::channel(1);
        (Self { frames: Some(frames_sender), status: Some(status_sender) }, Answer { frames, status })
    }

    /// Says whether frames are still taken from us.
    pub(super) const fn is_open(&self) -> bool {
        self.frames.is_some()
    }

    /// Waits for room and sends; `false` if the connection is gone. Giving up half-way sends nothing.
    pub(super) async fn send(&self, message: Option<&ReplicationMessage>) -> bool {
        match (&self.frames, message) {
            (_, None) => pending().await,
            (None, Some(_)) => true,
            // Cloned only when there is room, since a frame may be large and is asked for again and again.
            (Some(frames), Some(message)) => match frames.reserve().await {
                Ok(room) => {
                    room.send(Box::new(message.clone()));
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// Ends this direction; of a dialer it is the half-close. Frames that are on their way still arrive.
    pub(super) fn close(&mut self) {
        self.frames = None;
    }

    /// Ends the call with a status, after the frames that are on their way. A dialer has none to give.
    pub(super) fn end_with(&mut self, status: Status) {
        if let Some(sender) = self.status.take() {
            // If nobody takes it, nobody is there to be told.
            let _ = sender.try_send(status);
        }
        self.close();
    }
}

/// What a driver has to say to its caller, before the call is answered.
#[derive(Debug)]
pub(super) struct Answer {
    frames: mpsc::Receiver<Box<ReplicationMessage>>,
    status: mpsc::Receiver<Status>,
}

/// A queue keeps room for 32 entries from its start, so its entries are small.
#[expect(clippy::boxed_local, reason = "the box is what the queue holds")]
fn unboxed(message: Box<ReplicationMessage>) -> ReplicationMessage {
    *message
}

/// The frames of an answered call, and at its end perhaps a status.
pub(super) type Frames = Pin<Box<dyn Stream<Item = Result<ReplicationMessage, Status>> + Send>>;

impl Answer {
    /// Waits for the first thing said. Headers go out with the first frame, so that a refusal is a status alone, as a
    /// dialer of Consul expects.
    pub(super) async fn first(mut self) -> Result<Frames, Status> {
        match self.frames.recv().await {
            Some(first) => {
                let rest = ReceiverStream::new(self.frames).map(unboxed).map(Ok);
                let status = ReceiverStream::new(self.status).map(Err);
                Ok(Box::pin(once(Ok(*first)).chain(rest).chain(status)))
            }
            None => match self.status.recv().await {
                Some(status) => Err(status),
                None => Ok(Box::pin(empty())),
            },
        }
    }
}

/// The direction in which we read.
pub(super) enum Inbound {
    /// A dialer's call that was not answered yet.
    Calling(Waiting<'static, Result<Streaming<ReplicationMessage>, Status>>),
    /// Frames.
    Reading(Box<Streaming<ReplicationMessage>>),
    /// Nothing more comes.
    Ended,
}

/// Something that came in.
pub(super) enum Arrived {
    Frame(ReplicationMessage),
    Answered(Box<Streaming<ReplicationMessage>>),
    /// The other direction is over; a refusal with who said it.
    End(Result<(), (Refusal, Said)>),
}

impl Inbound {
    /// Waits for what comes next. Giving up half-way loses nothing.
    pub(super) async fn next(&mut self) -> Arrived {
        match self {
            Self::Calling(call) => match call.await {
                Ok(stream) => Arrived::Answered(Box::new(stream)),
                Err(status) => Arrived::End(end_of(&status)),
            },
            Self::Reading(stream) => match stream.message().await {
                Ok(Some(message)) => Arrived::Frame(message),
                Ok(None) => Arrived::End(Ok(())),
                Err(status) => Arrived::End(end_of(&status)),
            },
            Self::Ended => pending().await,
        }
    }
}

fn end_of(status: &Status) -> Result<(), (Refusal, Said)> {
    let said = match status.source() {
        // A status that came over the wire has no cause; one that tonic made of a broken connection has.
        None if status.message().starts_with(TOO_LONG) => Said::We,
        None => Said::Peer,
        Some(cause) if cause.is::<FrameTooLong>() => Said::We,
        Some(_) => Said::Connection,
    };
    match i32::from(status.code()) {
        0 => Ok(()),
        code => Err((Refusal::from_peer(code, status.message()), said)),
    }
}
