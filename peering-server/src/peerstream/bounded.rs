//! Bounds the frames of a call before anything else reads them: small until its Open was accepted, then larger.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;
use tonic::Status;

use crate::bounds::{FRAME_BYTES_BEFORE_OPEN_MAX, FRAME_BYTES_MAX};

/// Bytes in front of each gRPC message: one of flags, four of length.
const PREFIX_BYTES: usize = 5;

/// Whether the Open of a call was accepted; an extension of the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Opened(Arc<AtomicBool>);

impl Opened {
    /// Allows large frames from here on.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn frame_bytes_max(&self) -> usize {
        if self.0.load(Ordering::Acquire) { FRAME_BYTES_MAX } else { FRAME_BYTES_BEFORE_OPEN_MAX }
    }
}

/// A frame is longer than its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a frame of at most {max} bytes, got {got}")]
pub(super) struct FrameTooLong {
    got: usize,
    max: usize,
}

/// A request body whose frames are measured as they arrive, by their announced lengths.
#[derive(Debug)]
pub(super) struct Bounded<B> {
    body: B,
    opened: Opened,
    meter: Meter,
}

#[derive(Debug, Default)]
pub(super) struct Meter {
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    frame_bytes_left: usize,
}

impl Meter {
    pub(super) fn measure(&mut self, mut data: &[u8], opened: &Opened) -> Result<(), FrameTooLong> {
        while !data.is_empty() {
            if self.frame_bytes_left > 0 {
                let taken = self.frame_bytes_left.min(data.len());
                self.frame_bytes_left -= taken;
                data = &data[taken..];
                continue;
            }
            let taken = (PREFIX_BYTES - self.prefix_bytes).min(data.len());
            self.prefix[self.prefix_bytes..self.prefix_bytes + taken].copy_from_slice(&data[..taken]);
            self.prefix_bytes += taken;
            data = &data[taken..];
            if self.prefix_bytes == PREFIX_BYTES {
                self.prefix_bytes = 0;
                let got = (&self.prefix[1..]).get_u32() as usize;
                let max = opened.frame_bytes_max();
                if got > max {
                    return Err(FrameTooLong { got, max });
                }
                self.frame_bytes_left = got;
            }
        }
        Ok(())
    }
}

impl<B> Bounded<B> {
    pub(super) fn new(body: B, opened: Opened) -> Self {
        Self { body, opened, meter: Meter::default() }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
            None if this.body.is_end_stream() => return Poll::Ready(None),
            // Not the caller's end: the call was reset, or its connection given up.
            None => {
                let broken = io::Error::new(io::ErrorKind::BrokenPipe, "the call was cut");
                return Poll::Ready(Some(Err(Status::from_error(Box::new(broken)))));
            }
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(Box::new(error))))),
        };
        if let Some(data) = frame.data_ref()
            && let Err(error) = this.meter.measure(data, &this.opened)
        {
            let mut status = Status::resource_exhausted(error.to_string());
            status.set_source(Arc::new(error));
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(bytes: usize) -> Vec<u8> {
        let mut prefix = vec![0];
        prefix.extend(u32::try_from(bytes).unwrap().to_be_bytes());
        prefix
    }

    #[test]
    fn a_frame_at_the_bound_passes_and_one_byte_more_does_not() {
        let opened = Opened::default();
        for max in [FRAME_BYTES_BEFORE_OPEN_MAX, FRAME_BYTES_MAX] {
            assert_eq!(Meter::default().measure(&prefix(max), &opened), Ok(()));
            let got = max + 1;
            assert_eq!(Meter::default().measure(&prefix(got), &opened), Err(FrameTooLong { got, max }));
            opened.set();
        }
    }

    #[test]
    fn frames_are_told_apart_however_the_bytes_arrive() {
        let opened = Opened::default();
        let mut bytes = Vec::new();
        for length in [0, 1, 300, 0, 7] {
            bytes.extend(prefix(length));
            bytes.extend(vec![0xff; length]);
        }
        bytes.extend(prefix(FRAME_BYTES_BEFORE_OPEN_MAX + 1));
        for step in 1..bytes.len() {
            let mut meter = Meter::default();
            let outcomes: Vec<_> = bytes.chunks(step).map(|chunk| meter.measure(chunk, &opened)).collect();
            let (last, before) = outcomes.split_last().unwrap();
            assert!(before.iter().all(Result::is_ok) && last.is_err(), "{step}");
        }
    }
}
