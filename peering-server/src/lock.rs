//! Files that one process at a time may use.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a file that is in use is asked for again. A server that just ended may still hold it for a moment: a child
/// process that is being started has a copy of every descriptor until its program runs.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(500);
/// Pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Takes the lock on an open file, which is given back when the file is closed, at the latest with the process.
///
/// # Errors
/// [`TryLockError::WouldBlock`] if somebody else keeps it.
pub(crate) fn lock(file: &File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT_MAX => thread::sleep(LOCK_PAUSE),
            outcome => return outcome,
        }
    }
}
