//! Prints the lines of a trail on standard output, by a thread of its own: whoever reads them may stop without closing, and
//! then neither the file nor its checkpoints nor the end of the server may wait for him.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tracing::{error, info};

use super::error::AuditError;
use crate::bounds::{AUDIT_STDOUT_BYTES_MAX, AUDIT_STDOUT_WAIT, REFUSAL_LOG_PAUSE};
use crate::causes::chain;

/// Standard output.
pub(super) struct Printer {
    orders: SyncSender<Vec<u8>>,
    printed: Receiver<Printed>,
    /// Whether the thread has lines.
    is_busy: bool,
    /// Whether it was waited for in vain, and is not again until it prints.
    is_stuck: bool,
    /// Lines for the next order.
    waiting: Vec<u8>,
    lost_lines: usize,
    told: Option<Instant>,
}

/// What became of an order.
struct Printed {
    rest: Vec<u8>,
    outcome: io::Result<()>,
}

impl Printer {
    pub(super) fn new(stdout: Arc<Mutex<dyn Write + Send>>) -> Result<Self, AuditError> {
        let (orders, to_print) = sync_channel::<Vec<u8>>(1);
        let (done, printed) = sync_channel(1);
        let print = move || {
            for lines in to_print {
                if done.send(write(&stdout, lines)).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("audit-stdout".to_owned()).spawn(print).map_err(AuditError::Stdout)?;
        let (waiting, told) = (Vec::new(), None);
        Ok(Self { orders, printed, is_busy: false, is_stuck: false, waiting, lost_lines: 0, told })
    }

    /// Adds lines to what is to be printed. If they may be lost, since a file has them, they are where too many wait.
    pub(super) fn add(&mut self, lines: &[u8], count: usize, may_be_lost: bool) {
        if may_be_lost && self.waiting.len() + lines.len() > AUDIT_STDOUT_BYTES_MAX {
            self.lost_lines += count;
        } else {
            self.waiting.extend_from_slice(lines);
        }
    }

    /// Prints what waits. After an error it still waits, and nothing is printed twice.
    pub(super) fn print(&mut self) -> Result<(), AuditError> {
        let mut until = Instant::now();
        if !self.is_stuck {
            until += AUDIT_STDOUT_WAIT;
        }
        let is_gone = || AuditError::Stdout(io::ErrorKind::BrokenPipe.into());
        loop {
            if !self.is_busy {
                if self.waiting.is_empty() {
                    if self.told.take().is_some() {
                        let lost_lines = std::mem::take(&mut self.lost_lines);
                        info!(lost_lines, "standard output takes the lines of the audit trail again");
                    }
                    return Ok(());
                }
                self.orders.send(std::mem::take(&mut self.waiting)).map_err(|_| is_gone())?;
                self.is_busy = true;
            }
            match self.printed.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Printed { mut rest, outcome }) => {
                    self.is_busy = false;
                    rest.append(&mut self.waiting);
                    self.waiting = rest;
                    outcome.map_err(AuditError::Stdout)?;
                    self.is_stuck = false;
                    until = Instant::now() + AUDIT_STDOUT_WAIT;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.is_stuck = true;
                    return Err(AuditError::StdoutStuck);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(is_gone()),
            }
        }
    }

    #[cfg(test)]
    pub(super) const fn is_idle(&self) -> bool {
        !self.is_busy && self.waiting.is_empty()
    }

    /// Says why nothing is printed, once a minute.
    pub(super) fn complain(&mut self, cause: &AuditError) {
        if self.told.is_none_or(|told| told.elapsed() >= REFUSAL_LOG_PAUSE) {
            self.told = Some(Instant::now());
            let (cause, lost_lines) = (chain(cause), self.lost_lines);
            error!(cause, lost_lines, "the audit trail goes on in its file, and its lines wait for standard output");
        }
    }
}

fn write(stdout: &Mutex<dyn Write + Send>, mut lines: Vec<u8>) -> Printed {
    let mut stdout = stdout.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = loop {
        if lines.is_empty() {
            break stdout.flush();
        }
        match stdout.write(&lines) {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => drop(lines.drain(..bytes)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    Printed { rest: lines, outcome }
}
