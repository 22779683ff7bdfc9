//! Standard output for a server's audit trail, whose lines come after the one that says that the server is ready.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Holds lines back until it is dropped.
#[derive(Default)]
pub(crate) struct Ready(Arc<(Mutex<bool>, Condvar)>);

impl Ready {
    /// Returns standard output, which makes its writers wait until this is dropped.
    pub(crate) fn stdout(&self) -> impl Write + Send + use<> {
        AfterReady { ready: Arc::clone(&self.0), out: io::stdout() }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        let (is_ready, bell) = &*self.0;
        *is_ready.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
    }
}

struct AfterReady<W> {
    ready: Arc<(Mutex<bool>, Condvar)>,
    out: W,
}

impl<W: Write> Write for AfterReady<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (is_ready, bell) = &*self.ready;
        let waiting = is_ready.lock().unwrap_or_else(PoisonError::into_inner);
        drop(bell.wait_while(waiting, |is_ready| !*is_ready).unwrap_or_else(PoisonError::into_inner));
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
